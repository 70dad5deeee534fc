"""Around the whole application: which hosts it answers for, the headers of every answer, HEAD wherever GET is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from litestar.enums import HttpMethod, ScopeType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names of this machine; any other must be configured, or a foreign name could be pointed at us."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


_ONLY_TLS = {"strict-transport-security": "max-age=31536000"}


def shield(app: ASGIApp, allowed_hosts: Collection[str] = (), *, is_https: bool = False) -> ASGIApp:
    """Wrap an application; `allowed_hosts` are the names it answers for besides those of loopback.

    With `is_https` browsers are told to come by https only.
    """
    ours = {name.encode(): value.encode() for name, value in (HEADERS | (_ONLY_TLS if is_https else {})).items()}
    hosts = LOOPBACK_HOSTS | {host.lower() for host in allowed_hosts}

    async def shielded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        is_head, is_done = scope["method"] == "HEAD", False

        async def send_shielded(message: Message) -> None:
            nonlocal is_done
            if is_done:
                return
            if message["type"] == "http.response.start":
                message["headers"] = _protected(ours, message.get("headers", ()), scope["path"])
            elif is_head and message["type"] == "http.response.body":
                message["body"], message["more_body"], is_done = b"", False, True
            await send(message)

        if _host(scope) not in hosts:
            await _refuse_host(send_shielded)
            return
        if is_head:
            scope["method"] = HttpMethod.GET
        await app(scope, receive, send_shielded)

    return shielded


def _host(scope: Scope) -> str:
    """Give the host a request names, without its port; two of them name none."""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1:
        return ""
    host = named[0].lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _protected(
    always: Mapping[bytes, bytes], headers: Iterable[tuple[bytes, bytes]], path: str
) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    is_tagged = any(name.lower() == b"etag" for name, _ in given)
    is_static = path.startswith("/static/")
    asked_again = b"no-cache" if is_static else b"private, no-cache"
    ours = {**always, b"cache-control": asked_again if is_static or is_tagged else b"no-store"}
    return [*((name, value) for name, value in given if name.lower() not in ours), *ours.items()]


async def _refuse_host(send: Send) -> None:
    refusal = {
        "message": "Headwater does not answer for this host name.",
        "hint": "Open it by 127.0.0.1 or localhost, or set web.external_url to the address that people use.",
    }
    body = json.dumps({"error": refusal}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
