"""The audit log: who did what, and from where, of all that decides who may see or change something.

Its chain is made with a key that is derived from the one that seals tokens. Who can write the database but does not
hold that key cannot change, take away or add an event without being found out.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from headwater.store import audit as kept

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from headwater.observatory.holder import Observatory


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, and the address it is done from."""

    name: str
    address: str = ""


COMMAND_LINE = Actor(name="command line")
"""Whoever runs `headwater` on the machine; who may do that holds the database anyway."""

NOBODY = "nobody"
"""The actor where nobody was logged in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One event of the audit log."""

    number: int
    happened_at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """A page of the audit log, newest first; `older` is the number to ask for further ones with, null at the end."""

    events: tuple[AuditLine, ...]
    older: int | None
    as_of: datetime


def note(
    observatory: Observatory,
    tx: Connection,
    by: Actor,
    action: str,
    subject: str = "",
    *,
    now: datetime,
    detail: str = "",
) -> None:
    """Note what is done, at the end of the transaction that does it: until then whoever else notes something waits."""
    kept.add_event(
        tx,
        _key(observatory),
        now=now,
        actor=by.name,
        address=by.address,
        action=action,
        subject=subject,
        detail=detail,
    )


def list_audit(observatory: Observatory, *, limit: int = 100, before: int | None = None) -> AuditReport:
    """List what was noted, newest first."""
    with observatory.store.read() as tx:
        rows = kept.list_events(tx, limit=limit + 1, before=before)
    lines = tuple(
        AuditLine(
            number=row.event_id,
            happened_at=row.happened_at,
            actor=row.actor,
            address=row.address,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
        )
        for row in rows[:limit]
    )
    older = lines[-1].number if len(rows) > limit else None
    return AuditReport(events=lines, older=older, as_of=observatory.store.now())


def find_audit_break(observatory: Observatory) -> int | None:
    """Find the number of the first event that was changed or taken away; None where all are as they were written."""
    with observatory.store.read() as tx:
        return kept.find_break(tx, _key(observatory))


def _key(observatory: Observatory) -> bytes:
    return hmac.digest(observatory.key.key, b"headwater audit log", hashlib.sha256)
