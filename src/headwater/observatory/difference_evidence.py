"""What changed between a good outcome and a failure: of each node upstream between the builds that these two read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from headwater.analysis.causes.failure import Difference
from headwater.analysis.roots import Parents, each_upstream
from headwater.analysis.states import streak_start
from headwater.analysis.substance import Compared, find_substance, merge_differences
from headwater.model.outcome import Outcome
from headwater.observatory.evidence import read_history, read_latest
from headwater.observatory.lineage import Estate, Graph, Held, scope_of
from headwater.store.lineage import find_manifest_at, list_differences, list_lineage, read_nodes
from headwater.store.manifests import list_macros
from headwater.store.writing import Scope

_MOMENT = timedelta(seconds=1)
_MOST_SPANS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """Two manifests of one place, and the nodes whose builds were made with them."""

    scope: Scope
    project: str | None
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Builds:
    """The builds that a good outcome and a failure read.

    `executed` has for each node the build before the good outcome and that before the failure, for the failing node
    these two themselves; `spans` says between which manifests which nodes are to be compared.
    """

    outcome: Outcome
    good: Outcome | None
    parents: Parents
    executed: Mapping[str, tuple[Outcome, Outcome]] = field(default_factory=dict)
    spans: Mapping[Span, frozenset[str]] = field(default_factory=dict)
    is_known: bool = False


def read_builds(tx: Connection, estate: Estate, graph: Graph, outcome: Outcome, good: Outcome | None) -> Builds:
    """Find the builds upstream that a failure and the good outcome before it read, with the manifests they were of."""
    held = estate.held[graph.scope]
    upstream = [other for other in each_upstream(outcome.unique_id, graph.parents) if other in graph.nodes]
    if good is None or good.manifest_key is None or outcome.manifest_key is None:
        return _read_new(tx, graph, held, outcome, good, upstream)
    executed = _read_executed(tx, graph, upstream, good, outcome) | {outcome.unique_id: (good, outcome)}
    spans: defaultdict[Span, set[str]] = defaultdict(set)
    for unique_id in (outcome.unique_id, *upstream):
        before, after = executed.get(unique_id, (good, outcome))
        _add(spans, held, before, after, unique_id)
    parents: dict[str, tuple[str, ...]] = {}
    for imported in upstream:
        owner = estate.stands_for.get(held.address(imported))
        there = estate.held.get(scope_of(owner)) if owner is not None else None
        if owner is not None and there is not None and owner.unique_id in there.rows:
            parents |= _add_project(tx, there, owner.unique_id, (good, outcome), spans, executed)
    return Builds(
        outcome, good, {**graph.parents, **parents} if parents else graph.parents, executed,
        {span: frozenset(nodes) for span, nodes in spans.items()}, is_known=True,
    )  # fmt: skip


def read_difference(tx: Connection, builds: Builds) -> Difference | None:
    """Read what changed of the failing node and of all it is made from; None where a manifest is not known."""
    if not builds.is_known:
        return None
    differing = [(span, nodes) for span, nodes in builds.spans.items() if span.before != span.after]
    if not differing:
        return Difference()
    return merge_differences(_compare(tx, span, nodes) for span, nodes in differing[:_MOST_SPANS])


def _compare(tx: Connection, span: Span, wanted: frozenset[str]) -> Difference:
    account_key = span.scope.account_key
    before, after = list_differences(tx, account_key, span.before, span.after)
    old, new = (read_nodes(tx, account_key, versions.items()).values() for versions in (before, after))
    has_macros = any(thing.unique_id.startswith("macro.") for thing in (*old, *new))
    macros, used = list_macros(tx, account_key, span.after, wanted) if has_macros else ([], {})
    compared = Compared(before=tuple(old), after=tuple(new), macros=tuple(macros), used=used)
    return find_substance(compared, wanted, span.project)


def _read_executed(
    tx: Connection, graph: Graph, upstream: Iterable[str], good: Outcome, outcome: Outcome
) -> dict[str, tuple[Outcome, Outcome]]:
    """Give for nodes that are built the builds that both read; a node without both is left out."""
    listed = list(upstream)
    before = read_latest(tx, graph, listed, good.at)
    after = read_latest(tx, graph, listed, outcome.at)
    return {
        unique_id: (before[unique_id], after[unique_id])
        for unique_id in before.keys() & after.keys()
        if before[unique_id].is_good and after[unique_id].is_good and graph.nodes[unique_id].resource_type != "source"
    }


def _add(spans: defaultdict[Span, set[str]], held: Held, before: Outcome, after: Outcome, unique_id: str) -> None:
    if before.manifest_key is not None and after.manifest_key is not None:
        project = held.manifest.project_name
        spans[Span(held.place.scope, project, before.manifest_key, after.manifest_key)].add(unique_id)


def _add_project(
    tx: Connection, there: Held, unique_id: str, both: tuple[Outcome, Outcome],
    spans: defaultdict[Span, set[str]], executed: dict[str, tuple[Outcome, Outcome]],
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """Add what another project built of what is imported from it, and give its part of the parents."""
    graph = there.graph
    listed = [unique_id, *(other for other in each_upstream(unique_id, graph.parents) if other in graph.nodes)]
    found = _read_executed(tx, graph, listed, *both)
    held = [find_manifest_at(tx, graph.scope, outcome.at) for outcome in both]
    for other in listed:
        if other in found:
            _add(spans, there, *found[other], other)
        elif held[0] is not None and held[1] is not None:
            spans[Span(graph.scope, there.manifest.project_name, held[0], held[1])].add(other)
    executed |= {name: pair for name, pair in found.items() if name not in executed}
    return {other: graph.parents[other] for other in listed}


def _read_new(
    tx: Connection, graph: Graph, held: Held, outcome: Outcome, good: Outcome | None, upstream: list[str]
) -> Builds:
    """Of a node that was never good, compare with what held before it first failed, where it was not there yet."""
    unknown = Builds(outcome, good, graph.parents)
    if good is not None or outcome.manifest_key is None:
        return unknown
    history = [other for other in read_history(tx, graph, outcome.unique_id, outcome.at) if not other.is_good]
    began = streak_start(history).at if history else outcome.at
    before = find_manifest_at(tx, graph.scope, began - _MOMENT)
    if before is None or before == outcome.manifest_key:
        return unknown
    if any(row.unique_id == outcome.unique_id for row in list_lineage(tx, graph.scope.account_key, before)):
        return unknown
    span = Span(graph.scope, held.manifest.project_name, before, outcome.manifest_key)
    nodes = frozenset({outcome.unique_id, *upstream})
    return Builds(outcome, good, graph.parents, spans={span: nodes}, is_known=True)
