"""A server on raw sockets that does what it is told, also what no server should."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Behaviour = Callable[[socket.socket, "EvilServer"], None]


class EvilServer:
    """Accepts connections on loopback; each request is read up to its empty line and handed to the behaviour."""

    def __init__(self, behaviour: Behaviour, *, context: ssl.SSLContext | None = None, greets: bool = True) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self.done = threading.Semaphore(0)
        """Released each time the behaviour has come to its end."""
        self.stopped = threading.Event()
        self.local = threading.local()
        """Holds the `request` that the behaviour of this thread is to answer."""
        self._context = context
        self._greets = greets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept)

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def pause(self, seconds: float = 0.05) -> None:
        """Wait a moment, or until the server is stopped."""
        self.stopped.wait(seconds)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            self._acceptor.join()
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopped.is_set():
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                if not self._greets:
                    self.behaviour(connection, self)
                while self._greets and (request := _read_request(connection)):
                    self.requests.append(request)
                    self.local.request = request
                    self.behaviour(connection, self)
                    self.done.release()
        except OSError:
            connection.close()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(*answers: bytes) -> Behaviour:
    """Give these answers one after the other, the last one for ever."""
    left = list(answers)

    def speak(connection: socket.socket, _: EvilServer) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return speak


def then_closes(content: bytes) -> Behaviour:
    """Send this much and close."""

    def speak(connection: socket.socket, _: EvilServer) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_RDWR)

    return speak


def then_resets(content: bytes) -> Behaviour:
    """Send this much and reset the connection."""

    def speak(connection: socket.socket, _: EvilServer) -> None:
        connection.sendall(content)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return speak


def drips(content: bytes, *, at_once: int = 0) -> Behaviour:
    """Send some at once and the rest byte by byte; it would come to its end after many seconds."""

    def speak(connection: socket.socket, server: EvilServer) -> None:
        connection.sendall(content[:at_once])
        for byte in content[at_once:]:
            server.pause(0.1)
            connection.sendall(bytes([byte]))

    return speak


def repeats(head: bytes, piece: bytes, *, times: int = 1_000_000) -> Behaviour:
    """Send a head and then the same piece until nobody listens."""

    def speak(connection: socket.socket, server: EvilServer) -> None:
        connection.sendall(head)
        for _ in range(times):
            if server.stopped.is_set():
                return
            connection.sendall(piece)

    return speak


def waits(connection: socket.socket, server: EvilServer) -> None:
    """Say nothing."""
    server.pause(30)


def _read_request(connection: socket.socket) -> bytes:
    """Read one request, its body included; nothing where the other side has closed."""
    request, wanted = b"", None
    while wanted is None or len(request) < wanted:
        if not (piece := connection.recv(65536)):
            return b""
        request += piece
        head, separator, _ = request.partition(b"\r\n\r\n")
        if separator and wanted is None:
            lengths = [
                line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            ]
            wanted = len(head) + len(separator) + (int(lengths[0]) if lengths else 0)
    return request
