"""Listening and serving; where, and with which certificate, was decided before."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from typing import TYPE_CHECKING

import uvicorn
from litestar.concurrency import sync_to_thread

from headwater.errors import WrongUse
from headwater.web.listening import LOOPBACK, Listening
from headwater.web.live import ENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types import ASGIApp, Receive, Scope, Send


class Server(uvicorn.Server):
    """A server that says when it begins to end, so that what streams ends too; every request's scope holds `ending`.

    `prepare` is called in a thread once connections are taken, to work out what first pages need before they are asked
    for.
    """

    def __init__(self, config: uvicorn.Config, ending: asyncio.Event, prepare: Callable[[], object]) -> None:
        super().__init__(config)
        self._ending, self._prepare = ending, prepare
        self._preparing: asyncio.Task[object] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, then prepare behind them."""
        await super().startup(sockets)
        self._preparing = asyncio.create_task(sync_to_thread(self._prepare))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, then let what is under way come to its end."""
        self._ending.set()
        await super().shutdown(sockets)


def serve(
    app: ASGIApp,
    where: Listening,
    port: int,
    ready: Callable[[int], None] = lambda _: None,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Serve until the process is told to stop; `ready` is called with the port once connections are taken.

    `prepare` works out behind that what first pages need.

    Raises:
        WrongUse: the address is not of this machine, or the port is in use.
    """
    with listen(where.address, port) as listener:
        ready(listener.getsockname()[1])
        make_server(app, where, prepare).run(sockets=[listener])


def calm_collector() -> None:
    """Let the garbage collector pass over all that is loaded by now, and look for circles less often.

    For a process that serves from now on: each look through everything stops all its threads, for 80 ms once the
    lineage of 10,000 nodes is remembered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def make_server(app: ASGIApp, where: Listening = LOOPBACK, prepare: Callable[[], object] = lambda: None) -> Server:
    """Make the server; it runs on sockets that listen already."""
    ending = asyncio.Event()

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**(scope.get("extensions") or {}), ENDING: ending}  # type: ignore[dict-item]
        await app(scope, receive, send)

    config = uvicorn.Config(
        told,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=3,
        ssl_certfile=where.certificate,
        ssl_keyfile=where.key,
    )
    return Server(config, ending, prepare)


def listen(address: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        WrongUse: the address is not of this machine, or the port is in use.
    """
    # IPPROTO_TCP is named because asyncio turns delays off only for such sockets: 40 ms an answer
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _explain(error, address, port) from None
    return listener


def _explain(error: OSError, host: str, port: int) -> WrongUse:
    if error.errno == errno.EADDRINUSE:
        return WrongUse(f"Port {port} is in use.", hint="Choose another with --port, or --port 0 for any that is free.")
    if error.errno == errno.EACCES:
        return WrongUse(f"Port {port} may not be opened by this user.", hint="Choose one above 1023 with --port.")
    return WrongUse(f"Headwater cannot listen on {host}, port {port}: {error.strerror}.", hint="Check web.host.")
