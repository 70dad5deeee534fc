"""The code of a node: as it is written, as it was compiled last, and when it changed in which lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from sqlalchemy import Connection

from headwater.analysis.changes import compare_nodes
from headwater.analysis.code_diff import diff_code
from headwater.model.node import Node
from headwater.model.outcome import Outcome
from headwater.observatory.node_reports import VersionChange
from headwater.observatory.references import FoundNode
from headwater.store.invocation_queries import find_compiled_code
from headwater.store.lineage import list_manifest_uses, list_version_history, read_versions

_MOST_CHANGES = 20


def find_compiled(tx: Connection, found: FoundNode, outcomes: Iterable[Outcome]) -> str | None:
    """Find the SQL that a node ran last, by what happened to it, newest first; None where none is kept."""
    code_hash = next((outcome.compiled for outcome in outcomes if outcome.compiled is not None), None)
    if code_hash is None:
        return None
    return find_compiled_code(tx, found.address.account_key, found.row.node_key, code_hash)


def list_version_changes(tx: Connection, found: FoundNode) -> tuple[VersionChange, ...]:
    """List when the node came, went and changed, from the manifests as they followed one another in its place."""
    place, node_key = found.held.place, found.row.node_key
    history = list_version_history(tx, place.scope, node_key)
    uses = [
        use
        for use in list_manifest_uses(tx, place.scope)
        if use.manifest_key in history and (found.moment.at is None or use.used_at <= found.moment.at)
    ]
    bodies = _read_versions(tx, place.account_key, node_key, history)
    changes = []
    for before, use in pairwise(uses):
        old, new = history[before.manifest_key], history[use.manifest_key]
        what, aspects = _compare(bodies.get(old), bodies.get(new)) if old != new else ("", ())
        if what:
            lines = diff_code(_code(bodies.get(old)), _code(bodies.get(new))) if "code" in aspects else ()
            changes.append(
                VersionChange(happened_at=use.used_at, run_id=use.run_id, what=what, aspects=aspects, diff=lines)
            )
    return tuple(reversed(changes[-_MOST_CHANGES:]))


def _read_versions(
    tx: Connection, account_key: int, node_key: int, history: Mapping[int, bytes | None]
) -> dict[bytes | None, Node]:
    wanted = {version for version in history.values() if version is not None}
    bodies = read_versions(tx, account_key, ((node_key, version) for version in wanted))
    return {version: body for (_, version), body in bodies.items() if isinstance(body, Node)}


def _compare(old: Node | None, new: Node | None) -> tuple[str, tuple[str, ...]]:
    if old is None or new is None:
        return ("removed" if new is None else "added", ()) if old is not new else ("", ())
    change = compare_nodes(old, new)
    return ("changed", change.aspects) if change is not None else ("", ())


def _code(node: Node | None) -> str | None:
    return node.raw_code if node is not None else None
