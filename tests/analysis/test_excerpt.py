"""Which part of a lineage is drawn, what is drawn as one, and in what state things are at a glance."""

from datetime import UTC, datetime, timedelta

import pytest

from headwater.analysis.excerpt import Cut, Graph, choose, gather, reverse
from headwater.analysis.glance import find_worst, glance
from headwater.model.lineage import Direction
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState

PARENTS = [[], [0], [1], [1], [2, 3], [4], []]
GRAPH = Graph(PARENTS, reverse(PARENTS), [1, 1, 1, 1, 1, 1, 1])
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

CUTS = {
    "all": (Cut(), [0, 1, 2, 3, 4, 5, 6]),
    "one level": (Cut(focus=2, depth=1), [1, 2, 4]),
    "two levels": (Cut(focus=2, depth=2), [0, 1, 2, 4, 5]),
    "up alone": (Cut(focus=2, direction=Direction.UP, depth=None), [0, 1, 2]),
    "down alone": (Cut(focus=2, direction=Direction.DOWN, depth=None), [2, 4, 5]),
    "neighbours of one more": (Cut(focus=2, depth=1, more=frozenset({4})), [1, 2, 3, 4, 5]),
    "a cause far away": (Cut(focus=5, depth=1, always=frozenset({0})), [0, 4, 5]),
}


@pytest.mark.parametrize(("cut", "expected"), CUTS.values(), ids=CUTS)
def test_a_cut_takes_what_was_asked_for(cut, expected):
    """Levels, direction, what was opened, and what is wanted however far away."""
    assert choose(GRAPH, cut) == expected


def test_what_is_not_shown_is_passed_over():
    """Tests that are hidden are neither drawn nor counted, nor walked through."""
    graph = Graph(PARENTS, reverse(PARENTS), [1, 1, 1, 0, 1, 1, 1])
    chosen = choose(graph, Cut(focus=2, depth=1))

    assert choose(graph, Cut(focus=1, direction=Direction.DOWN)) == [1, 2, 4, 5]
    assert gather(graph, chosen, {}).hidden_parents == (1, 0, 0)


def test_neighbours_that_are_not_drawn_are_counted():
    """A node says how many more there are on each side."""
    excerpt = gather(GRAPH, [1, 2], {})

    assert excerpt.members == ((1,), (2,))
    assert (excerpt.sources, excerpt.targets) == ((0,), (1,))
    assert excerpt.hidden_parents == (1, 0)
    assert excerpt.hidden_children == (1, 1)


def test_a_group_is_drawn_as_one_with_the_edges_of_all():
    """Edges within a group go away, several between the same two are one."""
    excerpt = gather(GRAPH, range(7), {2: "marts", 3: "marts", 4: "reports"})

    drawn = dict(zip(excerpt.members, excerpt.group_names, strict=True))
    assert drawn == {(0,): None, (1,): None, (2, 3): "marts", (4,): "reports", (5,): None, (6,): None}
    edges = {
        (excerpt.members[source], excerpt.members[target])
        for source, target in zip(excerpt.sources, excerpt.targets, strict=True)
    }
    assert edges == {((0,), (1,)), ((1,), (2, 3)), ((2, 3), (4,)), ((4,), (5,))}
    assert len(excerpt.sources) == len(edges)


STATES = {
    "built": ("model", {0: "success"}, [NodeState.HEALTHY]),
    "failed": ("model", {0: "error"}, [NodeState.FAILED]),
    "skipped": ("model", {0: "skipped"}, [NodeState.SKIPPED]),
    "never ran": ("model", {}, [NodeState.UNKNOWN]),
    "stale source": ("source", {0: "error"}, [NodeState.STALE]),
    "unreadable source": ("source", {0: "runtime error"}, [NodeState.MISSING]),
}


@pytest.mark.parametrize(("kind", "statuses", "expected"), STATES.values(), ids=STATES)
def test_a_node_has_the_state_of_what_happened_to_it_last(kind, statuses, expected):
    """By the same rules as a verdict, from one outcome."""
    assert glance([kind], [[]], outcomes(statuses), NOW) == expected


def test_a_failing_test_marks_the_one_node_it_reads():
    """A test that reads two nodes is a state of its own only."""
    kinds = ["model", "model", "test", "test"]
    states = glance(kinds, [[], [], [0], [0, 1]], outcomes({0: "success", 1: "success", 2: "fail", 3: "fail"}), NOW)

    assert states == [NodeState.TEST_FAILING, NodeState.HEALTHY, NodeState.TEST_FAILING, NodeState.TEST_FAILING]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("error", "stale"), ("success", "healthy"), (None, "unknown"), ("skipped", "stale")],
)
def test_an_exposure_is_as_good_as_what_it_is_made_from(status, expected):
    """Also over a metric between them."""
    told = {} if status is None else {0: status}

    assert glance(["model", "metric", "exposure"], [[], [0], [1]], outcomes(told), NOW)[2] == expected


def test_the_worst_of_several_states_is_said():
    """Healthy goes before unknown, since nothing bad is known of either."""
    assert find_worst([NodeState.HEALTHY, NodeState.WARNED, NodeState.FAILED]) is NodeState.FAILED
    assert find_worst([NodeState.UNKNOWN, NodeState.HEALTHY]) is NodeState.HEALTHY
    assert find_worst([]) is NodeState.UNKNOWN


def outcomes(statuses):
    return {
        node: Outcome(unique_id=str(node), status=status, at=NOW - timedelta(hours=1), invocation_key=1)
        for node, status in statuses.items()
    }
