"""How far the fetching of what each account lacks has come, for every process to see."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, delete, select

from headwater.model.sync import SyncProgress
from headwater.store.schema import sync_progress
from headwater.store.writing import upsert

_MILLION = 1_000_000


def find_progress(tx: Connection, account_key: int) -> SyncProgress | None:
    """Find how far an account has come; None where nothing is being fetched."""
    columns = [column for column in sync_progress.c if column.name != "account_key"]
    row = tx.execute(select(*columns).where(sync_progress.c.account_key == account_key)).first()
    if row is None:
        return None
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return SyncProgress(share=facts.pop("share_millionths") / _MILLION, **facts)


def save_progress(tx: Connection, account_key: int, progress: SyncProgress) -> None:
    """Save how far an account has come; the caller holds the account's lock."""
    facts = asdict(progress)
    millionths = int(facts.pop("share") * _MILLION)
    upsert(tx, sync_progress, [{"account_key": account_key, "share_millionths": millionths, **facts}])


def delete_progress(tx: Connection, account_key: int) -> bool:
    """Forget how far an account has come; whether there was anything to forget."""
    return tx.execute(delete(sync_progress).where(sync_progress.c.account_key == account_key)).rowcount == 1
