"""Starts a simulator: in this process until it is stopped, or in a thread for tests."""

import json
import socket
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from headwater.simulator.app import App
from headwater.simulator.cloud import Cloud
from headwater.simulator.recordings import Archive
from headwater.simulator.settings import AnnouncedAccount, Announcement, SimulatorSettings
from headwater.simulator.times import iso
from headwater.simulator.tls import Certificates, make_certificates

_HOST = "127.0.0.1"
_BACKLOG = 512
_START_SECONDS = 60.0


class _Server(uvicorn.Server):
    """uvicorn, telling when it accepts connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


class _Prepared:
    """A simulator with its socket bound, about to serve."""

    def __init__(
        self, settings: SimulatorSettings, archive: Archive | None, ready: Callable[[Announcement], None]
    ) -> None:
        with ExitStack() as opened:
            self._socket = opened.enter_context(_bound(settings.port))
            own = archive or opened.enter_context(Archive(settings.recordings))
            certificates = _certificates(settings, opened)
            cloud = Cloud(settings, own)
            cloud.url = f"{'https' if certificates else 'http'}://{_HOST}:{self._socket.getsockname()[1]}"
            self.announcement = _announcement(cloud, certificates)
            config = _config(App(cloud), certificates)
            self.server = _Server(config, lambda: ready(self.announcement))
            self._opened = opened.pop_all()

    def run(self) -> None:
        """Serve until told to stop."""
        with self._opened:
            self.server.run(sockets=[self._socket])


def serve(settings: SimulatorSettings, ready: Callable[[Announcement], None]) -> None:
    """Serve in this process until a signal ends it; `ready` is called once connections are accepted."""
    _Prepared(settings, None, ready).run()


class RunningSimulator:
    """A simulator in a thread of this process."""

    def __init__(self, settings: SimulatorSettings, archive: Archive | None = None) -> None:
        is_up = threading.Event()
        self._prepared = _Prepared(settings, archive, lambda _announcement: is_up.set())
        self.announcement = self._prepared.announcement
        self.url = self.announcement.url
        self.accounts = self.announcement.accounts
        self._thread = threading.Thread(target=self._prepared.run, name="simulator", daemon=True)
        self._thread.start()
        if not is_up.wait(_START_SECONDS):
            raise RuntimeError("the simulator did not start")

    def truth(self, **only: str | int) -> dict[str, Any]:
        """What is true of every run by now."""
        words = "&".join(f"{name}={value}" for name, value in only.items())
        return self.control("GET", f"truth?{words}")

    def advance(self, seconds: float) -> str:
        """Move the simulated time forward; tells the new time."""
        now: str = self.control("POST", "clock", {"advance_seconds": seconds})["now"]
        return now

    def control(self, method: str, name: str, body: object = None) -> dict[str, Any]:
        """Ask the control API."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data, method=method)  # noqa: S310  # ours
        ca_path = self.announcement.ca_path
        context = ssl.create_default_context(cafile=ca_path) if ca_path else None
        with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310  # http(s) on loopback
            document: dict[str, Any] = json.load(answer)
            return document

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._prepared.server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_in_thread(settings: SimulatorSettings, archive: Archive | None = None) -> RunningSimulator:
    """Start a simulator beside the caller; several may share one opened archive."""
    return RunningSimulator(settings, archive)


def _certificates(settings: SimulatorSettings, opened: ExitStack) -> Certificates | None:
    if not settings.tls:
        return None
    directory = settings.tls_directory
    if directory is None:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="simulator-")))
    return make_certificates(directory)


def _config(app: App, certificates: Certificates | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        ssl_certfile=certificates.certificate_path if certificates else None,
        ssl_keyfile=certificates.key_path if certificates else None,
    )


def _bound(port: int) -> socket.socket:
    # Without the protocol's number asyncio leaves Nagle's algorithm on, which costs 40 ms an answer.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _announcement(cloud: Cloud, certificates: Certificates | None) -> Announcement:
    accounts = tuple(
        AnnouncedAccount(
            id=account.id,
            name=account.name,
            token=next(token.secret for token in account.tokens if token.kind == "service"),
            tokens={token.kind: token.secret for token in account.tokens},
        )
        for account in cloud.world.accounts
    )
    ca_path = str(certificates.ca_path) if certificates else None
    return Announcement(cloud.url, accounts, iso(cloud.started_at) or "", ca_path)
