"""What was collected → the server, or a folder on disk until the server is back."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from headwater.collect import CollectedRun, CollectedTarget, encode
from headwater.errors import HeadwaterError, ServerUnreachable, WrongUse
from headwater.model.secret import Secret
from headwater.sdk.server import Server
from headwater.sdk.spool import Flushed, flush, keep

DEFAULT_SERVER = "http://127.0.0.1:8787"
_REST_SECONDS = 1.0
_log = logging.getLogger("headwater")


class Outcome(StrEnum):
    """SENT: the server accepted it. SPOOLED: kept on disk until the server is back. FAILED: nothing was collected."""

    SENT = "sent"
    SPOOLED = "spooled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery ended; `error` says why the outcome is not SENT."""

    outcome: Outcome
    error: str | None = None


def deliver(
    collected: CollectedRun | CollectedTarget, what: str, environ: Mapping[str, str], *, strict: bool
) -> Delivered:
    """Send what was collected, and what was kept before; keep it where the server is away or lets nobody in.

    The server is looked for while the body is packed.

    Raises:
        HeadwaterError: only with `strict`, where it was not for the server being away that it could not be sent.
    """
    folder = spool_folder(environ)
    try:
        server = find_server(environ)
        wait_for_sign = server.look()
    except HeadwaterError as error:
        return _keep(encode(collected), what, error, folder, strict=strict)
    body = encode(collected)
    try:
        wait_for_sign()
        server.send(body)
    except HeadwaterError as error:
        return _keep(body, what, error, folder, strict=strict)
    _flush_rest(server, folder)
    return Delivered(Outcome.SENT)


def flush_spool(environ: Mapping[str, str]) -> Flushed:
    """Send everything that was kept on disk; says how many went, and how many are left."""
    return flush(spool_folder(environ), find_server(environ).send)


def find_server(environ: Mapping[str, str]) -> Server:
    """Find the server in `HEADWATER_URL` and the ingest token in `HEADWATER_TOKEN`."""
    token = environ.get("HEADWATER_TOKEN")
    url = environ.get("HEADWATER_URL") or DEFAULT_SERVER
    return Server(url, read_secret(token, "HEADWATER_TOKEN") if token else None)


def spool_folder(environ: Mapping[str, str]) -> Path:
    """Find where runs are kept while the server is away: `HEADWATER_SPOOL`, else the user's state folder."""
    if folder := environ.get("HEADWATER_SPOOL"):
        return Path(folder)
    state = environ.get("XDG_STATE_HOME")
    home = environ.get("HOME")
    root = Path(state) if state else Path(home) / ".local" / "state" if home else Path(tempfile.gettempdir())
    return root / "headwater" / "spool"


def read_secret(value: str | None, name: str) -> Secret:
    """Read a token; what is wrong with it is said by the name it came under.

    Raises:
        WrongUse: it cannot be one.
    """
    try:
        return Secret(str(value or ""))
    except WrongUse as error:
        raise WrongUse(f"{name} cannot be used. {error.message}", hint=error.hint) from None


def _keep(body: bytes, what: str, error: HeadwaterError, folder: Path, *, strict: bool) -> Delivered:
    if strict and not isinstance(error, ServerUnreachable):
        raise error
    try:
        keep(folder, body)
    except OSError as full:
        reason = f"{error} It could not be kept in {folder} either: {full.strerror}."
        if strict:
            raise ServerUnreachable(reason, hint="Free some space or set HEADWATER_SPOOL.") from None
        _log.warning("Headwater lost %s: %s", what, reason)
        return Delivered(Outcome.FAILED, reason)
    _log.warning("Headwater keeps %s in %s until it can be sent: %s", what, folder, error)
    return Delivered(Outcome.SPOOLED, str(error))


def _flush_rest(server: Server, folder: Path) -> None:
    try:
        flushed = flush(folder, server.send, seconds=_REST_SECONDS)
    except OSError as error:
        _log.warning("Headwater could not send what is kept in %s: %s.", folder, error.strerror)
    else:
        if flushed.error:
            _log.warning("Headwater could not send all that is kept in %s: %s", folder, flushed.error)
