"""The few ways in which rows are written, one for each need and alike on both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store.limited import check_whole

T = TypeVar("T")

_COPY_FROM = 50
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose nodes are meant: an account's, in a project and an environment, 0 where they are not known."""

    account_key: int
    project_id: int = 0
    environment_id: int = 0


def lock_account(tx: Connection, account_key: int) -> None:
    """Let one transaction at a time write an account; on SQLite the transaction has that already.

    What is read and then written under this lock cannot be written by others in between, and keys can be counted up.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(1751474532, :account_key)"), {"account_key": account_key})


def next_key(tx: Connection, column: Column[Any], account_key: int) -> int:
    """Give the next free key of an account; the caller holds the account's lock."""
    highest = tx.execute(select(func.max(column)).where(column.table.c.account_key == account_key)).scalar()
    return int(highest or 0) + 1


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keep: Iterable[str] = ()) -> None:
    """Write rows by primary key, the later one wins; columns in `keep` stay as they are where the row exists."""
    if not rows:
        return
    tx.execute(_upsert(tx.dialect.name, table, frozenset(rows[0]) - frozenset(keep)), rows)


@cache
def _upsert(dialect: str, table: Table, changed: frozenset[str]) -> Any:
    """Build the statement once for each shape of rows: building costs more than executing."""
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    changes = {name: statement.excluded[name] for name in sorted(changed - set(key))}
    if not changes:
        return statement.on_conflict_do_nothing(index_elements=key)
    return statement.on_conflict_do_update(index_elements=key, set_=changes)


def insert_rows(tx: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Insert many rows whose values are already as the database keeps them; returns how many."""
    check_whole(tx)
    listed = rows if isinstance(rows, list) else list(rows)
    names = ", ".join(f'"{name}"' for name in columns)
    if tx.dialect.name == "sqlite":
        if listed:
            marks = ", ".join("?" * len(columns))
            tx.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", listed)
    elif len(listed) >= _COPY_FROM:
        connection: Any = tx.connection.driver_connection
        with connection.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in listed:
                copy.write_row(row)
    elif listed:
        marks = ", ".join(["%s"] * len(columns))
        tx.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", listed)
    return len(listed)


def execute_each(tx: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute one statement, its parameters written as `?`, for many tuples of values as the database keeps them."""
    if rows:
        tx.exec_driver_sql(statement.replace("?", "%s") if tx.dialect.name == "postgresql" else statement, list(rows))


def chunks(values: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """Cut values into lists that one statement can take as parameters."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
