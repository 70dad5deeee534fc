"""The Headwater server as the SDK sees it: one address that takes collected runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from headwater.errors import AccessDenied, ArtifactUnreadable, ServerUnreachable, TokenRejected
from headwater.model.secret import Secret

_CONNECT_SECONDS = 2.0
_SIGN_SECONDS = 1.5
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send, and the ingest token; `send` may be called from any thread."""

    url: str
    token: Secret | None

    @property
    def where(self) -> str:
        """Name the server without a password or a query that its address may hold; empty where it is no address."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return ""
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.hostname else ""

    def look(self) -> Callable[[], None]:
        """Begin to look for any sign of life: a host that swallows what it gets must not hold a task up.

        What is given waits for it, until 1.5 s after it was begun, and raises ServerUnreachable where there was none.

        Raises:
            ServerUnreachable: the address is none.
        """
        self._check_address()
        failures: list[ServerUnreachable] = []
        until = time.monotonic() + _SIGN_SECONDS
        looking = threading.Thread(target=self._look, args=(failures.append,), daemon=True)
        looking.start()

        def wait() -> None:
            looking.join(max(0.0, until - time.monotonic()))  # no timeout of a library bounds the look-up of a name
            if looking.is_alive():
                raise self._unreachable(f"no sign of it within {_SIGN_SECONDS:g} s")
            for failure in failures:
                raise failure

        return wait

    def send(self, body: bytes) -> None:
        """Send an encoded run; the server has it safely, and stores it, once this ends well.

        Raises:
            ServerUnreachable: it is away, or busy; the same body may be sent later.
            TokenRejected, AccessDenied: the ingest token is missing, wrong, or of another role.
            ArtifactUnreadable: it can never take this body.
        """
        self._check_address()
        status = self._post(body)
        if status == 401 or (status == 403 and self.token is None):
            fault = "did not accept HEADWATER_TOKEN" if self.token else "wants a token, and HEADWATER_TOKEN is not set"
            raise TokenRejected(
                f"{self.where} {fault}.",
                hint="Make one with 'headwater token create NAME --role ingest'.",
                status=status,
            )
        if status == 403:
            raise AccessDenied(
                f"HEADWATER_TOKEN may not send runs to {self.where}.",
                hint="It needs the role ingest, for this account or for all.",
                status=status,
            )
        if status in {400, 413, 415, 422}:
            raise ArtifactUnreadable(
                f"{self.where} refused the run with {status}.", hint="Use the same Headwater on both sides."
            )
        if not 200 <= status < 300:
            raise ServerUnreachable(f"{self.where} answered {status}.", hint="It is tried again later.")

    def _check_address(self) -> None:
        if not self.where.startswith(("http://", "https://")):
            raise ServerUnreachable("HEADWATER_URL is no address.", hint="It looks like http://127.0.0.1:8787.")

    def _look(self, fail: Callable[[ServerUnreachable], None]) -> None:
        timeout = urllib3.Timeout(connect=2 * _SIGN_SECONDS, read=2 * _SIGN_SECONDS)  # we wait no longer than `look`
        try:
            self._request("GET", "/healthz", timeout)
        except ServerUnreachable as error:
            fail(error)

    def _post(self, body: bytes) -> int:
        headers = {"Content-Type": "application/vnd.headwater.collected"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)
        return self._request("POST", "/api/v1/collected", timeout, body, headers)

    def _request(
        self, method: str, path: str, timeout: urllib3.Timeout, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        try:
            with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
                url = f"{self.url.rstrip('/')}{path}"
                return pool.request(method, url, body=body, headers=headers, redirect=False).status
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            reason = type(error).__name__
        raise self._unreachable(reason)

    def _unreachable(self, reason: str) -> ServerUnreachable:
        return ServerUnreachable(f"{self.where} cannot be reached ({reason}).", hint="Is HEADWATER_URL right?")
