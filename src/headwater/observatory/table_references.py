"""References that are a warehouse table's name, as a warehouse or a person writes it, or as a person said before."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from headwater.analysis.matching import Found, Override, find_matches
from headwater.analysis.table_nodes import TableNode
from headwater.observatory.lineage import Held
from headwater.store.overrides import list_overrides

_BUILT = frozenset({"model", "seed", "snapshot", "source", "function"})


def find_said(tx: Connection, ref: str, looked: Sequence[Held]) -> Found:
    """Find what a person said a table is; a match's `place` is the index of where was looked."""
    said = _read_overrides(tx, looked)
    nodes = _list_nodes(looked, {override.unique_id for override in said}) if said else []
    found = find_matches(ref, nodes, said) if said else Found()
    return found if any(match.is_override for match in found.matches) else Found()


def find_table(ref: str, looked: Sequence[Held]) -> Found:
    """Find the nodes whose table is called so, however the name is quoted, folded or decorated, and those near it."""
    return find_matches(ref, _list_nodes(looked))


def _read_overrides(tx: Connection, looked: Sequence[Held]) -> list[Override]:
    places = {held.place.scope: number for number, held in enumerate(looked)}
    said = list_overrides(tx, {scope.account_key for scope in places})
    return [
        Override(table=one.table, unique_id=one.unique_id, place=places[one.scope])
        for one in said
        if one.scope in places
    ]


def _list_nodes(looked: Sequence[Held], wanted: set[str] | None = None) -> list[TableNode]:
    return [
        TableNode(
            unique_id=row.unique_id,
            resource_type=row.resource_type,
            name=row.name,
            place=place,
            account=held.place.account_name,
            adapter=held.manifest.adapter_type,
            relation=row.relation,
            materialized=row.materialized,
        )
        for place, held in enumerate(looked)
        for row in held.rows.values()
        if row.resource_type in _BUILT
        and row.relation is not None
        and (wanted is None or row.unique_id in wanted)
        and row.unique_id not in held.imported
    ]
