"""A deadline for a whole request: a watch that shuts the socket down, whatever the request is waiting for."""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from headwater.dbtcloud.origin import is_private_address
from headwater.dbtcloud.retry import Failure
from headwater.errors import OriginRefused, Unreachable

_CONNECT_SECONDS = 10.0


class NoAnswer(Unreachable):
    """A request that came to no answer; `failure` says at which point."""

    def __init__(self, message: str, failure: Failure, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failure = failure


class Deadline:
    """Seconds that one request may take in all. urllib3's own timeout starts anew with every byte received."""

    def __init__(self, seconds: float, *, allow_private: bool) -> None:
        self.allow_private = allow_private
        self.has_expired = False
        self.end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    @property
    def remaining(self) -> float:
        """Seconds left, never less than a hundredth: a socket takes 0 for "do not wait at all"."""
        return max(self.end - time.monotonic(), 0.01)

    def watch(self, connected: socket.socket) -> None:
        """Take a second handle on the connection, which works through a TLS handshake and after urllib3 let go."""
        with self._lock:
            if self._handle is None:
                self._handle = socket.fromfd(connected.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            if self.has_expired:
                self._shut()

    @contextmanager
    def running(self, watch: DeadlineWatch) -> Iterator[None]:
        """Let the time run while the block runs."""
        token = _CURRENT.set(self)
        watch.begin(self)
        try:
            yield
        finally:
            watch.end(self)
            _CURRENT.reset(token)
            with self._lock:
                if self._handle is not None:
                    self._handle.close()

    def expire(self) -> None:
        """End the request."""
        with self._lock:
            self.has_expired = True
            self._shut()

    def _shut(self) -> None:
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)


class DeadlineWatch:
    """One thread that ends the requests whose time is over.

    A thread for each request, as `threading.Timer` has it, costs each the wait until it runs: milliseconds in a process
    that is busy.
    """

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._changed = threading.Condition()
        self._looks_at = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, deadline: Deadline) -> None:
        """Watch a deadline."""
        with self._changed:
            self._running.add(deadline)
            if self._thread is None or not self._thread.is_alive():  # it does not live on in a forked process
                self._looks_at = deadline.end
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif deadline.end < self._looks_at:
                self._changed.notify()

    def end(self, deadline: Deadline) -> None:
        """Watch a deadline no more."""
        with self._changed:
            self._running.discard(deadline)

    def close(self) -> None:
        """Let the thread end, as soon as nothing runs."""
        with self._changed:
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                over = [deadline for deadline in self._running if deadline.end <= now]
                self._running.difference_update(over)
                if not over and not self._running:
                    self._thread = None
                    return
                if not over:
                    self._looks_at = min(deadline.end for deadline in self._running)
                    self._changed.wait(self._looks_at - now)
            for deadline in over:
                deadline.expire()


_CURRENT: ContextVar[Deadline] = ContextVar("deadline of the request in this thread")


def connect(host: str, port: int, deadline: Deadline, *, check_address: bool) -> socket.socket:
    """Connect to the first address that accepts, within the deadline.

    Raises:
        NoAnswer: the name is not known or no address accepts.
        OriginRefused: the name leads into a private network, which this way of entry may not use.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in _resolve(host, port):
        if check_address and is_private_address(ipaddress.ip_address(str(address[0]).partition("%")[0])):
            raise OriginRefused(
                f"{host} leads to an address of a private network.",
                hint="Such an account can only be connected from the command line or the configuration.",
            )
        if deadline.has_expired:
            break
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(min(_CONNECT_SECONDS, deadline.remaining))
            opened.connect(address)
        except OSError as error:
            opened.close()
            failure = error
            continue
        opened.settimeout(deadline.remaining)
        return opened
    reason = "took too long" if failure is None or isinstance(failure, TimeoutError) else (failure.strerror or "failed")
    raise NoAnswer(
        f"No connection to {host}, port {port}: {reason.lower()}.",
        Failure.CONNECT,
        hint="Is it the right address, and does a firewall or a proxy stand between?",
    ) from None


class _Watched:
    """What both kinds of connection share: every socket is opened here and shown to the request's deadline."""

    def _new_conn(self) -> socket.socket:
        deadline = _CURRENT.get()
        host, port = str(self._dns_host), int(self.port)  # type: ignore[attr-defined]
        # The address of a proxy is the operator's own choice, and what it connects to it resolves by itself.
        check_address = not deadline.allow_private and getattr(self, "proxy", None) is None
        opened = connect(host, port, deadline, check_address=check_address)
        sys.audit("http.client.connect", self, host, port)
        deadline.watch(opened)
        return opened

    def putrequest(self, *args: object, **options: object) -> None:
        kept = self.sock  # type: ignore[attr-defined]
        if kept is not None:
            deadline = _CURRENT.get()
            deadline.watch(kept)
            kept.settimeout(deadline.remaining)
        super().putrequest(*args, **options)  # type: ignore[misc]


class _PlainConnection(_Watched, HTTPConnection):
    """A connection without TLS: loopback only."""


class _TlsConnection(_Watched, HTTPSConnection):
    """A connection with TLS."""


class PlainPool(HTTPConnectionPool):
    """Kept connections without TLS."""

    ConnectionCls = _PlainConnection


class TlsPool(HTTPSConnectionPool):
    """Kept connections with TLS."""

    ConnectionCls = _TlsConnection


def _resolve(
    host: str, port: int
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]:
    try:
        return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
    except socket.gaierror as error:
        # A resolver that does not answer is a passing trouble; a name that is not there stays away.
        failure = Failure.CONNECT if error.errno == socket.EAI_AGAIN else Failure.NAME
    except (UnicodeError, ValueError):
        failure = Failure.NAME
    raise NoAnswer(f"The name {host} is not known here.", failure, hint="Is it spelt as dbt Cloud shows it?")
