"""How far the sync of each account has come."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, select

from headwater.model.sync import SyncState
from headwater.store.schema import sync_states
from headwater.store.writing import lock_account, upsert

_TOTALS = ("requests_total", "rate_limited_total")


def get_sync_state(tx: Connection, account_key: int) -> SyncState:
    """Give how far an account has come; one never synced has an empty state."""
    columns = [column for column in sync_states.c if column.name != "account_key"]
    row = tx.execute(select(*columns).where(sync_states.c.account_key == account_key)).first()
    return SyncState() if row is None else SyncState(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def save_sync_state(tx: Connection, account_key: int, state: SyncState) -> None:
    """Save how far an account has come, all but the totals: those only `add_requests` raises."""
    upsert(tx, sync_states, [{"account_key": account_key, **asdict(state)}], keep=_TOTALS)


def add_requests(tx: Connection, account_key: int, requests: int, rate_limited: int) -> None:
    """Count requests that were sent to dbt Cloud, and those of them that it limited."""
    lock_account(tx, account_key)
    state = get_sync_state(tx, account_key)
    totals = {
        "requests_total": state.requests_total + requests,
        "rate_limited_total": state.rate_limited_total + rate_limited,
    }
    upsert(tx, sync_states, [{"account_key": account_key, **totals}])
