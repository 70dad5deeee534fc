"""Behind a proxy: only it is answered, and what it says of who calls is believed."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

if TYPE_CHECKING:
    from collections.abc import Collection
    from ipaddress import IPv4Network, IPv6Network

    from litestar.types import ASGIApp, Receive, Scope, Send


def behind(app: ASGIApp, proxies: Collection[IPv4Network | IPv6Network]) -> ASGIApp:
    """Answer the proxies and this machine only; a caller's address is the last one that no proxy has."""
    believing = ProxyHeadersMiddleware(cast("Any", app), trusted_hosts=[str(network) for network in proxies])

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_known(scope, proxies):
            await _refuse(send)
            return
        await believing(cast("Any", scope), cast("Any", receive), cast("Any", send))

    return answered


def _is_known(scope: Scope, proxies: Collection[IPv4Network | IPv6Network]) -> bool:
    client = scope.get("client")
    try:
        peer = ipaddress.ip_address(client[0]) if client else None
    except ValueError:
        return False
    return peer is not None and (peer.is_loopback or any(peer in network for network in proxies))


async def _refuse(send: Send) -> None:
    refusal = {"message": "Only the proxy of this Headwater is answered.", "hint": "See web.trusted_proxies."}
    body = json.dumps({"error": refusal}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
