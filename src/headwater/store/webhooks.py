"""Webhooks: each account's subscription, and the inbox of what dbt Cloud announced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store.schema import webhook_events, webhooks
from headwater.store.values import clean_key
from headwater.store.writing import chunks, lock_account, upsert

_SOME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An account's subscription; `subscription_id` is empty and `secret` None until dbt Cloud confirmed it."""

    account_key: int
    hook_id: str
    public_url: str
    added_at: datetime
    subscription_id: str = ""
    secret: bytes | None = field(default=None, repr=False)
    heard_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One event of the inbox that says something of a run."""

    event_id: str
    run_id: int


def save_webhook(tx: Connection, webhook: Webhook) -> None:
    """Save an account's subscription in place of the one before; when it was last heard stays."""
    row = {
        "account_key": webhook.account_key,
        "hook_id": webhook.hook_id,
        "public_url": webhook.public_url,
        "subscription_id": webhook.subscription_id,
        "secret": webhook.secret,
        "added_at": webhook.added_at,
    }
    upsert(tx, webhooks, [row])


def find_webhook(tx: Connection, account_key: int) -> Webhook | None:
    """Find an account's subscription."""
    row = tx.execute(select(webhooks).where(webhooks.c.account_key == account_key)).first()
    return None if row is None else Webhook(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def find_webhook_by_id(tx: Connection, hook_id: str) -> Webhook | None:
    """Find the subscription that calls an address."""
    row = tx.execute(select(webhooks).where(webhooks.c.hook_id == clean_key(hook_id))).first()
    return None if row is None else Webhook(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def delete_webhook(tx: Connection, account_key: int) -> None:
    """Forget an account's subscription and all it told."""
    lock_account(tx, account_key)
    for table in (webhook_events, webhooks):
        tx.execute(delete(table).where(table.c.account_key == account_key))


def touch_webhook(tx: Connection, account_key: int, now: datetime) -> None:
    """Note that dbt Cloud called."""
    tx.execute(update(webhooks).where(webhooks.c.account_key == account_key).values(heard_at=now))


def list_heard(tx: Connection) -> list[datetime]:
    """List when each webhook was heard last."""
    return list(tx.execute(select(webhooks.c.heard_at).where(webhooks.c.heard_at.is_not(None))).scalars())


def has_event(tx: Connection, account_key: int, event_id: str) -> bool:
    """Tell whether an event is in the inbox."""
    here = (webhook_events.c.account_key == account_key) & (webhook_events.c.event_id == clean_key(event_id))
    return tx.execute(select(webhook_events.c.run_id).where(here)).first() is not None


def add_event(tx: Connection, account_key: int, event_id: str, run_id: int, now: datetime) -> bool:
    """Put an event into the inbox; False where it was there already, and then nothing changes."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    row = {"account_key": account_key, "event_id": event_id, "run_id": run_id, "heard_at": now}
    new = dialect.insert(webhook_events).values(row).on_conflict_do_nothing()
    return tx.execute(new.returning(webhook_events.c.run_id)).first() is not None


def count_waiting_events(tx: Connection, account_key: int) -> int:
    """Count the events whose run is still to be read."""
    here = webhook_events.c.answered_at.is_(None) & (webhook_events.c.account_key == account_key)
    return int(tx.execute(select(func.count()).select_from(webhook_events).where(here)).scalar_one())


def list_announced_accounts(tx: Connection) -> list[int]:
    """List the accounts that have events whose run is still to be read."""
    waiting = select(webhook_events.c.account_key).where(webhook_events.c.answered_at.is_(None)).distinct()
    return list(tx.execute(waiting).scalars())


def list_announcements(tx: Connection, account_key: int, limit: int) -> list[Announcement]:
    """List events whose run is still to be read, the oldest first."""
    here = webhook_events.c.answered_at.is_(None) & (webhook_events.c.account_key == account_key)
    columns = (webhook_events.c.event_id, webhook_events.c.run_id)
    query = select(*columns).where(here).order_by(webhook_events.c.heard_at, webhook_events.c.event_id).limit(limit)
    return [Announcement(event_id=row.event_id, run_id=row.run_id) for row in tx.execute(query)]


def close_events(tx: Connection, account_key: int, event_ids: Iterable[str], now: datetime) -> None:
    """Mark events as answered: their runs were read after they came."""
    for some in chunks(event_ids, _SOME):
        here = (webhook_events.c.account_key == account_key) & webhook_events.c.event_id.in_(some)
        tx.execute(update(webhook_events).where(here).values(answered_at=now))


def delete_events_before(tx: Connection, before: datetime) -> int:
    """Forget the events that came before a time; polling has long seen their runs."""
    return tx.execute(delete(webhook_events).where(webhook_events.c.heard_at < before)).rowcount
