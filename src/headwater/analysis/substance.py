"""What of a change can matter to a build or a test: not comments, formatting, descriptions, tags or meta."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headwater.analysis.causes.failure import ADDED, CODE, COLUMNS, CONFIGURATION, EDGES, REMOVED, Difference
from headwater.analysis.changes import compare, compare_nodes, find_users
from headwater.model.code import count_words, meaning_of
from headwater.model.node import Constraint, Macro, Node

_OF_PEOPLE = frozenset({"meta", "tags", "docs", "description", "group", "access", "persist_docs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The things that differ between two manifests, and of the newer one its macros and those of some nodes."""

    before: tuple[Node | Macro, ...]
    after: tuple[Node | Macro, ...]
    macros: tuple[Macro, ...] = ()
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_substance(compared: Compared, wanted: frozenset[str], project: str | None) -> Difference:
    """Find what changed of some nodes, and of the macros they use, that can matter to how they are built."""
    old, new = (
        {thing.unique_id: thing for thing in things if isinstance(thing, Node) and thing.unique_id in wanted}
        for things in (compared.before, compared.after)
    )
    aspects = {unique_id: list_aspects(old[unique_id], new[unique_id]) for unique_id in old.keys() & new.keys()}
    aspects |= dict.fromkeys(new.keys() - old.keys(), frozenset({ADDED}))
    aspects |= dict.fromkeys(old.keys() - new.keys(), frozenset({REMOVED}))
    words = {
        unique_id: (count_words(old[unique_id].raw_code), count_words(new[unique_id].raw_code))
        for unique_id in old.keys() & new.keys()
    }
    changed, removed = _changed_macros(compared)
    return Difference(
        aspects={unique_id: found for unique_id, found in aspects.items() if found},
        macros=_users(compared, changed),
        macros_removed=removed,
        lost={unique_id: frozenset(before.keys() - after.keys()) for unique_id, (before, after) in words.items()},
        gained={unique_id: frozenset(after.keys() - before.keys()) for unique_id, (before, after) in words.items()},
        touched={
            unique_id: frozenset(word for word in before.keys() | after.keys() if before[word] != after[word])
            for unique_id, (before, after) in words.items()
        },
        settings={unique_id: list_settings(old[unique_id], new[unique_id]) for unique_id in old.keys() & new.keys()},
        project=project,
    )


def list_aspects(old: Node, new: Node) -> frozenset[str]:
    """Give in what a node differs that can matter."""
    change = compare_nodes(old, new)
    if change is None:
        return frozenset()
    found = set(change.aspects) & {EDGES}
    is_same_text = meaning_of(old.raw_code, old.language) == meaning_of(new.raw_code, new.language)
    # What has no code of its own, a seed, a source or a generic test, is defined by its code version alone.
    is_defined = CODE in change.aspects and old.raw_code == new.raw_code
    if not is_same_text or (is_defined and old.code_version != new.code_version):
        found.add(CODE)
    if list_settings(old, new):
        found.add(CONFIGURATION)
    if _promises(old) != _promises(new):
        found.add(COLUMNS)
    return frozenset(found)


def list_settings(old: Node, new: Node) -> tuple[str, ...]:
    """Name the settings that differ and decide how a node is built or tested."""
    before, after = _settings(old), _settings(new)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    for name in ("relation", "freshness", "loaded_at_field"):
        if getattr(old, name) != getattr(new, name):
            names.add(name)
    return tuple(sorted(names))


def merge_differences(found: Iterable[Difference]) -> Difference:
    """Lay differences of several spans over one another; of a node that is in several all counts."""
    merged = Difference()
    for one in found:
        merged = Difference(
            aspects=_union(merged.aspects, one.aspects),
            macros=_union(merged.macros, one.macros),
            macros_removed=merged.macros_removed | one.macros_removed,
            lost=_union(merged.lost, one.lost),
            gained=_union(merged.gained, one.gained),
            touched=_union(merged.touched, one.touched),
            settings={**merged.settings, **one.settings},
            project=merged.project or one.project,
        )
    return merged


def _union(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    empty: frozenset[str] = frozenset()
    return {name: one.get(name, empty) | other.get(name, empty) for name in one.keys() | other.keys()}


def _settings(node: Node) -> dict[str, object]:
    try:
        found = json.loads(node.config_json or "{}")
    except ValueError:
        return {"config": node.config_json}
    return {name: value for name, value in found.items() if name not in _OF_PEOPLE} if isinstance(found, dict) else {}


def _promises(node: Node) -> dict[str, tuple[str | None, tuple[Constraint, ...]]]:
    """Give the types of columns, and the constraints where a contract puts them into the table."""
    contract = _settings(node).get("contract")
    is_contract = isinstance(contract, dict) and contract.get("enforced") is True
    told = {column.name: (column.data_type, column.constraints if is_contract else ()) for column in node.columns}
    return {name: promise for name, promise in told.items() if any(promise)}


def _changed_macros(compared: Compared) -> tuple[frozenset[str], frozenset[str]]:
    """Give the macros whose code does something else now, new ones included, and those that are gone."""
    old, new = (
        {thing.unique_id: thing for thing in things if isinstance(thing, Macro)}
        for things in (compared.before, compared.after)
    )
    changes = compare(old.values(), new.values())
    real = [name for name in changes.macros_changed if not _is_same_macro(old[name], new[name])]
    return frozenset({*real, *changes.macros_added}), frozenset(changes.macros_removed)


def _is_same_macro(old: Macro, new: Macro) -> bool:
    return bool(old.meaning) and old.meaning == new.meaning


def _users(compared: Compared, changed: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for macro, users in find_users(compared.macros, compared.used, changed).items():
        for user in users:
            found.setdefault(user, set()).add(macro)
    return {user: frozenset(names) for user, names in found.items()}
