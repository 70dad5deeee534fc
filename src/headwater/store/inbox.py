"""The inbox: what was accepted from the SDK, until it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store.schema import inbox

FIRST_CLAIM = timedelta(minutes=1)
LONGEST_CLAIM = timedelta(hours=6)
_LISTED = [column for column in inbox.c if column.name not in {"body", "body_hash"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBody:
    """A body that this process stores now."""

    body_hash: bytes
    body: bytes
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingBody:
    """A body that is not stored yet; a claim that is under way counts among its `attempts`."""

    what: str
    accepted_at: datetime
    attempts: int
    due_at: datetime
    last_error: str


def add_body(tx: Connection, body_hash: bytes, body: bytes, what: str, now: datetime) -> bool:
    """Put a body into the inbox; False where it waits there already, and then nothing changes."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    row = {"body_hash": body_hash, "body": body, "what": what, "accepted_at": now, "due_at": now}
    new = dialect.insert(inbox).values(row).on_conflict_do_nothing()
    return tx.execute(new.returning(inbox.c.body_hash)).first() is not None


def count_bodies(tx: Connection) -> int:
    """Count what is not stored yet."""
    return int(tx.execute(select(func.count()).select_from(inbox)).scalar_one())


def has_due_body(tx: Connection, now: datetime) -> bool:
    """Tell whether there is something to claim."""
    return tx.execute(select(inbox.c.body_hash).where(inbox.c.due_at <= now).limit(1)).first() is not None


def claim_body(tx: Connection, now: datetime) -> ClaimedBody | None:
    """Claim the oldest body that is due, so that no other process takes it up; None where there is none.

    The claim ends by itself after a minute, and twice as late at each further attempt, at most after six hours: what
    a process left by its death, or could not store, comes up again then.
    """
    columns = (inbox.c.body_hash, inbox.c.body, inbox.c.accepted_at, inbox.c.attempts)
    due = select(*columns).where(inbox.c.due_at <= now).order_by(inbox.c.accepted_at, inbox.c.body_hash).limit(1)
    row = tx.execute(due.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    until = now + min(FIRST_CLAIM * 2 ** min(row.attempts, 10), LONGEST_CLAIM)
    claimed = update(inbox).where(inbox.c.body_hash == row.body_hash).values(attempts=row.attempts + 1, due_at=until)
    tx.execute(claimed)
    return ClaimedBody(body_hash=row.body_hash, body=row.body, accepted_at=row.accepted_at)


def note_body_error(tx: Connection, body_hash: bytes, error: str) -> None:
    """Note why a body could not be stored; it comes up again when its claim ends."""
    tx.execute(update(inbox).where(inbox.c.body_hash == body_hash).values(last_error=error))


def list_failing_bodies(tx: Connection, limit: int) -> list[WaitingBody]:
    """List what could not be stored at its first attempt, the oldest first."""
    failing = (inbox.c.last_error != "") | (inbox.c.attempts > 1)
    query = select(*_LISTED).where(failing).order_by(inbox.c.accepted_at, inbox.c.body_hash).limit(limit)
    return [WaitingBody(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - SQLAlchemy's documented name


def delete_body(tx: Connection, body_hash: bytes) -> None:
    """Take a body out: it is stored."""
    tx.execute(delete(inbox).where(inbox.c.body_hash == body_hash))


def delete_bodies_before(tx: Connection, before: datetime) -> int:
    """Give up what was accepted before a time and could not be stored since."""
    return tx.execute(delete(inbox).where(inbox.c.accepted_at < before)).rowcount
