"""What builds read, and how old data are, by histories written down in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.provenance import Provenance
from headwater.model.build import AgeBasis, DataAge
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def node(name: str) -> NodeAddress:
    """Give an address."""
    return NodeAddress(1, 1, 1, name)


def hour(number: float) -> datetime:
    """Give an hour of the day."""
    return DAY + timedelta(hours=number)


def provenance(
    parents: Mapping[str, Sequence[str]],
    built: Mapping[str, Sequence[float]],
    loaded: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    views: Sequence[str] = (),
) -> Provenance:
    """Make a past: hours at which nodes were built, and pairs of hours for sources, of a check and its newest row."""

    def build_at(address: NodeAddress, moment: datetime) -> Outcome | None:
        times = [hour(number) for number in built.get(address.unique_id, ()) if hour(number) <= moment]
        if not times:
            return None
        return Outcome(unique_id=address.unique_id, status="success", at=max(times), invocation_key=1)

    def loaded_at(address: NodeAddress, moment: datetime) -> datetime | None:
        checks = [pair for pair in (loaded or {}).get(address.unique_id, ()) if hour(pair[0]) <= moment]
        return hour(max(checks)[1]) if checks else None

    names = {*parents, *(parent for above in parents.values() for parent in above)}
    return Provenance(
        parents={node(child): tuple(map(node, above)) for child, above in parents.items()},
        build_at=build_at,
        loaded_at=loaded_at,
        read_through=frozenset(map(node, views)),
        sources=frozenset(node(name) for name in names if name.startswith("source.")),
    )


@pytest.mark.parametrize(
    ("parents", "built", "loaded", "views", "asked", "oldest"),
    [
        # a table is as old as the newest row its source had when the table was built, not as the newest there is now
        ({"t": ["source.s"]}, {"t": [4]}, {"source.s": [(3, 2), (9, 8)]}, (), 10, ("source.s", AgeBasis.LOADED, 2)),
        # without freshness it is as old as the build that read the source
        ({"t": ["source.s"]}, {"t": [4]}, {}, (), 10, ("source.s", AgeBasis.BUILT, 4)),
        # through the build that was really read: b read a as of 4, though a was built again at 6
        ({"a": ["source.s"], "b": ["a"]}, {"a": [4, 6], "b": [5]}, {}, (), 10, ("source.s", AgeBasis.BUILT, 4)),
        ({"a": ["source.s"], "b": ["a"]}, {"a": [4, 6], "b": [5, 7]}, {}, (), 10, ("source.s", AgeBasis.BUILT, 6)),
        # a view shows what its parents hold now, whenever it was built
        ({"a": ["source.s"], "v": ["a"]}, {"a": [4, 6], "v": [5]}, {}, ("v",), 10, ("source.s", AgeBasis.BUILT, 6)),
        # a table that reads a view reads what was behind it then
        (
            {"a": ["source.s"], "v": ["a"], "t": ["v"]}, {"a": [4, 8], "v": [1], "t": [7]}, {}, ("v",), 10,
            ("source.s", AgeBasis.BUILT, 4),
        ),
        # of several sources the oldest is named
        (
            {"t": ["source.s", "source.r"]}, {"t": [4]}, {"source.s": [(3, 2)], "source.r": [(3, 1)]}, (), 10,
            ("source.r", AgeBasis.LOADED, 1),
        ),
        # a seed that was built long ago makes nothing old, where there is a source
        ({"t": ["seed.x", "source.s"]}, {"seed.x": [0], "t": [4]}, {}, (), 10, ("source.s", AgeBasis.BUILT, 4)),
        ({"t": ["seed.x"]}, {"seed.x": [0], "t": [4]}, {}, (), 10, ("seed.x", AgeBasis.BUILT, 0)),
        # asked of the past
        ({"t": ["source.s"]}, {"t": [4, 9]}, {}, (), 5, ("source.s", AgeBasis.BUILT, 4)),
    ],
)  # fmt: skip
def test_data_are_as_old_as_what_was_really_read(
    parents: dict[str, list[str]],
    built: dict[str, list[float]],
    loaded: dict[str, list[tuple[float, float]]],
    views: tuple[str, ...],
    asked: float,
    oldest: tuple[str, AgeBasis, float],
) -> None:
    """The oldest beginning, followed through the builds that were there when they were read."""
    found = provenance(parents, built, loaded, views).data_as_of(node(list(parents)[-1]), hour(asked)).oldest

    assert found is not None
    assert (found.address.unique_id, found.basis, found.at) == (oldest[0], oldest[1], hour(oldest[2]))


def test_what_was_never_built_is_not_known() -> None:
    """A parent without a stored build is named as not known, and the rest is still told."""
    found = provenance({"t": ["a", "source.s"]}, {"t": [4]}).data_as_of(node("t"), hour(5))

    assert found.unknown == (DataAge(node("a"), AgeBasis.UNKNOWN, None, node("t")),)
    assert found.oldest is not None


def test_a_build_reads_tables_behind_views_once() -> None:
    """Two views on one table are one reading, of the build that was there."""
    past = provenance({"v": ["a"], "w": ["a", "v"], "t": ["v", "w"]}, {"a": [1, 3, 9], "t": [4]}, views=("v", "w"))

    (reading,) = past.readings(node("t"), hour(4))

    assert reading.address == node("a")
    assert reading.build is not None
    assert reading.build.at == hour(3)


NAMES = ["source.s", "a", "b", "c", "d"]
GRAPHS = st.dictionaries(st.sampled_from(NAMES[1:]), st.lists(st.sampled_from(NAMES), max_size=3), min_size=1)
TIMES = st.dictionaries(st.sampled_from(NAMES[1:]), st.lists(st.integers(0, 9), max_size=3))


@given(GRAPHS, TIMES, st.sets(st.sampled_from(NAMES[1:])))
def test_any_graph_is_answered_and_nothing_is_newer_than_the_question(
    parents: dict[str, list[str]], built: dict[str, list[float]], views: set[str]
) -> None:
    """Circles, missing parents and missing builds end in an answer in which no data are from the future."""
    past = provenance(parents, built, views=tuple(views))

    for name in parents:
        found = past.data_as_of(node(name), hour(5))
        assert all(age.at is None or age.at <= hour(5) for age in found.ages)
        assert [age.at for age in found.ages if age.at] == sorted(age.at for age in found.ages if age.at)
