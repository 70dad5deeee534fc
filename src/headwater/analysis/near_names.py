"""What a table's name is near to, where it fits nothing: the same table elsewhere, a name spelt nearly so."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from headwater.analysis.table_names import TableName
from headwater.analysis.table_nodes import TableNode, say_relation
from headwater.analysis.table_variants import list_variants

MOST = 5
"""Near names that are given."""

_ALIKE = 0.75
_LONGEST_COMPARED = 300


def list_near(readings: Iterable[TableName], nodes: Sequence[TableNode]) -> list[tuple[TableNode, str, float]]:
    """List (node, why it is near, similarity from 0 to 1), the nearest first; none of them is a match."""
    found: dict[tuple[int, str], tuple[TableNode, str, float]] = {}
    by_name = _by_name(nodes)
    for reading in readings:
        for variant in list_variants(reading.table.text):
            for node, reason, similarity in _each_near(reading, variant.table.casefold(), by_name):
                key = (node.place, node.unique_id)
                if key not in found or found[key][2] < similarity:
                    found[key] = (node, reason, similarity)
    return sorted(found.values(), key=lambda near: (-near[2], near[0].unique_id, near[0].place))[:MOST]


def _by_name(nodes: Sequence[TableNode]) -> dict[str, list[TableNode]]:
    """Give the nodes by what they may be called: their table, and the name dbt knows them by."""
    named: defaultdict[str, list[TableNode]] = defaultdict(list)
    for node in nodes:
        names = {node.name.casefold()}
        if node.relation is not None:
            names.add(node.relation.identifier.casefold())
        for name in names:
            named[name].append(node)
    return named


def _each_near(
    reading: TableName, table: str, by_name: dict[str, list[TableNode]]
) -> Iterator[tuple[TableNode, str, float]]:
    for node in by_name.get(table, ()):
        yield node, _say_same(reading, table, node), 0.95
    if len(table) > _LONGEST_COMPARED:
        return
    for name in difflib.get_close_matches(table, by_name, n=MOST + 1, cutoff=_ALIKE):
        if name != table:
            similarity = difflib.SequenceMatcher(a=table, b=name).ratio()
            for node in by_name[name]:
                yield node, f"The name is nearly that of {_say_where(node)}.", round(similarity * 0.9, 2)


def _say_same(reading: TableName, table: str, node: TableNode) -> str:
    if node.relation is None:
        kind = "ephemeral: dbt builds no table for it" if node.materialized == "ephemeral" else "not a table"
        return f"{node.unique_id} is {kind}."
    if node.relation.identifier.casefold() != table:
        return f"{node.unique_id} is called so, but its table is {say_relation(node)}."
    asked = ".".join(part.text for part in reading.parts[:-1] if part.text)
    return f"The table's name is the same, but it is {say_relation(node)}{f', not in {asked}' if asked else ''}."


def _say_where(node: TableNode) -> str:
    return say_relation(node) if node.relation is not None else node.unique_id
