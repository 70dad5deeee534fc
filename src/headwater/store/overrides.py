"""What a person said a warehouse table is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from headwater.store.schema import match_overrides
from headwater.store.values import clean_key
from headwater.store.writing import Scope, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOverride:
    """A table's name as it was written, and the node that a person said it is."""

    scope: Scope
    table: str
    unique_id: str
    set_at: datetime


def save_override(tx: Connection, scope: Scope, table: str, unique_id: str, now: datetime) -> None:
    """Save what a person said, in place of what was said of the same name before."""
    upsert(tx, match_overrides, [{**_key(scope, table), "unique_id": unique_id, "set_at": now}])


def delete_override(tx: Connection, scope: Scope, table: str) -> None:
    """Forget what a person said of a name."""
    here = [match_overrides.c[name] == value for name, value in _key(scope, table).items()]
    tx.execute(delete(match_overrides).where(*here))


def list_overrides(tx: Connection, account_keys: Iterable[int]) -> list[MatchOverride]:
    """List what was said in some accounts."""
    rows = tx.execute(_SAID, {"of_accounts": tuple(account_keys)})
    return [
        MatchOverride(
            scope=Scope(row.account_key, row.project_id, row.environment_id),
            table=row.table_name,
            unique_id=row.unique_id,
            set_at=row.set_at,
        )
        for row in rows
    ]


_SAID = (
    select(match_overrides)
    .where(match_overrides.c.account_key.in_(bindparam("of_accounts", expanding=True)))
    .order_by(*match_overrides.primary_key)
)


def _key(scope: Scope, table: str) -> dict[str, object]:
    return {
        "account_key": scope.account_key,
        "project_id": scope.project_id,
        "environment_id": scope.environment_id,
        "table_name": clean_key(table),
    }
