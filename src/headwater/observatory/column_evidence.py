"""Which columns of which sources a failure is about: by declarations, by the names in code, by dbt's catalogs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes.failure import ColumnChange
from headwater.analysis.column_tracing import trace_columns
from headwater.analysis.column_types import is_same_type
from headwater.analysis.failures import (
    OF_VALUES,
    FailureKind,
    classify_failure,
    find_missing_column,
    read_breach_columns,
)
from headwater.analysis.roots import Parents, each_upstream
from headwater.analysis.type_faults import find_in_doubt
from headwater.model.node import CatalogTable, Node
from headwater.model.outcome import Outcome
from headwater.observatory.evidence import read_latest
from headwater.observatory.lineage import Estate, Graph, Held
from headwater.store.catalog import list_catalog_shapes
from headwater.store.lineage import read_nodes
from headwater.store.lineage_rows import LineageRow

_OF_COLUMNS = frozenset({FailureKind.TYPE, FailureKind.MISSING_COLUMN, FailureKind.CONTRACT})
_READ_CODE = 300
_MOST_COMPARED = 5
"""How many other failures of the run are asked where theirs come from."""


def read_tested_column(tx: Connection, graph: Graph, outcome: Outcome) -> str | None:
    """Read which column a test looks at, in lower case; None where it is no test of a column."""
    row = graph.nodes[outcome.unique_id]
    if row.resource_type != "test":
        return None
    node = read_nodes(tx, graph.scope.account_key, ((row.node_key, row.version),)).get(row.node_key)
    column = node.test.column_name if isinstance(node, Node) and node.test is not None else None
    return column.strip('"`[]').lower() if column else None


def read_columns(
    tx: Connection, graph: Graph, failed: Outcome, tested: str | None, unique_ids: Iterable[str]
) -> dict[str, frozenset[str]]:
    """Read which sources declare a column that is missed, tested or breached, or are read by code that names it.

    Where a column is missing, a source still has it from which a model that names it was built well in the same run.
    """
    told = {tested, find_missing_column(failed.message), *read_breach_columns(failed.message)}
    wanted = frozenset(column for column in told if column)
    if not wanted:
        return {}
    named = re.compile(rf"\b({'|'.join(re.escape(column) for column in sorted(wanted))})\b", re.IGNORECASE)
    rows = [graph.nodes[other] for other in unique_ids]
    read = [row for row in rows if row.resource_type == "source" or any(map(_is_source, row.parents))]
    is_missing = classify_failure(failed.message) is FailureKind.MISSING_COLUMN
    built = _list_built(tx, graph, (row.unique_id for row in read), failed) if is_missing else frozenset()
    found: dict[str, frozenset[str]] = {}
    there: dict[str, frozenset[str]] = {}
    for node in read_nodes(tx, graph.scope.account_key, ((row.node_key, row.version) for row in read)).values():
        if not isinstance(node, Node):
            continue
        declared = {column.name.lower() for column in node.columns} & wanted
        if declared and _is_source(node.unique_id):
            found[node.unique_id] = found.get(node.unique_id, frozenset()) | declared
        words = frozenset(match.lower() for match in named.findall(node.raw_code or ""))
        for parent in filter(_is_source, node.parents) if words else ():
            known = there if node.unique_id in built else found
            known[parent] = known.get(parent, frozenset()) | words
    return {source: left for source, names in found.items() if (left := names - there.get(source, frozenset()))}


def _list_built(tx: Connection, graph: Graph, unique_ids: Iterable[str], failed: Outcome) -> frozenset[str]:
    """List which nodes were built well in the run of a failure before it."""
    latest = read_latest(tx, graph, unique_ids, failed.at)
    return frozenset(
        name
        for name, outcome in latest.items()
        if outcome.is_good and outcome.run_id is not None and outcome.run_id == failed.run_id
    )


def _is_source(unique_id: str) -> bool:
    return unique_id.startswith("source.")


def read_traced(
    tx: Connection, estate: Estate, graph: Graph, failed: Outcome, tested: str | None,
    in_run: Mapping[str, Outcome], parents: Parents,
) -> dict[str, frozenset[str]]:  # fmt: skip
    """Read from which columns of which sources come the values that code could not work with, or a test refused.

    Of several sources those are likeliest from which the values of most other failures of the run come, too.
    """
    found = _trace(tx, estate, graph, failed, tested, parents)
    others = [
        other
        for other in in_run.values()
        if other.unique_id != failed.unique_id and other.unique_id in graph.nodes
        and other.status == "error" and classify_failure(other.message) in OF_VALUES
    ]  # fmt: skip
    if len(found) < 2 or not others:
        return found
    shared = Counter(
        source for other in others[:_MOST_COMPARED] for source in _trace(tx, estate, graph, other, None, graph.parents)
    )
    return {source: found[source] for source in sorted(found, key=lambda source: -shared[source])}


def _trace(
    tx: Connection, estate: Estate, graph: Graph, failed: Outcome, tested: str | None, parents: Parents
) -> dict[str, frozenset[str]]:
    is_test = failed.status in {"fail", "warn"}
    if not (tested if is_test else classify_failure(failed.message) in OF_VALUES):
        return {}
    names = [failed.unique_id, *each_upstream(failed.unique_id, parents)][:_READ_CODE]
    rows = {name: row for name in names if (row := _owned(estate, graph, name)) is not None}
    nodes = read_nodes(tx, graph.scope.account_key, ((row.node_key, row.version) for row in rows.values()))
    codes = {
        name: node.raw_code
        for name, row in rows.items()
        if isinstance(node := nodes.get(row.node_key), Node) and node.raw_code and not (is_test and name == names[0])
    }
    asked = (tested,) if is_test and tested else find_in_doubt(failed.message, codes.get(failed.unique_id))
    return trace_columns(failed.unique_id, asked, codes, parents)


def _owned(estate: Estate, graph: Graph, unique_id: str) -> LineageRow | None:
    """Give a node as the project has it that owns it."""
    home = estate.held[graph.scope]
    if unique_id in home.rows and unique_id not in home.imported:
        return home.rows[unique_id]
    return next((held.rows[unique_id] for held in estate.held.values() if _owns(held, unique_id)), None)


def _owns(held: Held, unique_id: str) -> bool:
    return unique_id in held.rows and unique_id not in held.imported


def read_retyped(
    tx: Connection, graph: Graph, failed: Outcome, good: Outcome | None, upstream: Iterable[str], now: datetime
) -> dict[str, tuple[ColumnChange, ...]]:
    """Read which sources upstream have other columns by dbt's catalogs than when the failing node was last good.

    A catalog that was made after the failure counts too, up to the moment of the question.
    """
    if good is None or classify_failure(failed.message) not in _OF_COLUMNS:
        return {}
    keys = {graph.nodes[name].node_key: name for name in upstream if _is_source(name)}
    found: dict[str, tuple[ColumnChange, ...]] = {}
    for node_key, shapes in list_catalog_shapes(tx, graph.scope.account_key, keys, now).items():
        newest, *older = shapes
        before = next((shape for shape in older if shape.first_seen_at <= good.at), None)
        if before is not None and newest.first_seen_at > good.at and before.last_seen_at <= failed.at:
            changes = compare_columns(before.table, newest.table)
            found |= {keys[node_key]: changes} if changes else {}
    return found


def compare_columns(before: CatalogTable, after: CatalogTable) -> tuple[ColumnChange, ...]:
    """List the columns of a table that are gone or have another type."""
    now = {column.name.lower(): column.data_type for column in after.columns}
    return tuple(
        ColumnChange(name=column.name.lower(), before=column.data_type, after=now.get(column.name.lower()))
        for column in before.columns
        if column.name.lower() not in now or not is_same_type(column.data_type, now[column.name.lower()], None)
    )
