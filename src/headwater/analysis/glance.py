"""In what state all nodes of a lineage are, at a glance: from what happened last to each, without its history.

So a state says no more than `states.judge` can tell from one outcome: what is late or unusual takes a job and a
history, and what was built from bad data takes a look upstream. The page of a node tells those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from headwater.analysis.states import DESCRIBED, NodeFacts, judge
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState

WORST_FIRST = (
    NodeState.FAILED,
    NodeState.TEST_FAILING,
    NodeState.MISSING,
    NodeState.STALE,
    NodeState.LATE,
    NodeState.SKIPPED,
    NodeState.ANOMALOUS,
    NodeState.WARNED,
    NodeState.HEALTHY,
    NodeState.UNKNOWN,
)
"""The states in the order in which they matter to who looks."""

_TESTS = frozenset({"test", "unit_test"})
_OLD = frozenset({NodeState.FAILED, NodeState.SKIPPED, NodeState.MISSING, NodeState.STALE, NodeState.LATE})


def glance(
    kinds: Sequence[str], parents: Sequence[Sequence[int]], latest: Mapping[int, Outcome], now: datetime
) -> list[NodeState]:
    """Tell the state of each node from its resource type and what it is made from, parents given before children.

    A test counts for the one node it reads; one that reads several is a state of its own only. What is never built, as
    an exposure, is as good as what it is made from.
    """
    tests = _list_tests(kinds, parents, latest)
    states: list[NodeState] = []
    alike: dict[tuple[str, str], NodeState] = {}
    for node, kind in enumerate(kinds):
        if kind in DESCRIBED:
            states.append(_judge_described([states[parent] for parent in parents[node] if parent < node]))
            continue
        outcome = latest.get(node)
        if outcome is None and node not in tests:
            states.append(NodeState.UNKNOWN)
            continue
        key = (kind, outcome.status) if outcome is not None and node not in tests else None
        if key is not None and key in alike:
            states.append(alike[key])
            continue
        facts = NodeFacts(
            unique_id="",
            resource_type=kind,
            outcomes=(outcome,) if outcome is not None else (),
            tests=tests.get(node, {}),
        )
        states.append(judge(facts, now).state)
        if key is not None:
            alike[key] = states[-1]
    return states


def find_worst(states: Iterable[NodeState]) -> NodeState:
    """Give the state of several nodes that are drawn as one: the worst of them."""
    found = frozenset(states)
    return next((state for state in WORST_FIRST if state in found), NodeState.UNKNOWN)


def _list_tests(
    kinds: Sequence[str], parents: Sequence[Sequence[int]], latest: Mapping[int, Outcome]
) -> dict[int, dict[str, tuple[Outcome, ...]]]:
    found: defaultdict[int, dict[str, tuple[Outcome, ...]]] = defaultdict(dict)
    for node, kind in enumerate(kinds):
        if kind in _TESTS and len(parents[node]) == 1 and node in latest:
            found[parents[node][0]][str(node)] = (latest[node],)
    return found


def _judge_described(parents: Iterable[NodeState]) -> NodeState:
    states = frozenset(parents)
    if states & _OLD:
        return NodeState.STALE
    if states & {NodeState.TEST_FAILING, NodeState.WARNED}:
        return NodeState.WARNED
    return NodeState.HEALTHY if NodeState.HEALTHY in states else NodeState.UNKNOWN
