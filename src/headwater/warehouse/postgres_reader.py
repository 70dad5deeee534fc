"""A PostgreSQL database's tables and columns, in one read-only transaction."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from headwater.errors import WarehouseBusy, WarehouseError
from headwater.model.node import CatalogColumn, Relation
from headwater.model.warehouse import WarehouseTable

_CONNECT_SECONDS = 10
_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}
_COLUMNS = text("""
    SELECT current_database() AS database_name, n.nspname AS schema_name, c.relname AS table_name,
           c.relkind AS kind, c.reltuples AS rows, a.attname AS column_name, a.attnum AS position,
           format_type(a.atttypid, a.atttypmod) AS data_type
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY n.nspname, c.relname, a.attnum
""")


def read_postgres(url: str, *, timeout: float) -> tuple[WarehouseTable, ...]:
    """Read a database's tables, views and materialized views; the number of rows is what ANALYZE last estimated.

    Raises:
        WarehouseBusy: a lock was held for longer than `timeout` seconds.
        WarehouseError: the driver is not installed, or the server refuses or does not answer.
    """
    limit = round(timeout * 1000)
    options = f"-c default_transaction_read_only=on -c statement_timeout={limit} -c lock_timeout={limit}"
    settings = {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": limit, "options": options}
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=settings, hide_parameters=True)
        with engine.connect() as connection:
            rows = connection.execute(_COLUMNS).all()
    except ModuleNotFoundError:
        raise WarehouseError(
            "The driver for PostgreSQL is not installed.", hint="Run: pip install 'headwater[server,postgres]'"
        ) from None
    except SQLAlchemyError as error:
        raise _explain(error) from None
    by_table = groupby(rows, key=lambda row: (row.database_name, row.schema_name, row.table_name))
    return tuple(_table(list(its_rows)) for _, its_rows in by_table)


def _table(rows: list[Any]) -> WarehouseTable:
    first = rows[0]
    counted = first.kind in {"r", "m"} and first.rows >= 0
    columns = (
        CatalogColumn(name=row.column_name, data_type=row.data_type, position=row.position)
        for row in rows
        if row.column_name is not None
    )
    return WarehouseTable(
        relation=Relation(first.database_name, first.schema_name, first.table_name),
        kind=_KINDS[first.kind],
        columns=tuple(columns),
        row_count=int(first.rows) if counted else None,
    )


def _explain(error: SQLAlchemyError) -> WarehouseError:
    driver = getattr(error, "orig", None)
    state = getattr(driver, "sqlstate", None) or ""
    said = " ".join(str(driver or type(error).__name__).split())[:300]
    if state in {"55P03", "57014"}:
        return WarehouseBusy(f"The PostgreSQL server is busy: {said}", hint="Try again.")
    return WarehouseError(
        f"The PostgreSQL server refuses us or is away: {said}", hint="Check the address, the user and the password."
    )
