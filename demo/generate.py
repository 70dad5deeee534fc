"""Writes the raw data of the demo: what loaders would have put in the warehouse, from a seed."""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

import raw_roastery
import raw_storefront

Row = tuple[Any, ...]

WAREHOUSES = {"fernhill": raw_storefront, "roastery": raw_roastery}


@dataclass(frozen=True)
class RawTable:
    """One raw table: where it goes, its columns as SQL, its rows."""

    schema: str
    name: str
    columns: Mapping[str, str]
    rows: Iterable[Row]


def write_table(connection: duckdb.DuckDBPyConnection, table: RawTable, folder: Path) -> None:
    """Replaces one raw table, by way of a CSV file because row inserts are slow in DuckDB."""
    path = folder / f"{table.schema}.{table.name}.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(table.rows)
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    connection.execute(f"create schema if not exists {table.schema}")
    connection.execute(f"create or replace table {table.schema}.{table.name} ({columns})")
    connection.execute(f"copy {table.schema}.{table.name} from '{path}' (format csv, header false)")


def write_warehouse(path: Path, as_of: datetime, seed: int) -> dict[str, int]:
    """Writes every raw table of the warehouse file and returns their row counts."""
    counts: dict[str, int] = {}
    with duckdb.connect(str(path)) as connection, tempfile.TemporaryDirectory() as folder:
        for schema, name, columns, rows in WAREHOUSES[path.stem].build_tables(as_of, seed):
            table = RawTable(schema, name, columns, rows)
            write_table(connection, table, Path(folder))
            counts[f"{schema}.{name}"] = len(rows)
    return counts


def main() -> None:
    """Reads the command line and writes the warehouses asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where the .duckdb files go")
    parser.add_argument("--as-of", type=datetime.fromisoformat, help="the newest moment in the data (default: now)")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    as_of = options.as_of or datetime.now(UTC)
    for name in WAREHOUSES:
        counts = write_warehouse(options.folder / f"{name}.duckdb", as_of, options.seed)
        print(f"{name}.duckdb: {len(counts)} tables, {sum(counts.values())} rows")


if __name__ == "__main__":
    main()
