"""What changed between two manifests of one project and environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headwater.model.node import Macro, Node

_CONFIGURATION = (
    "materialized",
    "config_json",
    "severity",
    "group",
    "access",
    "relation",
    "freshness",
    "loaded_at_field",
)
_DESCRIPTION = (
    "description", "meta_json", "tags", "path", "fqn", "name", "package_name", "test", "owner", "url", "source_name",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """A node that is in both manifests and not the same; parents and columns are told one by one.

    `aspects` are among code, configuration, columns, edges and description, in this order.
    """

    unique_id: str
    resource_type: str
    aspects: tuple[str, ...]
    parents_added: tuple[str, ...] = ()
    parents_removed: tuple[str, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything by unique_id and in its order; macros are code that many nodes share."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[NodeChange, ...] = ()
    macros_added: tuple[str, ...] = ()
    macros_removed: tuple[str, ...] = ()
    macros_changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(
            (self.added, self.removed, self.changed, self.macros_added, self.macros_removed, self.macros_changed)
        )


def compare(before: Iterable[Node | Macro], after: Iterable[Node | Macro]) -> Changes:
    """Compare what two manifests hold; what is the same in both may be left out on both sides."""
    old, new = ({thing.unique_id: thing for thing in things} for things in (before, after))
    added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    pairs = [(old[unique_id], new[unique_id]) for unique_id in sorted(old.keys() & new.keys())]
    nodes = [compare_nodes(one, other) for one, other in pairs if isinstance(one, Node) and isinstance(other, Node)]
    macros = [
        one.unique_id
        for one, other in pairs
        if isinstance(one, Macro) and isinstance(other, Macro) and one.version != other.version
    ]
    return Changes(
        added=_only(Node, new, added),
        removed=_only(Node, old, removed),
        changed=tuple(change for change in nodes if change is not None),
        macros_added=_only(Macro, new, added),
        macros_removed=_only(Macro, old, removed),
        macros_changed=tuple(macros),
    )


def compare_nodes(old: Node, new: Node) -> NodeChange | None:
    """Compare a node with what it was; None where nothing that is kept differs."""
    parents_added, parents_removed = _differences(old.parents, new.parents)
    old_columns = {column.name: column for column in old.columns}
    new_columns = {column.name: column for column in new.columns}
    columns_added, columns_removed = _differences(old_columns, new_columns)
    columns_changed = tuple(
        name for name, column in new_columns.items() if name in old_columns and old_columns[name] != column
    )
    has_columns = bool(columns_added or columns_removed or columns_changed)
    has_edges = bool(parents_added or parents_removed)
    is_configured = _differ(old, new, _CONFIGURATION)
    # Seeds, sources, metrics and the like have no code: what defines them is in the code version alone.
    is_defined = old.code_version != new.code_version and not (has_columns or has_edges or is_configured)
    found = {
        "code": old.raw_code != new.raw_code or old.language != new.language or is_defined,
        "configuration": is_configured,
        "columns": has_columns,
        "edges": has_edges,
        "description": _differ(old, new, _DESCRIPTION),
    }
    if not any(found.values()):
        return None
    return NodeChange(
        unique_id=new.unique_id,
        resource_type=new.resource_type,
        aspects=tuple(name for name, is_so in found.items() if is_so),
        parents_added=parents_added,
        parents_removed=parents_removed,
        columns_added=columns_added,
        columns_removed=columns_removed,
        columns_changed=columns_changed,
    )


def find_users(
    macros: Iterable[Macro], nodes: Mapping[str, tuple[str, ...]], changed: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Find the nodes that use each changed macro, directly or through others; `nodes` gives the macros of each node."""
    called_by: defaultdict[str, set[str]] = defaultdict(set)
    for macro in macros:
        for inner in macro.macros:
            called_by[inner].add(macro.unique_id)
    used_by: defaultdict[str, set[str]] = defaultdict(set)
    for unique_id, used in nodes.items():
        for name in used:
            used_by[name].add(unique_id)
    users = {}
    for name in changed:
        reached, waiting = {name}, [name]
        while waiting:
            more = called_by.get(waiting.pop(), set()) - reached
            reached |= more
            waiting += more
        users[name] = tuple(sorted({unique_id for one in reached for unique_id in used_by.get(one, ())}))
    return users


def _only(kind: type[Node | Macro], things: Mapping[str, Node | Macro], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if isinstance(things[name], kind))


def _differences(old: Iterable[str], new: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give what is only in the new and what is only in the old, each in its own order."""
    before, after = dict.fromkeys(old), dict.fromkeys(new)
    return tuple(name for name in after if name not in before), tuple(name for name in before if name not in after)


def _differ(old: Node, new: Node, names: Iterable[str]) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in names)
