"""A DuckDB file's tables and columns, read without writing to it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from headwater.errors import WarehouseBusy, WarehouseError
from headwater.model.node import CatalogColumn, Relation
from headwater.model.warehouse import WarehouseTable

# The file is somebody else's: nothing in it may reach other files, or fetch code.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}
_TABLES = """
    SELECT database_name, schema_name, table_name, 'table', estimated_size FROM duckdb_tables()
    WHERE NOT internal AND NOT temporary AND database_name = current_database()
    UNION ALL
    SELECT database_name, schema_name, view_name, 'view', NULL FROM duckdb_views()
    WHERE NOT internal AND NOT temporary AND database_name = current_database()
    ORDER BY 1, 2, 3
"""
_COLUMNS = """
    SELECT schema_name, table_name, column_name, data_type, column_index FROM duckdb_columns()
    WHERE NOT internal AND database_name = current_database() ORDER BY 1, 2, 5
"""


def read_duckdb(path: str, *, timeout: float) -> tuple[WarehouseTable, ...]:
    """Read a file's tables and views; the number of rows is DuckDB's own figure.

    Raises:
        WarehouseBusy: a process that writes to it holds the file.
        WarehouseError: the driver is not installed, or the file cannot be read within `timeout` seconds.
    """
    with _opened(path) as connection:
        ending = threading.Timer(timeout, connection.interrupt)
        ending.start()
        try:
            tables = connection.execute(_TABLES).fetchall()
            columns: defaultdict[tuple[str, str], list[CatalogColumn]] = defaultdict(list)
            for schema, table, name, kind, position in connection.execute(_COLUMNS).fetchall():
                columns[schema, table].append(CatalogColumn(name=name, data_type=str(kind), position=position))
        finally:
            ending.cancel()
    return tuple(
        WarehouseTable(
            relation=Relation(database, schema, name),
            kind=kind,
            columns=tuple(columns[schema, name]),
            row_count=rows,
        )
        for database, schema, name, kind, rows in tables
    )


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        import duckdb  # noqa: PLC0415 - an extra that most do without
    except ModuleNotFoundError:
        raise WarehouseError(
            "The driver for DuckDB is not installed.", hint="Run: pip install 'headwater[server,duckdb]'"
        ) from None
    try:
        with duckdb.connect(path, read_only=True, config=_CONFIG) as connection:
            yield connection
    except duckdb.InterruptException:
        raise WarehouseError(f"{path} did not answer in time.", hint="Try again.") from None
    except duckdb.Error as error:
        said = " ".join(str(error).split())[:300]
        # Another process holds the file's lock, or this one has it open for writing.
        if "Conflicting lock" in said or "set lock on file" in said or "different configuration" in said:
            raise WarehouseBusy(
                f"{path} is busy: another process writes to it.", hint="Try again when it is done."
            ) from None
        raise WarehouseError(f"{path} cannot be read: {said}", hint="Is it a DuckDB file of this version?") from None
