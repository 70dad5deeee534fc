"""The Headwater server as the SDK sees it: one address that takes collected runs."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from headwater.errors import AccessDenied, ArtifactUnreadable, ServerUnreachable, TokenRejected
from headwater.model.secret import Secret

_CONNECT_SECONDS = 2.0
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

    def send(self, body: bytes) -> None:
        """Send an encoded run.

        Raises:
            ServerUnreachable: it is away, or busy; the same body may be sent later.
            TokenRejected, AccessDenied: the ingest token is missing, wrong, or of another role.
            ArtifactUnreadable: it can never take this body.
        """
        if not self.where.startswith(("http://", "https://")):
            raise ServerUnreachable("HEADWATER_URL is no address.", hint="It looks like http://127.0.0.1:8787.")
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
                f"HEADWATER_TOKEN may not send runs to {self.where}.", hint="It needs the role ingest.", status=status
            )
        if status in {400, 413, 415, 422}:
            raise ArtifactUnreadable(
                f"{self.where} refused the run with {status}.", hint="Use the same Headwater on both sides."
            )
        if not 200 <= status < 300:
            raise ServerUnreachable(f"{self.where} answered {status}.", hint="It is tried again later.")

    def _post(self, body: bytes) -> int:
        headers = {"Content-Type": "application/vnd.headwater.collected"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)
        url = f"{self.url.rstrip('/')}/api/v1/collected"
        try:
            with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
                return pool.request("POST", url, body=body, headers=headers, redirect=False).status
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            reason = type(error).__name__
        raise ServerUnreachable(f"{self.where} cannot be reached ({reason}).", hint="Is HEADWATER_URL right?")
