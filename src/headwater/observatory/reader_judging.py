"""A node that is well by itself, judged by who reads the same: they fail on data that are in it, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from headwater.analysis.causes.explaining import explain
from headwater.analysis.failures import OF_VALUES, classify_failure
from headwater.analysis.roots import each_upstream
from headwater.analysis.states import Judgement, NodeFacts
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import CauseKind, NodeState
from headwater.observatory.doubts import in_doubt_since, is_stored
from headwater.observatory.evidence import read_latest
from headwater.observatory.explaining import Inquiry, lead, read_bad
from headwater.observatory.failure_evidence import read_failure
from headwater.observatory.lineage import Graph
from headwater.observatory.upstream_judging import Worse, times_of

_MOST_READERS = 5
_CHANGED = frozenset({
    CauseKind.UPSTREAM_CODE_CHANGED, CauseKind.SEED_CHANGED, CauseKind.COLUMNS_CHANGED, CauseKind.DATA_CHANGED,
})  # fmt: skip


def look_at_readers(inquiry: Inquiry, facts: NodeFacts, judgement: Judgement) -> Worse | None:
    """Judge a node by others that read it, or what it is made from, and fail on the data; None where none does.

    A model that gives text for a number is built well, and so is what passes it on: only who calculates with it fails.
    A table that lost its rows may be missed by a test that compares another one with it.
    """
    graph = inquiry.graph
    watched = {facts.unique_id, *each_upstream(facts.unique_id, graph.parents)} & graph.nodes.keys()
    read_at = times_of(inquiry, facts)
    for there, failed in _each_failing(inquiry, watched):
        told = replace(inquiry, graph=there)
        failure = read_failure(inquiry.tx, inquiry.estate, there, failed, read_bad(told, failed), inquiry.now)
        causes = explain(failure)
        subject = causes[0].unique_id
        if subject is None or subject not in watched or causes[0].kind not in _CHANGED:
            continue
        since = in_doubt_since(inquiry.tx, graph.scope.account_key, graph.nodes[subject], failed)
        if since > read_at.get(subject, inquiry.now):
            continue
        reason = f"{short_name(failed.unique_id)} fails on data of {short_name(subject)}, which are in it, too."
        worse = replace(judgement, state=NodeState.WARNED, reason=reason, since=since)
        return Worse(worse, lead(reason, causes))
    return None


def _list_readers(graph: Graph, names: Iterable[str]) -> set[str]:
    """List what reads some nodes, also through views, and their tests."""
    begun = set(names)
    found: set[str] = set()
    waiting = list(begun)
    for name in waiting:
        new = [child for child in graph.children.get(name, ()) if child not in found and child not in begun]
        found.update(new)
        waiting += [child for child in new if not is_stored(graph.nodes[child])]
    return found.union(*(graph.readers.get(name, ()) for name in waiting))


def _is_of_data(failed: Outcome) -> bool:
    return failed.status == "fail" or classify_failure(failed.message) in OF_VALUES


def _each_failing(inquiry: Inquiry, watched: Iterable[str]) -> Iterator[tuple[Graph, Outcome]]:
    """Stream what reads some nodes and failed last on the data, in their own project and in those that import them."""
    estate, home = inquiry.estate, inquiry.estate.held[inquiry.graph.scope]
    owners = {home.address(name) for name in watched}
    for held in estate.held.values():
        is_home = held.place.scope == inquiry.graph.scope
        known = {name for name in held.imported if estate.stands_for.get(held.address(name)) in owners}
        if not is_home and not known:
            continue
        graph = inquiry.graph if is_home else held.graph
        names = set(watched) if is_home else known
        children = _list_readers(graph, names)
        latest = read_latest(inquiry.tx, graph, sorted(children), inquiry.now)
        failing = [one for one in latest.values() if one.is_failed and _is_of_data(one)]
        for failed in failing[:_MOST_READERS]:
            yield graph, failed
