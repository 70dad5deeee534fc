"""What warehouses and dbt's own catalogs hold against what dbt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headwater.analysis.comparing import Comparison, DeclaredNode, compare_catalog, compare_tables
from headwater.analysis.table_nodes import say_relation
from headwater.errors import NotKnown
from headwater.model.node import CatalogTable
from headwater.model.warehouse import WarehouseTable
from headwater.observatory.holder import Observatory
from headwater.observatory.table_places import Place, choose_places, read_place_nodes, say_places
from headwater.store import warehouses as stored
from headwater.store.accounts import get_account as get_account_by_key
from headwater.store.catalog import list_catalog_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class UnownedTable:
    """A table that no node builds or declares."""

    database: str | None
    schema: str
    table: str
    kind: str
    columns: int
    row_count: int | None
    altered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTable:
    """A node whose table is not there."""

    unique_id: str
    resource_type: str
    relation: str
    account: str
    project: str | None
    environment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingColumn:
    """A column that is not as its node declares it: missing, undeclared, or of another type."""

    unique_id: str
    relation: str
    column: str
    difference: str
    declared: str | None
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """What a warehouse, or dbt's own catalogs, held when last read against what dbt says of it."""

    source: str
    sentence: str
    tables: int
    owned: int
    unowned: tuple[UnownedTable, ...]
    missing: tuple[MissingTable, ...]
    differing: tuple[DifferingColumn, ...]
    elsewhere: int
    read_at: datetime | None
    as_of: datetime


def compare_warehouse(
    observatory: Observatory, name: str, *, project: str | None = None, environment: str | None = None
) -> ComparisonReport:
    """Compare what was last read of a warehouse with what dbt says of it, in the environments that answer.

    Raises:
        NotKnown: there is no such warehouse, project or environment, or the warehouse was never read.
    """
    warehouse = find_stored(observatory, name)
    if warehouse.read_at is None:
        raise NotKnown(f"{name} has not been read yet.", hint=f"Run: headwater warehouse read {name}")
    with observatory.store.read() as tx:
        owner = get_account_by_key(tx, warehouse.account_key)
        tables = stored.list_warehouse_tables(tx, warehouse)
    chosen, _ = choose_places(observatory, account=owner.name, project=project, environment=environment)
    chosen = [place for place in chosen if place.manifest.adapter_type == warehouse.kind]
    with observatory.store.read() as tx:
        declared = _tables_of_dbt(read_place_nodes(tx, chosen).declared)
    found = compare_tables(tables, declared, warehouse.kind)
    where = say_places(chosen, is_asked=bool(environment))
    if not chosen:
        where = f"No project of {owner.name} is built on {warehouse.kind}."
    return _report(observatory, warehouse.name, tables, found, chosen, read_at=warehouse.read_at, where=where)


def compare_catalogs(
    observatory: Observatory, *, account: str | None = None, project: str | None = None, environment: str | None = None
) -> ComparisonReport:
    """Compare what `dbt docs generate` last found in the warehouses with what dbt says; tables no node owns are not
    in a catalog. A node counts as missing where the newest catalog of its environment does not hold it.

    Raises:
        NotKnown: there is no such account, project or environment, or no catalog of them.
    """
    chosen, _ = choose_places(observatory, account=account, project=project, environment=environment)
    newest: datetime | None = None
    tables: list[CatalogTable] = []
    found = Comparison()
    with observatory.store.read() as tx:
        declared = _tables_of_dbt(read_place_nodes(tx, chosen).declared)
        for index, place in enumerate(chosen):
            rows = list_catalog_tables(tx, place.scope)
            if not rows:
                continue
            last = max(row.last_seen_at for row in rows)
            held = {row.table.unique_id: row.table for row in rows if row.last_seen_at == last}
            newest = last if newest is None else max(newest, last)
            tables += list(held.values())
            mine = [one for one in declared if one.node.place == index]
            found = found.with_more(compare_catalog(held, mine))
    if newest is None:
        raise NotKnown("No catalog is stored.", hint="Let a job generate docs, or ingest after dbt docs generate.")
    where = say_places(chosen, is_asked=bool(environment))
    return _report(observatory, "The catalog of dbt", tables, found, chosen, read_at=newest, where=where)


def _tables_of_dbt(declared: Sequence[DeclaredNode]) -> list[DeclaredNode]:
    """Leave out what is no table: functions, ephemeral models."""
    return [
        one
        for one in declared
        if (one.node.relation is not None or one.node.relation_name is not None)
        and one.node.resource_type != "function"
    ]


def _report(
    observatory: Observatory,
    source: str,
    tables: Sequence[object],
    found: Comparison,
    places: Sequence[Place],
    *,
    read_at: datetime | None,
    where: str,
) -> ComparisonReport:
    return ComparisonReport(
        source=source,
        sentence=f"{_say(source, len(tables), found)} {where}",
        tables=len(tables),
        owned=found.owned,
        unowned=tuple(_unowned(table) for table in found.unowned),
        missing=tuple(
            MissingTable(
                unique_id=node.unique_id,
                resource_type=node.resource_type,
                relation=say_relation(node),
                account=places[node.place].account,
                project=places[node.place].project,
                environment=places[node.place].environment,
            )
            for node in found.missing
        ),
        differing=tuple(
            DifferingColumn(
                unique_id=one.node.unique_id,
                relation=say_relation(one.node),
                column=one.column,
                difference=str(one.difference),
                declared=one.declared,
                found=one.found,
            )
            for one in found.differing
        ),
        elsewhere=len(found.elsewhere),
        read_at=read_at,
        as_of=observatory.store.now(),
    )


def _say(source: str, tables: int, found: Comparison) -> str:
    elsewhere = f" Nodes in databases that it does not cover: {len(found.elsewhere)}." if found.elsewhere else ""
    return (
        f"{source} holds {tables} tables: {found.owned} of dbt, {len(found.unowned)} of nobody. "
        f"Nodes without a table: {len(found.missing)}. Columns that differ: {len(found.differing)}.{elsewhere}"
    )


def _unowned(table: WarehouseTable) -> UnownedTable:
    return UnownedTable(
        database=table.relation.database,
        schema=table.relation.schema,
        table=table.relation.identifier,
        kind=table.kind,
        columns=len(table.columns),
        row_count=table.row_count,
        altered_at=table.altered_at,
    )


def find_stored(observatory: Observatory, name: str) -> stored.Warehouse:
    """Find a warehouse by its name; raises NotKnown."""
    with observatory.store.read() as tx:
        warehouse = stored.find_warehouse(tx, name)
    if warehouse is None:
        raise NotKnown(f"There is no warehouse {name[:80]!r}.", hint="headwater warehouse list shows them.")
    return warehouse
