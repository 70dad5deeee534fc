"""Warehouses: where they are, sealed, and the tables that the last reading found in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from headwater.model.node import CatalogColumn, Relation
from headwater.model.warehouse import WarehouseTable
from headwater.store.schema import warehouse_tables, warehouses
from headwater.store.values import clean_key
from headwater.store.writing import chunks, lock_account, upsert

_SOME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A warehouse of an account; `shown_url` has no password, `url` is sealed, `read_at` is the last good reading."""

    account_key: int
    name: str
    kind: str
    shown_url: str
    added_at: datetime
    url: bytes = field(repr=False)
    read_at: datetime | None = None
    last_error: str = ""


def save_warehouse(tx: Connection, warehouse: Warehouse) -> None:
    """Save a warehouse in place of the one before."""
    names = [column.name for column in warehouses.c]
    upsert(tx, warehouses, [{name: getattr(warehouse, name) for name in names}])


def find_warehouse(tx: Connection, name: str) -> Warehouse | None:
    """Find a warehouse by its name."""
    row = tx.execute(select(warehouses).where(warehouses.c.name == clean_key(name))).first()
    return None if row is None else Warehouse(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def list_warehouses(tx: Connection, account_keys: Iterable[int] | None = None) -> list[Warehouse]:
    """List the warehouses by name, of some accounts or of all."""
    query = select(warehouses).order_by(warehouses.c.name)
    if account_keys is not None:
        query = query.where(warehouses.c.account_key.in_(tuple(account_keys)))
    return [Warehouse(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - SQLAlchemy's documented name


def delete_warehouse(tx: Connection, warehouse: Warehouse) -> None:
    """Forget a warehouse and what was read of it."""
    _delete_tables(tx, warehouse)
    here = (warehouses.c.account_key == warehouse.account_key) & (warehouses.c.name == warehouse.name)
    tx.execute(delete(warehouses).where(here))


def save_reading(tx: Connection, warehouse: Warehouse, tables: Iterable[WarehouseTable], now: datetime) -> None:
    """Save what a reading found in place of what the one before found."""
    lock_account(tx, warehouse.account_key)
    _delete_tables(tx, warehouse)
    place = {"account_key": warehouse.account_key, "warehouse": warehouse.name}
    rows = ({**place, "table_key": number, **_facts(table)} for number, table in enumerate(tables, start=1))
    for some in chunks(rows, _SOME):
        tx.execute(insert(warehouse_tables), some)
    _note(tx, warehouse, {"read_at": now, "last_error": ""})


def save_reading_failed(tx: Connection, warehouse: Warehouse, error: str) -> None:
    """Note why a warehouse could not be read; what was read before stays."""
    _note(tx, warehouse, {"last_error": error})


def list_warehouse_tables(tx: Connection, warehouse: Warehouse) -> list[WarehouseTable]:
    """List what the last reading found, in its order."""
    query = select(warehouse_tables).where(*_within(warehouse)).order_by(warehouse_tables.c.table_key)
    return [
        WarehouseTable(
            relation=Relation(row.database_name, row.schema_name, row.identifier),
            kind=row.kind,
            columns=tuple(CatalogColumn(name=name, data_type=kind, position=at) for name, kind, at in row.columns),
            row_count=row.row_count,
            altered_at=row.altered_at,
        )
        for row in tx.execute(query)
    ]


def count_warehouse_tables(tx: Connection, warehouse: Warehouse) -> int:
    """Count what the last reading found."""
    query = select(func.count()).select_from(warehouse_tables).where(*_within(warehouse))
    return int(tx.execute(query).scalar_one())


def list_table_names(tx: Connection, warehouse: Warehouse) -> list[WarehouseTable]:
    """List what the last reading found, without the columns."""
    columns = warehouse_tables.c
    wanted = [columns.database_name, columns.schema_name, columns.identifier, columns.kind]
    query = select(*wanted, columns.row_count, columns.altered_at).where(*_within(warehouse))
    return [
        WarehouseTable(
            relation=Relation(row.database_name, row.schema_name, row.identifier),
            kind=row.kind,
            row_count=row.row_count,
            altered_at=row.altered_at,
        )
        for row in tx.execute(query.order_by(columns.table_key))
    ]


def _facts(table: WarehouseTable) -> dict[str, Any]:
    return {
        "database_name": table.relation.database,
        "schema_name": table.relation.schema,
        "identifier": table.relation.identifier,
        "kind": table.kind,
        "columns": [[column.name, column.data_type, column.position] for column in table.columns],
        "row_count": table.row_count,
        "altered_at": table.altered_at,
    }


def _note(tx: Connection, warehouse: Warehouse, facts: dict[str, Any]) -> None:
    here = (warehouses.c.account_key == warehouse.account_key) & (warehouses.c.name == warehouse.name)
    tx.execute(update(warehouses).where(here).values(facts))


def _delete_tables(tx: Connection, warehouse: Warehouse) -> None:
    tx.execute(delete(warehouse_tables).where(*_within(warehouse)))


def _within(warehouse: Warehouse) -> tuple[Any, ...]:
    columns = warehouse_tables.c
    return (columns.account_key == warehouse.account_key, columns.warehouse == warehouse.name)
