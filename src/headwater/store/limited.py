"""A database of which some accounts alone are there: whatever is asked, what belongs to others is not found.

Every query gets, under the name of each table it could mean, what that table holds of these accounts; SQL looks there
before it looks at the table. Nothing has to be remembered where queries are written. What is written is refused unless
it is of these accounts, and a statement that is neither a query nor built by SQLAlchemy is refused, whatever it is.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Insert,
    SelectBase,
    Table,
    TextClause,
    Update,
    event,
    false,
    or_,
)

from headwater.errors import NotAllowed
from headwater.store.schema import metadata

OPEN_TABLES = frozenset({"users", "sessions", "login_links", "login_tries"})
"""Who comes in, which is nothing of an account."""

LOG_TABLES = frozenset({"audit_events", "audit_heads"})
"""What is added to and not read."""

_LIMITED = "headwater_limited"
_TABLES = {table.name: table for table in metadata.sorted_tables if table.name not in OPEN_TABLES}
_WORD = re.compile(r"\w+")
_WITH = re.compile(r"WITH (RECURSIVE )?")


def limit_engine(engine: Engine, account_keys: frozenset[int]) -> Engine:
    """Give the same connections with nothing behind them but these accounts."""
    limited = engine.execution_options(**{_LIMITED: account_keys})

    @event.listens_for(limited, "before_execute", retval=True)
    def _change(_tx: Connection, statement: Any, multiparams: Any, params: Any, _options: Any) -> Any:
        if isinstance(statement, Update | Delete) and _has_account(statement.table):
            keys = [statement.table.c.account_key == key for key in sorted(account_keys)]
            statement = statement.where(or_(false(), *keys))
        return statement, multiparams, params

    @event.listens_for(limited, "before_cursor_execute", retval=True)
    def _look(tx: Connection, _cursor: Any, sql: str, parameters: Any, context: Any, _many: bool) -> Any:
        if context.compiled is None and sql.startswith("BEGIN"):
            return sql, parameters
        _check(context, account_keys)
        words = set(_WORD.findall(sql.lower()))
        schema = tx.dialect.default_schema_name or "main"
        if schema.lower() in words:
            raise _beyond()  # a table that is named with its schema is looked for there at once
        named = _TABLES.keys() & words
        if named and not (named == {_find_written(context)} and "select" not in words):
            sql = _put_before(sql, [_limit(name, schema, account_keys) for name in sorted(named)])
        return sql, parameters

    return limited


def check_whole(tx: Connection) -> None:
    """Refuse a limited transaction, where the driver is asked without us.

    Raises:
        NotAllowed: it is one.
    """
    if _LIMITED in tx.get_execution_options():
        raise _beyond()


def _check(context: Any, account_keys: frozenset[int]) -> None:
    """Let queries pass, and what is written of these accounts; `_change` has seen to changes and deletions."""
    statement = context.compiled.statement if context.compiled is not None else None
    is_query = isinstance(statement, SelectBase) or (
        isinstance(statement, TextClause) and statement.text.startswith("SELECT")
    )
    if is_query:
        return
    table = getattr(statement, "table", None)
    is_open = isinstance(table, Table) and table.name in OPEN_TABLES
    is_noted = isinstance(table, Table) and table.name in LOG_TABLES and isinstance(statement, Insert | Update)
    is_changed = isinstance(statement, Update | Delete) and _has_account(table)
    is_added = isinstance(statement, Insert) and _has_account(table) and statement.select is None
    if is_added:
        is_added = all(row.get("account_key") in account_keys for row in context.compiled_parameters)
    if not (is_open or is_noted or is_changed or is_added):
        raise _beyond()


def _beyond() -> NotAllowed:
    return NotAllowed("This reaches beyond the accounts that you see.", hint="Ask somebody who sees every account.")


def _find_written(context: Any) -> str | None:
    """Find the table that a statement writes. Where it reads nothing else nothing is put before it: behind other words
    SQLite's driver counts no rows.
    """
    table = getattr(context.compiled.statement, "table", None)
    return table.name if isinstance(table, Table) else None


def _has_account(table: Any) -> bool:
    return isinstance(table, Table) and "account_key" in table.c


def _put_before(sql: str, tables: list[str]) -> str:
    own = _WITH.match(sql)
    begin, rest = ("WITH ", f" {sql}") if own is None else (own[0], f", {sql[own.end() :]}")
    return f"{begin}{', '.join(tables)}{rest}"


def _limit(name: str, schema: str, account_keys: frozenset[int]) -> str:
    """Give a table of these accounts; that needs no parameters, since keys are numbers."""
    keys = ", ".join(str(int(key)) for key in sorted(account_keys))
    here = f"account_key IN ({keys})" if keys and _has_account(_TABLES[name]) else "1 = 0"
    return f'{name} AS NOT MATERIALIZED (SELECT * FROM "{schema}".{name} WHERE {here})'
