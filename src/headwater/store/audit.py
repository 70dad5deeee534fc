"""The audit log: events are added and never changed, each chained to the one before by a code under a key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from headwater.store.rows import AuditEvent
from headwater.store.schema import audit_events, audit_heads
from headwater.store.values import clean_text, to_micros

_HEAD = 1
_FIRST_LINK = bytes(32)


def add_event(
    tx: Connection,
    key: bytes,
    *,
    now: datetime,
    actor: str,
    address: str = "",
    action: str,
    subject: str = "",
    detail: str = "",
) -> None:
    """Add an event in the transaction of what it tells of; two never take the same place in the chain."""
    said = {"actor": actor, "address": address, "action": action, "subject": subject, "detail": detail}
    facts = {name: clean_text(text) or "" for name, text in said.items()}
    heads = audit_heads.c
    head = update(audit_heads).where(heads.head_id == _HEAD).values(event_id=heads.event_id + 1)
    event_id, before = tx.execute(head.returning(heads.event_id, heads.link)).one()
    link = _link(key, before, event_id, now, facts)
    tx.execute(insert(audit_events).values(event_id=event_id, happened_at=now, link=link, **facts))
    tx.execute(update(audit_heads).where(heads.head_id == _HEAD).values(link=link))


def count_events(tx: Connection) -> int:
    """Count the events, where they may be read; who sees some accounts alone is told of none."""
    return int(tx.execute(select(audit_heads.c.event_id).where(audit_heads.c.head_id == _HEAD)).scalar() or 0)


def list_events(tx: Connection, *, limit: int, before: int | None = None) -> list[AuditEvent]:
    """List events, newest first; `before` is the number of the one after them."""
    query = select(audit_events).order_by(audit_events.c.event_id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_events.c.event_id < before)
    return [_event(row) for row in tx.execute(query)]


def each_event(tx: Connection) -> Iterator[AuditEvent]:
    """Give every event, oldest first."""
    for row in tx.execute(select(audit_events).order_by(audit_events.c.event_id)):
        yield _event(row)


def find_break(tx: Connection, key: bytes) -> int | None:
    """Find the number of the first event that was changed or taken away; None where the chain is whole."""
    before, expected = _FIRST_LINK, 1
    for event in each_event(tx):
        facts = {name: getattr(event, name) for name in ("actor", "address", "action", "subject", "detail")}
        link = _link(key, before, event.event_id, event.happened_at, facts)
        if event.event_id != expected or not hmac.compare_digest(link, event.link):
            return expected
        before, expected = event.link, expected + 1
    head = tx.execute(select(audit_heads.c.event_id, audit_heads.c.link)).one()
    return None if (head.event_id, head.link) == (expected - 1, before) else expected


def _link(key: bytes, before: bytes, event_id: int, now: datetime, facts: dict[str, str]) -> bytes:
    said = json.dumps([event_id, to_micros(now), sorted(facts.items())], separators=(",", ":"))
    return hmac.digest(key, before + said.encode(), hashlib.sha256)


def _event(row: Any) -> AuditEvent:
    return AuditEvent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
