"""Where the web application listens and by which address people open it, decided before a socket is opened.

On loopback nothing else is needed. On any other address what passes must be out of others' sight: either Headwater
itself speaks TLS, or a proxy that is named does and nobody else is answered.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headwater.errors import ConfigurationInvalid, WrongUse

if TYPE_CHECKING:
    from headwater.config import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The address to listen on; `origin` is how people open it, None for loopback alone.

    `certificate` and `key` are PEM files where Headwater speaks TLS; only `proxies` are answered where it does not.
    """

    address: str
    origin: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.address).is_loopback


LOOPBACK = Listening(address="127.0.0.1")
"""This machine alone."""


def decide_listening(web: WebSettings) -> Listening:
    """Decide from the settings, or refuse to start.

    Raises:
        ConfigurationInvalid: with every setting that does not fit.
        WrongUse: others could reach the address, and neither TLS nor a proxy is named.
    """
    faults: list[str] = []
    address = _read_address(web.host, faults)
    origin = _read_origin(web.external_url, faults) if web.external_url is not None else None
    proxies = tuple(network for text in web.trusted_proxies if (network := _read_network(text, faults)) is not None)
    has_tls = web.tls_certificate is not None and web.tls_key is not None
    if (web.tls_certificate is None) != (web.tls_key is None):
        faults.append("web.tls_certificate and web.tls_key belong together: name both, or neither.")
    if has_tls and proxies:
        faults.append("web.trusted_proxies is for a proxy that speaks TLS in Headwater's place: leave out one of them.")
    if origin is not None and not has_tls and not proxies:
        faults.append("web.external_url needs web.tls_certificate and web.tls_key, or web.trusted_proxies.")
    if proxies and origin is None and not faults:
        faults.append("web.trusted_proxies needs web.external_url, the address that people open.")
    if faults:
        raise ConfigurationInvalid(tuple(faults))
    listening = Listening(
        address=address, origin=origin, certificate=web.tls_certificate, key=web.tls_key, proxies=proxies
    )
    if not listening.is_loopback and (origin is None or not (has_tls or proxies)):
        raise WrongUse(
            f"Headwater does not listen on {web.host}, where others could read along, without TLS or a proxy.",
            hint="Set web.external_url with web.tls_certificate and web.tls_key, or with web.trusted_proxies; or leave "
            "web.host as it is and forward the port: ssh -L 8787:127.0.0.1:8787 HOST",
        )
    if has_tls:
        _check_certificate(web.tls_certificate, web.tls_key)
    return listening


def _read_address(host: str, faults: list[str]) -> str:
    address = "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        faults.append(f"web.host: {host!r} is no IP address of this machine; 0.0.0.0 means all of them.")
        return "127.0.0.1"


def _read_origin(url: str, faults: list[str]) -> str | None:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        parts, has_port = urlsplit(""), False
    is_origin = parts.scheme == "https" and bool(parts.hostname) and has_port
    is_origin = is_origin and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if not is_origin:
        faults.append("web.external_url is not like https://headwater.example.com, with nothing behind the host.")
        return None
    return f"https://{parts.netloc.lower().removesuffix(':443')}"


def _read_network(text: str, faults: list[str]) -> IPv4Network | IPv6Network | None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        faults.append(f"web.trusted_proxies: {text!r} is no IP address and no network like 10.0.0.0/24.")
        return None
    if network.prefixlen == 0:
        faults.append(f"web.trusted_proxies: {text} is everybody. Name the proxy.")
        return None
    return network


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Try certificate and key now; uvicorn would end with a traceback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert certificate is not None  # noqa: S101  both are named
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError:
        fault = f"{certificate} and {key} are not a certificate and its key without a passphrase, in PEM form."
        raise ConfigurationInvalid((f"web.tls_certificate, web.tls_key: {fault}",)) from None
    except OSError as error:
        fault = f"{certificate} or {key} cannot be read: {error.strerror}."
        raise ConfigurationInvalid((f"web.tls_certificate, web.tls_key: {fault}",)) from None
