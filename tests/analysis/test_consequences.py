"""Who suffers from a fault, by histories written down in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.consequences import Reach, Tracing, find_affected, find_obstacles
from headwater.analysis.rerun import estimate_time, select_rerun
from headwater.analysis.roots import list_roots
from headwater.model.consequence import Affected, Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome

DAY = datetime(2026, 11, 20, tzinfo=UTC)
FAILED, SKIPPED, BUILT, READS, NOT_REBUILT = (
    Suffering.FAILED, Suffering.SKIPPED, Suffering.BUILT_FROM_BAD_DATA, Suffering.READS_BAD_DATA, Suffering.NOT_REBUILT,
)  # fmt: skip
CHAIN = {"p": [], "d": ["p"], "e": ["d"]}


def node(name: str) -> NodeAddress:
    """Give an address."""
    return NodeAddress(1, 1, 1, name)


def hour(number: float) -> datetime:
    """Give an hour of the day."""
    return DAY + timedelta(hours=number)


def outcome(name: str, at: float, status: str) -> Outcome:
    """Make something that happened."""
    return Outcome(unique_id=name, status=status, at=hour(at), invocation_key=int(at), run_id=int(at))


def affected(
    parents: Mapping[str, Sequence[str]],
    history: Mapping[str, Sequence[tuple[float, str]]],
    origins: Mapping[str, tuple[float, Suffering]],
    until: float | None = None,
    **more: Sequence[str],
) -> dict[str, Suffering]:
    """Follow a fault through a history, and give what suffers what at noon."""

    def outcome_at(address: NodeAddress, moment: datetime) -> Outcome | None:
        happened = [pair for pair in history.get(address.unique_id, ()) if hour(pair[0]) <= moment]
        return outcome(address.unique_id, *max(happened)) if happened else None

    reach = Reach(
        parents={node(child): tuple(map(node, above)) for child, above in parents.items()},
        **{name: frozenset(map(node, names)) for name, names in more.items()},
    )
    begun = {
        node(name): Origin(
            address=node(name), since=hour(since), suffers=suffers, until=None if until is None else hour(until)
        )
        for name, (since, suffers) in origins.items()
    }
    found, spared = find_affected(tuple(map(node, parents)), Tracing(reach, begun, outcome_at), hour(12))
    assert len(found) + len(spared) == len(parents)
    return {one.address.unique_id: one.suffers for one in found}


@pytest.mark.parametrize(
    ("rebuilt", "suffering"),
    [
        ({}, {"d": BUILT, "e": BUILT}),  # nothing was built since
        ({"d": 9}, {"e": BUILT}),  # d from what was mended, and e not since
        ({"d": 9, "e": 10}, {}),
        ({"e": 10}, {"d": BUILT, "e": BUILT}),  # e from the old build of d
    ],
)
def test_what_read_a_fault_that_is_mended_has_it_until_it_is_built_anew(
    rebuilt: dict[str, float], suffering: dict[str, Suffering]
) -> None:
    """The table was bad from five to eight; who read it then has that, whatever else was built since."""
    built = {"p": [(5.0, "success"), (8.0, "success")], "d": [(6.0, "success")], "e": [(7.0, "success")]}
    for name, at in rebuilt.items():
        built[name].append((at, "success"))

    assert affected(CHAIN, built, {"p": (5, Suffering.TEST_FAILING)}, until=8) == suffering


@pytest.mark.parametrize(
    ("history", "suffering"),
    [
        # skipped in the run of the failure
        ({"p": [(1, "success"), (5, "error")], "d": [(2, "success"), (5, "skipped")], "e": [(5, "skipped")]},
         {"p": FAILED, "d": SKIPPED, "e": SKIPPED}),
        # built before the fault: not affected
        ({"p": [(1, "success"), (5, "error")], "d": [(2, "success")], "e": [(3, "success")]}, {"p": FAILED}),
        # built by another job after it, from the table that was not renewed
        ({"p": [(1, "success"), (5, "error")], "d": [(2, "success"), (6, "success")], "e": [(3, "success")]},
         {"p": FAILED, "d": BUILT}),
        # e was built after the fault, but from a build of d from before it
        ({"p": [(1, "success"), (5, "error")], "d": [(2, "success"), (8, "success")], "e": [(6, "success")]},
         {"p": FAILED, "d": BUILT}),
        ({"p": [(1, "success"), (5, "error")], "d": [(2, "success"), (7, "success")], "e": [(8, "success")]},
         {"p": FAILED, "d": BUILT, "e": BUILT}),
    ],
)  # fmt: skip
def test_who_suffers_is_told_by_the_builds_that_read_the_fault(
    history: dict[str, list[tuple[float, str]]], suffering: dict[str, Suffering]
) -> None:
    """Failed, skipped, built from bad data, or spared: by what each build found in its parents."""
    assert affected(CHAIN, history, {"p": (5, FAILED)}) == suffering


def test_a_view_and_an_exposure_show_at_once_what_is_below_them() -> None:
    """Built long before the fault, they read it all the same; a table that was built before does not."""
    parents = {"p": [], "v": ["p"], "t": ["v"], "x": ["v"], "y": ["t"]}
    history = {"p": [(5, "error")], "v": [(2, "success")], "t": [(3, "success")]}

    found = affected(parents, history, {"p": (5, FAILED)}, views=["v"], described=["x", "y"])

    assert found == {"p": FAILED, "v": READS, "x": READS}


def test_a_view_that_could_not_be_renewed_does_its_readers_no_harm() -> None:
    """It failed, or was skipped for another's failure; who reads it then gets what its parents hold, good or bad."""
    parents = {"p": [], "v": ["p"], "w": ["v"], "t": ["w"], "x": ["w"]}
    history = {"v": [(2, "success"), (5, "error")], "w": [(2, "success"), (5, "skipped")], "t": [(8, "success")]}

    found = affected(parents, history, {"v": (5, FAILED)}, views=["v", "w"], described=["x"])
    old = affected(parents, history, {"p": (5, NOT_REBUILT)}, views=["v", "w"], described=["x"])

    assert found == {"v": FAILED, "w": SKIPPED}
    assert old == {"p": NOT_REBUILT, "v": FAILED, "w": SKIPPED, "t": BUILT, "x": READS}


