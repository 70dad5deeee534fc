"""What a warehouse holds against what dbt says of it: tables no node owns, nodes without a table, other columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from headwater.analysis.column_types import is_same_type
from headwater.analysis.table_names import Part, real_name
from headwater.analysis.table_nodes import TableNode, each_known_name, real_names
from headwater.analysis.table_variants import fits_wildcard, list_variants
from headwater.model.node import CatalogColumn, CatalogTable, Column
from headwater.model.warehouse import WarehouseTable


class Difference(StrEnum):
    """How a column differs."""

    MISSING = "missing"
    UNDECLARED = "undeclared"
    TYPE = "type"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDifference:
    """A column that is not as declared; `declared` and `found` are types, None where there is none."""

    node: TableNode
    column: str
    difference: Difference
    declared: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredNode:
    """A node with the columns it declares."""

    node: TableNode
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs; `elsewhere` are the nodes in databases that the reading did not cover."""

    owned: int = 0
    unowned: tuple[WarehouseTable, ...] = ()
    missing: tuple[TableNode, ...] = ()
    differing: tuple[ColumnDifference, ...] = ()
    elsewhere: tuple[TableNode, ...] = ()

    def with_more(self, other: Comparison) -> Comparison:
        """Give this comparison and another one as one."""
        return Comparison(
            owned=self.owned + other.owned,
            unowned=self.unowned + other.unowned,
            missing=self.missing + other.missing,
            differing=self.differing + other.differing,
            elsewhere=self.elsewhere + other.elsewhere,
        )


def compare_tables(tables: Sequence[WarehouseTable], declared: Sequence[DeclaredNode], kind: str) -> Comparison:
    """Compare what was read of a warehouse of a kind (an adapter's name) with the nodes that dbt puts into it."""
    databases = {real_name(Part(table.relation.database or "", True), kind) for table in tables}
    by_place: defaultdict[tuple[str, ...], list[WarehouseTable]] = defaultdict(list)
    for table in tables:
        full = _full_name(table, kind)
        for name in {full, full[-2:]}:
            by_place[name].append(table)
    owned: set[int] = set()
    missing, elsewhere, differing = [], [], []
    for one in declared:
        found = _tables_of(one.node, tables, by_place, kind)
        owned |= {id(table) for table in found}
        names = real_names(one.node)
        if found:
            differing += list(compare_columns(one, found[0].columns))
        elif len(names) == 3 and names[0] not in databases:
            elsewhere.append(one.node)
        elif one.node.resource_type != "test":  # a test leaves a table only where it failed
            missing.append(one.node)
    unowned = tuple(table for table in tables if id(table) not in owned and not _is_made_by_dbt(table, by_place, kind))
    return Comparison(
        owned=len(owned),
        unowned=unowned,
        missing=tuple(missing),
        differing=tuple(differing),
        elsewhere=tuple(elsewhere),
    )


def compare_catalog(held: Mapping[str, CatalogTable], declared: Sequence[DeclaredNode]) -> Comparison:
    """Compare a catalog of dbt's, by unique_id, with the nodes of its environment."""
    differing = [
        difference
        for one in declared
        if one.node.unique_id in held
        for difference in compare_columns(one, held[one.node.unique_id].columns)
    ]
    absent = [one.node for one in declared if one.node.unique_id not in held]
    missing = tuple(node for node in absent if node.resource_type != "test")
    return Comparison(owned=len(declared) - len(absent), missing=missing, differing=tuple(differing))


def compare_columns(declared: DeclaredNode, found: Iterable[CatalogColumn]) -> Iterator[ColumnDifference]:
    """Give the columns that differ. A column that is not declared counts where every declared one has a type:
    elsewhere dbt's columns are notes on some of them.
    """
    node, here = declared.node, {column.name.casefold(): column for column in found}
    names = {column.name.casefold() for column in declared.columns}
    for column in declared.columns:
        other = here.get(column.name.casefold())
        if other is None:
            yield ColumnDifference(
                node=node, column=column.name, difference=Difference.MISSING, declared=column.data_type
            )
        elif column.data_type and other.data_type and not is_same_type(column.data_type, other.data_type, node.adapter):
            yield ColumnDifference(
                node=node,
                column=column.name,
                difference=Difference.TYPE,
                declared=column.data_type,
                found=other.data_type,
            )
    if declared.columns and all(column.data_type for column in declared.columns):
        for name, other in here.items():
            if name not in names:
                yield ColumnDifference(
                    node=node, column=other.name, difference=Difference.UNDECLARED, found=other.data_type
                )


def _tables_of(
    node: TableNode,
    tables: Sequence[WarehouseTable],
    by_place: dict[tuple[str, ...], list[WarehouseTable]],
    kind: str,
) -> list[WarehouseTable]:
    names = real_names(node)
    if names and names[-1].endswith("*"):
        wanted = (names[:-1], names[-1])
        return [table for table in tables if _is_shard(_full_name(table, kind), *wanted)]
    for known in each_known_name(node):
        found = by_place.get(tuple(real_name(part, node.adapter) for part in known))
        if found:
            return found[:1]
    return []


def _is_shard(name: tuple[str, ...], place: tuple[str, ...], wildcard: str) -> bool:
    return name[-1 - len(place) : -1] == place and fits_wildcard(name[-1], wildcard)


def _full_name(table: WarehouseTable, kind: str) -> tuple[str, ...]:
    relation = table.relation
    texts = [text for text in (relation.database, relation.schema, relation.identifier) if text is not None]
    return tuple(real_name(Part(text, True), kind) for text in texts)


def _is_made_by_dbt(table: WarehouseTable, by_place: dict[tuple[str, ...], list[WarehouseTable]], kind: str) -> bool:
    """Whether a table is one that dbt makes on the way to another one that is there."""
    own = [variant for variant in list_variants(table.relation.identifier) if variant.note and not variant.is_shard]
    place = _full_name(table, kind)[:-1]
    return any((*place, real_name(Part(variant.table, True), kind)) in by_place for variant in own)
