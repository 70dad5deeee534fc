"""The log of the passes over each account: what they asked, what they brought, and what went wrong."""

from __future__ import annotations

from dataclasses import asdict, replace

from sqlalchemy import Connection, delete, select

from headwater.model.sync import SyncPass
from headwater.store.schema import sync_passes
from headwater.store.writing import lock_account, upsert

_KEPT = 200


def log_pass(tx: Connection, account_key: int, done: SyncPass) -> None:
    """Log a pass; one that brought nothing lengthens the line before it, where that says the same.

    The newest 200 lines are kept.
    """
    lock_account(tx, account_key)
    columns = sync_passes.c
    here = columns.account_key == account_key
    last = next(iter(list_passes(tx, account_key, limit=1)), None)
    if last is not None and last.is_quiet and done.is_quiet and last.error == done.error:
        done = replace(
            last,
            ended_at=done.ended_at,
            passes=last.passes + done.passes,
            requests=last.requests + done.requests,
            rate_limited=last.rate_limited + done.rate_limited,
        )
    upsert(tx, sync_passes, [{"account_key": account_key, **asdict(done)}])
    begun = select(columns.began_at).where(here).order_by(columns.began_at.desc())
    oldest = tx.execute(begun.offset(_KEPT - 1).limit(1)).scalar()
    if oldest is not None:
        tx.execute(delete(sync_passes).where(here, columns.began_at < oldest))


def list_passes(tx: Connection, account_key: int, *, limit: int) -> list[SyncPass]:
    """List the log of an account, newest first."""
    columns = [column for column in sync_passes.c if column.name != "account_key"]
    query = select(*columns).where(sync_passes.c.account_key == account_key)
    rows = tx.execute(query.order_by(sync_passes.c.began_at.desc()).limit(limit))
    return [SyncPass(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
