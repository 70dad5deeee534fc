"""Real HTTP by urllib3: no redirects, bounded bodies, one deadline for all of a request, nothing secret in messages."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from headwater.dbtcloud.deadline import Deadline, DeadlineWatch, NoAnswer, PlainPool, TlsPool
from headwater.dbtcloud.origin import is_private_host
from headwater.dbtcloud.retry import Failure
from headwater.errors import AnswerUnreadable, ConfigurationInvalid, HeadwaterError, OriginRefused, TokenRejected
from headwater.model.secret import Secret

JSON_LIMIT = 32 * 1024 * 1024
ARTIFACT_LIMIT = 512 * 1024 * 1024
_ERROR_LIMIT = 64 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask. The token is kept apart from the headers, so that a request can be printed."""

    url: str
    method: str = "GET"
    token: Secret | None = None
    scheme: str = "Token"
    """How the token is named to the server, in front of it."""
    accept: str = "application/json"
    user_agent: str = "headwater"
    body: bytes | None = None
    content_type: str = "application/json"
    limit: int = JSON_LIMIT
    """Bytes the answer may have unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status; header names are in small letters. The body of an error may be cut off."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


class Transport(Protocol):
    """Sends one request once."""

    def send(self, request: Request) -> Answer:
        """Send a request and give the answer, whatever its status.

        Raises:
            NoAnswer: no connection, a broken one, or the deadline.
            AnswerUnreadable: a body over the limit, cut off, or packed in a way that was not asked for.
            OriginRefused: the host leads into a private network and may not.
        """
        ...


class HttpTransport:
    """The transport that speaks HTTP; safe for several threads, connections are kept alive."""

    def __init__(self, manager: urllib3.PoolManager, *, deadline: float, allow_private: bool) -> None:
        self._manager = manager
        self._seconds = deadline
        self._allow_private = allow_private
        self._watch = DeadlineWatch()

    def send(self, request: Request) -> Answer:
        """Send a request and give the answer, whatever its status; see `Transport`."""
        host = urlsplit(request.url).hostname or ""
        if request.token is not None and not request.token.reveal().isascii():
            raise TokenRejected("The token holds letters that no dbt Cloud token has.", hint="Copy it once more.")
        if not self._allow_private and is_private_host(host):
            raise OriginRefused(f"{host} is an address of a private network.")
        failure: HeadwaterError
        deadline = Deadline(self._seconds, allow_private=self._allow_private)
        with deadline.running(self._watch):
            try:
                answer = self._exchange(request)
                # A body that ends with its connection looks complete when the deadline cuts it off.
                if not deadline.has_expired:
                    return answer
                failure = _timeout(host, self._seconds)
            except HeadwaterError as error:
                failure = _timeout(host, self._seconds) if deadline.has_expired else error.with_traceback(None)
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                failure = _explain(error, host, self._seconds, has_expired=deadline.has_expired)
        # Raised here and not above: an exception of urllib3 drags frames along that hold the header with the token.
        failure.__context__ = None
        raise failure

    def close(self) -> None:
        """Close the connections that are kept."""
        self._manager.clear()
        self._watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, request: Request) -> Answer:
        response = self._manager.urlopen(
            request.method,
            request.url,
            body=request.body,
            headers=_headers(request),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            enforce_content_length=True,
            timeout=urllib3.Timeout(connect=self._seconds, read=self._seconds),
        )
        is_complete = False
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if 200 <= response.status < 300:
                body = b"".join(_each_piece(response, headers.get("content-encoding", ""), request.limit))
                if not body and response.status != 204 and not _says_where_it_ends(headers):
                    raise ProtocolError("cut off in the headers")
                is_complete = True
            else:
                body, is_complete = _read_error_body(response, headers.get("content-encoding", ""))
            return Answer(status=response.status, headers=headers, body=body)
        finally:
            if is_complete:
                response.release_conn()
            else:
                response.close()


def open_transport(
    *,
    proxy: str | None = None,
    ca_file: Path | str | None = None,
    deadline: float = 60.0,
    allow_private: bool = True,
    connections: int = 16,
) -> HttpTransport:
    """Open a transport. `deadline` is in seconds for one request, its body included.

    With `allow_private=False` a name that resolves to a private address is refused when the connection is made.

    Raises:
        ConfigurationInvalid: the certificates cannot be read, or the proxy is not an address.
    """
    options = {
        "maxsize": connections,
        "block": False,
        "ssl_context": _tls_context(ca_file),
        "cert_reqs": "CERT_REQUIRED",
    }
    manager = _proxied(proxy, options) if proxy else urllib3.PoolManager(num_pools=32, **options)  # type: ignore[arg-type]
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
    return HttpTransport(manager, deadline=deadline, allow_private=allow_private)


def _tls_context(ca_file: Path | str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except ssl.SSLError:
        raise ConfigurationInvalid((f"{ca_file} holds no certificates in PEM form.",)) from None
    except OSError as error:
        raise ConfigurationInvalid((f"The certificates {ca_file} cannot be read: {error.strerror}.",)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # urllib3 1.26 names no host to the TLS layer where the host is an IP address; it compares the names itself then.
    context.check_hostname = not version("urllib3").startswith("1.")
    return context


def _proxied(proxy: str, options: dict[str, object]) -> urllib3.PoolManager:
    try:
        parts = urllib3.util.parse_url(proxy)
        headers = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
        plain = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme in {"http", "https"} and parts.host:
            return urllib3.ProxyManager(plain, num_pools=32, proxy_headers=headers, **options)  # type: ignore[arg-type]
    except (HTTPError, ValueError):
        pass
    raise ConfigurationInvalid(("The proxy is not an address like http://proxy.example:3128.",))


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept": request.accept, "Accept-Encoding": "gzip", "User-Agent": request.user_agent}
    if request.token is not None:
        headers["Authorization"] = f"{request.scheme} {request.token.reveal()}"
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers


def _each_piece(response: urllib3.BaseHTTPResponse, encoding: str, limit: int) -> Iterator[bytes]:
    """Give the body piece by piece, unpacked, never more than `limit` bytes of it and never by what a header says."""
    packings = {part.strip().lower() for part in encoding.split(",")} - {"", "identity"}
    if packings - {"gzip", "x-gzip"} or encoding.count(",") > 0 < len(packings):
        raise AnswerUnreadable("The answer is packed in a way that was not asked for.", status=response.status)
    total = 0
    for piece in _unpack(_each_chunk(response), limit) if packings else _each_chunk(response):
        total += len(piece)
        if total > limit:
            raise AnswerUnreadable(f"The answer is larger than {_size(limit)}.", status=response.status)
        yield piece


def _each_chunk(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(_CHUNK, decode_content=False):
        yield chunk


def _unpack(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    packed = zlib.decompressobj(wbits=31)
    is_empty = True
    for chunk in chunks:
        is_empty = False
        rest = chunk
        while rest:
            if packed.eof:  # A gzip file may be several, one after the other.
                packed = zlib.decompressobj(wbits=31)
            try:
                yield packed.decompress(rest, min(limit + 1, 16 * _CHUNK))
            except zlib.error:
                raise AnswerUnreadable("The answer is not the gzip that it says it is.") from None
            rest = packed.unused_data if packed.eof else packed.unconsumed_tail
    if not packed.eof and not is_empty:
        raise AnswerUnreadable("The answer was cut off: its gzip has no end.")


def _says_where_it_ends(headers: Mapping[str, str]) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "").isdecimal()


def _read_error_body(response: urllib3.BaseHTTPResponse, encoding: str) -> tuple[bytes, bool]:
    """Read as much of an error's body as comes; the status alone says enough."""
    pieces: list[bytes] = []
    try:
        for piece in _each_piece(response, encoding, _ERROR_LIMIT):
            pieces.append(piece)  # noqa: PERF402  # what came before a failure is kept
    except (HTTPError, HTTPException, OSError, AnswerUnreadable):
        return b"".join(pieces), False
    return b"".join(pieces), True


