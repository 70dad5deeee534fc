"""Up to when a node's content was read from what lies above it."""

from __future__ import annotations

from datetime import UTC, datetime

from headwater.analysis.reads import read_times

PARENTS = {"screen": ("view",), "view": ("table", "source"), "table": ("stage",), "stage": ("source",)}


def at(hour: int) -> datetime:
    return datetime(2026, 11, 20, hour, tzinfo=UTC)


def test_a_view_shows_what_there_is_now() -> None:
    """What a view reads counts up to now, also through further views; what a table read counts up to its build."""
    found = read_times("screen", PARENTS, {"table": at(2)}, {"table"}, at(9))

    assert found == {"view": at(9), "table": at(9), "source": at(9), "stage": at(2)}


def test_a_table_shows_what_there_was_when_it_was_built() -> None:
    """Nothing that came after a table's build is in it."""
    found = read_times("table", PARENTS, {"table": at(2)}, {"table"}, at(9))

    assert found == {"stage": at(2), "source": at(2)}


def test_a_table_that_was_not_built_hides_nothing_above_it() -> None:
    """Where a table's build failed, the reason may lie above."""
    found = read_times("screen", PARENTS, {}, {"table"}, at(9))

    assert found["stage"] == at(9)


def test_nodes_made_from_one_another_come_to_an_end() -> None:
    """A circle is walked once."""
    found = read_times("a", {"a": ("b",), "b": ("a", "c"), "c": ("b",)}, {}, set(), at(9))

    assert found == {"b": at(9), "c": at(9)}