def test_what_a_run_did_not_come_to_suffers_until_it_is_built() -> None:
    """Not rebuilt since a run that ended before it; built since then by another one, it is well."""
    history = {"p": [(1, "success")], "d": [(1, "success"), (7, "success")]}

    found = affected({"p": [], "d": []}, history, {"p": (5, NOT_REBUILT), "d": (5, NOT_REBUILT)})

    assert found == {"p": NOT_REBUILT}


def test_another_fault_below_is_not_this_one() -> None:
    """A node that fails for a reason of its own, and what it skips, are not counted to a fault that it never read."""
    history = {"p": [(5, "error")], "d": [(4, "error")], "e": [(4, "skipped")]}

    assert affected(CHAIN, history, {"p": (5, FAILED)}, elsewhere=["d"]) == {"p": FAILED}


def test_a_node_alone_is_no_remedy_while_its_parents_are_bad() -> None:
    """What is in the way is what suffers and is not built again; a view need not be."""
    parents = {"p": [], "d": ["p"], "v": ["d"], "e": ["v"]}
    reach = Reach(parents={node(child): tuple(map(node, above)) for child, above in parents.items()})
    bad = {
        node(name): Affected(address=node(name), suffers=suffers, since=None)
        for name, suffers in (("p", FAILED), ("d", SKIPPED), ("v", READS), ("e", SKIPPED))
    }

    def obstacles(*rerun: str, standing: Sequence[str] = ()) -> list[str]:
        chosen = frozenset(map(node, rerun))
        found = find_obstacles(node("e"), chosen, bad, reach, frozenset(map(node, standing)))
        return [address.unique_id for address in found]

    assert obstacles("e") == ["d"]
    assert obstacles("e", "d") == ["p"]
    assert obstacles("e", "d", "p") == []
    assert obstacles("e", "d", "p", standing=["p"]) == ["p"]
    assert obstacles("d", "p") == ["e"]


@pytest.mark.parametrize(
    ("wanted", "parents", "harmless", "selected"),
    [
        ("pde", CHAIN, "", (["p"], [], [])),
        ("e", CHAIN, "", ([], ["e"], [])),
        ("pd", CHAIN, "", (["p"], [], ["e"])),
        ("pd", CHAIN, "e", (["p"], [], [])),
        ("de", {"d": [], "e": []}, "", ([], ["d", "e"], [])),
        ("p", {"p": [], **{name: ["p"] for name in "wxyz"}}, "", ([], ["p"], [])),
    ],
)
def test_the_rerun_builds_what_suffers_and_little_else(
    wanted: str, parents: dict[str, list[str]], harmless: str, selected: tuple[list[str], list[str], list[str]]
) -> None:
    """With `+` where all below suffers, without what does not, and by name where most of it does not."""
    edges = {node(child): tuple(map(node, above)) for child, above in parents.items()}

    found = select_rerun([*map(node, wanted)], [*edges], edges, frozenset(map(node, harmless)))

    assert [[one.unique_id for one in part] for part in (found.with_below, found.alone, found.excluded)] == [*selected]


def test_time_is_that_of_the_longest_chain_or_of_the_threads() -> None:
    """Four minutes in a chain, or side by side on two threads."""
    names = [node(name) for name in "abcd"]
    spans = dict.fromkeys(names, timedelta(minutes=1))
    chain = {names[place]: [names[place - 1]] for place in range(1, 4)}

    assert estimate_time(names, chain, spans, 4) == timedelta(minutes=4)
    assert estimate_time(names, {}, spans, 4) == timedelta(minutes=1)
    assert estimate_time(names, {}, spans, 2) == timedelta(minutes=2)
    assert estimate_time(names, {}, {}, 2) is None


def test_two_failing_tests_of_one_node_are_both_where_it_began() -> None:
    """Neither is a symptom of the other; a model that fails below them is."""
    parents = {"test.a": ["model.m"], "test.b": ["model.m"], "model.n": ["model.m"]}
    failing = {name: outcome(name, 5, "error") for name in parents}

    assert {root.unique_id for root in list_roots(failing, parents)} == {"test.a", "test.b"}


NAMES = "pabcd"
STATUSES = st.sampled_from(["success", "error", "skipped"])
HISTORIES = st.dictionaries(st.sampled_from(NAMES), st.lists(st.tuples(st.integers(0, 11), STATUSES), max_size=4))
GRAPHS = st.fixed_dictionaries({name: st.lists(st.sampled_from(NAMES), max_size=3) for name in NAMES})


@given(GRAPHS, HISTORIES, st.sets(st.sampled_from(NAMES)))
def test_any_graph_ends_and_what_is_not_below_never_suffers(
    parents: dict[str, list[str]], history: dict[str, list[tuple[float, str]]], views: set[str]
) -> None:
    """Circles are answered; all that suffers lies below where the fault came to light."""
    found = affected(parents, history, {"p": (5, FAILED)}, views=sorted(views))

    below = {"p"}
    while more := {child for child, above in parents.items() if below & {*above}} - below:
        below |= more
    assert found.keys() <= below
    assert found["p"] is FAILED