def _timeout(host: str, seconds: float) -> NoAnswer:
    return NoAnswer(
        f"{host} did not finish its answer within {seconds:g} s.",
        Failure.TIMEOUT,
        hint="If it goes on, raise dbt_cloud.request_timeout.",
    )


def _explain(error: Exception, host: str, seconds: float, *, has_expired: bool) -> NoAnswer:
    """Say what an exception of urllib3 means, in words that hold nothing of the request but its host."""
    if has_expired:
        return _timeout(host, seconds)
    causes = list(_each_cause(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NoAnswer(
                f"The certificate of {host} is not trusted: {cause.verify_message}.",
                Failure.TLS,
                hint="Behind a proxy that opens TLS, name its certificates in dbt_cloud.ca_file.",
            )
    if any(isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError) for cause in causes):
        return NoAnswer(f"No TLS connection to {host} could be made.", Failure.TLS, hint="Does it speak https?")
    if any(isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) for cause in causes):
        return _timeout(host, seconds)
    if any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in causes):
        return NoAnswer(f"The proxy makes no connection to {host}.", Failure.CONNECT, hint="See dbt_cloud.proxy.")
    return NoAnswer(f"{host} broke the connection off before its answer was complete.", Failure.RESET)


def _each_cause(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__


def _size(count: int) -> str:
    return f"{count / 1024 / 1024:.0f} MiB" if count >= 1024 * 1024 else f"{count} bytes"
