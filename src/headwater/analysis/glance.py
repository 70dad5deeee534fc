"""In what state all nodes of a lineage are, at a glance: from what happened last to each, without its history.

So a state says no more than `states.judge` can tell from one outcome: what is late or unusual takes a job and a
history, and what was built from bad data takes a look upstream. The page of a node tells those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from headwater.analysis.states import DESCRIBED, NodeFacts, judge
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState

Key = TypeVar("Key")

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


@dataclass(frozen=True, slots=True)
class Glanced:
    """What is looked at: a node's resource type and what it is made from."""

    resource_type: str
    parents: tuple[object, ...]


def glance(nodes: Mapping[Key, Glanced], latest: Mapping[Key, Outcome], now: datetime) -> dict[Key, NodeState]:
    """Tell the state of each node, parents given before children.

    A test counts for the one node it reads; one that reads several is a state of its own only. What is never built, as
    an exposure, is as good as what it is made from.
    """
    tests = _list_tests(nodes, latest)
    states: dict[Key, NodeState] = {}
    for key, node in nodes.items():
        if node.resource_type in DESCRIBED:
            states[key] = _judge_described(states[parent] for parent in node.parents if parent in states)
            continue
        outcome = latest.get(key)
        facts = NodeFacts(
            unique_id="",
            resource_type=node.resource_type,
            outcomes=(outcome,) if outcome is not None else (),
            tests=tests.get(key, {}),
        )
        states[key] = judge(facts, now).state
    return states


def find_worst(states: Iterable[NodeState]) -> NodeState:
    """Give the state of several nodes that are drawn as one: the worst of them."""
    found = frozenset(states)
    return next((state for state in WORST_FIRST if state in found), NodeState.UNKNOWN)


def _list_tests(
    nodes: Mapping[Key, Glanced], latest: Mapping[Key, Outcome]
) -> dict[object, dict[str, tuple[Outcome, ...]]]:
    found: defaultdict[object, dict[str, tuple[Outcome, ...]]] = defaultdict(dict)
    for key, node in nodes.items():
        if node.resource_type in _TESTS and len(node.parents) == 1 and key in latest:
            found[node.parents[0]][latest[key].unique_id] = (latest[key],)
    return found


def _judge_described(parents: Iterable[NodeState]) -> NodeState:
    states = frozenset(parents)
    if states & _OLD:
        return NodeState.STALE
    if states & {NodeState.TEST_FAILING, NodeState.WARNED}:
        return NodeState.WARNED
    return NodeState.HEALTHY if NodeState.HEALTHY in states else NodeState.UNKNOWN
