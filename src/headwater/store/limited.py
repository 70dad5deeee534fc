"""A database of which some accounts alone are there: whatever is asked, what belongs to others is not found.

Every query gets, under the name of each table it could mean, what that table holds of these accounts; SQL looks there
before it looks at the table. Nothing has to be remembered where queries are written. What is written is refused unless
it is of these accounts, and a statement that is neither a query nor built by SQLAlchemy is refused, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Delete, Engine, Insert, SelectBase, Table, TextClause, Update, event, false, or_

from headwater.errors import NotAllowed
from headwater.store.schema import metadata

OPEN_TABLES = frozenset({"users", "sessions", "login_links", "login_tries", "audit_events", "audit_heads"})
"""What holds nothing of an account: who comes in, and the log of what was done."""

_LIMITED = "headwater_limited"
_TABLES = {table.name: table for table in metadata.sorted_tables if table.name not in OPEN_TABLES}
_NAMED = re.compile(rf"\b({'|'.join(_TABLES)})\b")
_WITH = re.compile(r"WITH (RECURSIVE )?")
_REMEMBERED = 1_000


def limit_engine(engine: Engine, account_keys: frozenset[int]) -> Engine:
    """Give the same connections with nothing behind them but these accounts."""
    limited = engine.execution_options(**{_LIMITED: account_keys})
    shadow = _make_shadow(account_keys)

    @event.listens_for(limited, "before_execute", retval=True)
    def _limit(_tx: Connection, statement: Any, multiparams: Any, params: Any, _options: Any) -> Any:
        if isinstance(statement, Update | Delete) and _has_account(statement.table):
            # Each as it is, not as a parameter: one statement may be executed for many sets of parameters.
            keys = [statement.table.c.account_key == key for key in sorted(account_keys)]
            statement = statement.where(or_(false(), *keys))
        return statement, multiparams, params

    @event.listens_for(limited, "before_cursor_execute", retval=True)
    def _look(tx: Connection, _cursor: Any, sql: str, parameters: Any, context: Any, _many: bool) -> Any:
        if context.compiled is None and sql.startswith("BEGIN"):
            return sql, parameters
        _check(context, account_keys)
        schema = tx.dialect.default_schema_name or "main"
        return (sql if _reads_nothing(context, sql) else shadow(sql, schema)), parameters

    return limited


def check_whole(tx: Connection) -> None:
    """Refuse a limited transaction, where the driver is asked without us.

    Raises:
        NotAllowed: it is one.
    """
    if _LIMITED in tx.get_execution_options():
        raise _beyond()


def _check(context: Any, account_keys: frozenset[int]) -> None:
    """Let queries pass, and what is written of these accounts; `_limit` has seen to changes and deletions."""
    statement = context.compiled.statement if context.compiled is not None else None
    is_query = isinstance(statement, SelectBase) or (
        isinstance(statement, TextClause) and statement.text.startswith("SELECT")
    )
    if is_query:
        return
    table = getattr(statement, "table", None)
    is_open = isinstance(table, Table) and table.name in OPEN_TABLES
    is_changed = isinstance(statement, Update | Delete) and _has_account(table)
    is_added = isinstance(statement, Insert) and _has_account(table) and statement.select is None
    if is_added:
        is_added = all(row.get("account_key") in account_keys for row in context.compiled_parameters)
    if not (is_open or is_changed or is_added):
        raise _beyond()


def _beyond() -> NotAllowed:
    return NotAllowed("This reaches beyond the accounts that you see.", hint="Ask somebody who sees every account.")


def _reads_nothing(context: Any, sql: str) -> bool:
    """Whether a statement writes a table and names no other. Behind other words SQLite's driver counts no rows."""
    table = getattr(context.compiled.statement, "table", None)
    return isinstance(table, Table) and "SELECT" not in sql and set(_NAMED.findall(sql)) <= {table.name}


def _has_account(table: Any) -> bool:
    return isinstance(table, Table) and "account_key" in table.c


def _make_shadow(account_keys: frozenset[int]) -> Callable[[str, str], str]:
    """Give what puts the limited tables before a statement; it needs no further parameters, since keys are numbers."""
    keys = ", ".join(str(int(key)) for key in sorted(account_keys))

    @lru_cache(_REMEMBERED)
    def shadow(sql: str, schema: str) -> str:
        named = sorted(set(_NAMED.findall(sql)))
        if not named:
            return sql
        tables = ", ".join(f"{name} AS NOT MATERIALIZED ({_rows_of(name, schema)})" for name in named)
        own = _WITH.match(sql)
        if own is None:
            return f"WITH {tables} {sql}"
        return f"{own[0]}{tables}, {sql[own.end() :]}"

    def _rows_of(name: str, schema: str) -> str:
        here = f"account_key IN ({keys})" if keys and "account_key" in _TABLES[name].c else "1 = 0"
        return f'SELECT * FROM "{schema}".{name} WHERE {here}'

    return shadow
