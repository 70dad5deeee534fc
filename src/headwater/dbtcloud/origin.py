"""Where dbt Cloud is: from any address a person pastes to an origin, and which addresses are private."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from headwater.errors import OriginRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HINT = "It looks like https://ab123.us1.dbt.com; dbt Cloud shows it as the access URL in the account settings."
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_LONGEST_HOST = 253
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Metadata addresses that lie outside every private network: Azure's."""
_OLDER = {
    "us1.dbt.com": "https://cloud.getdbt.com",
    "eu1.dbt.com": "https://emea.dbt.com",
    "au1.dbt.com": "https://au.dbt.com",
}
"""The addresses that all accounts of a region shared before each had its own, as https://ab123.us1.dbt.com."""
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")


def read_origin(url: str, *, allow_private: bool = True, allow_http: bool = False) -> str:
    """Read `https://host[:port]` out of an address as people paste it: with a path, without a scheme, in capitals.

    `allow_private=False` is for web forms: nobody may point the server at its own network from there. Plain http is
    for loopback only, unless `allow_http` says otherwise.

    Raises:
        OriginRefused: with a sentence. It repeats no more than the host, because the rest may hold a secret.
    """
    parts = _split(url)
    host, port = _read_host(parts), _read_port(parts)
    scheme = parts.scheme.lower()
    bare = host.strip("[]")
    if scheme == "http" and not allow_http and not _is_loopback(bare):
        raise OriginRefused(f"{host} would be asked without encryption.", hint=f"Use https://{host}.")
    if not allow_private and is_private_host(bare):
        raise OriginRefused(
            f"{host} is an address of a private network.",
            hint="Such an account can only be connected from the command line or the configuration.",
        )
    return f"{scheme}://{host}" if port in {None, 443 if scheme == "https" else 80} else f"{scheme}://{host}:{port}"


def is_same_region(origin: str, other: str) -> bool:
    """Tell whether one is an account's access URL and the other the older address of the region it lies in.

    Within a region an account's id means one account only, so that these two and an id name the same account.
    """
    return _older_address(origin) == other or _older_address(other) == origin


def is_private_origin(origin: str) -> bool:
    """Tell whether an origin is loopback, private, link-local or a metadata address by its looks.

    A public name that resolves to such an address is refused where the connection is made (see `transport`).
    """
    return is_private_host(urlsplit(origin).hostname or "")


def is_private_host(host: str) -> bool:
    """Tell the same of a host, without brackets."""
    address = _read_address(host)
    if address is not None:
        return is_private_address(address)
    return "." not in host or host == "localhost" or f".{host}".endswith(_PRIVATE_NAMES)


def is_private_address(address: Address) -> bool:
    """Tell whether an address is not one of the public internet, looking into IPv6 that carries IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_private_address(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner:
            return is_private_address(inner)
    return not address.is_global or address.is_multicast or address in _METADATA


def _older_address(origin: str) -> str | None:
    parts = urlsplit(origin)
    region = parts.netloc.partition(".")[2]
    return _OLDER.get(region) if parts.scheme == "https" else None


def _split(url: str) -> SplitResult:
    text = url.strip()
    if not text:
        raise OriginRefused("The address is empty.", hint=_HINT)
    if not text.isprintable() or any(letter in text for letter in ' \\"<>^`{|}'):
        raise OriginRefused("The address holds characters that no address has.", hint=_HINT)
    if not _SCHEME.match(text):
        text = f"https://{text.removeprefix('//')}"
    try:
        parts = urlsplit(text)
    except ValueError:
        raise OriginRefused("The address cannot be read.", hint=_HINT) from None
    if parts.scheme.lower() not in {"https", "http"}:
        raise OriginRefused(f"The address begins with {parts.scheme}://; only https:// will do.", hint=_HINT)
    if "@" in parts.netloc:
        raise OriginRefused("The address holds a user name or a password.", hint="Leave out what stands before the @.")
    return parts


def _read_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if not host:
        raise OriginRefused("The address names no host.", hint=_HINT)
    if not host.isascii():
        raise OriginRefused("The host holds letters outside ASCII.", hint="Use its xn-- form, if it is meant.")
    address = _read_address(host)
    if "[" in parts.netloc and isinstance(address, ipaddress.IPv6Address) and "%" not in host:
        return f"[{address}]"
    if "[" in parts.netloc or (address is None and not _is_name(host)):
        raise OriginRefused("The address has no valid host name.", hint=_HINT)
    return host


def _read_port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise OriginRefused("The port of the address is not a number from 1 to 65535.", hint=_HINT)
    return port


def _is_name(host: str) -> bool:
    labels = host.split(".")
    # A last label of digits would be taken by the resolver for an address in one of its odder forms: 127.1, 0x7f.1.
    well_formed = all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])
    return well_formed and len(host) <= _LONGEST_HOST


def _is_loopback(host: str) -> bool:
    address = _read_address(host)
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")


def _read_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
