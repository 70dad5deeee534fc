"""The way from a bad node to its cause, and what the failures of a run have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.paths import find_path
from headwater.analysis.run_causes import choose_spokesmen, find_reaches, group_causes
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PARENTS = {
    "model.a": ("source.s",),
    "model.b": ("model.a",),
    "model.c": ("model.b", "model.good"),
    "model.good": ("model.a",),
    "model.d": ("model.c", "model.e"),
    "test.a": ("model.a",),
    "test.d": ("model.d",),
    "model.loop": ("model.loop", "model.gone"),
}


@pytest.mark.parametrize(
    ("asked", "failed", "subject", "bad", "path"),
    [
        ("model.a", "model.a", None, {"model.a"}, ["model.a"]),
        ("model.c", "model.a", "source.s", {"model.a", "model.b", "model.c"},
         ["model.c", "model.b", "model.a", "source.s"]),
        ("model.c", "model.a", "model.a", {"model.a", "model.good"}, ["model.c", "model.good", "model.a"]),
        ("model.b", "test.a", "source.s", {"test.a", "model.b"}, ["model.b", "test.a", "model.a", "source.s"]),
        ("model.a", "test.a", "model.a", {"test.a"}, ["model.a", "test.a"]),
        ("test.a", "test.a", "model.a", {"test.a"}, ["test.a", "model.a"]),
        ("test.d", "test.d", "test.a", {"test.d", "test.a"}, ["test.d", "model.d", "model.c", "model.b", "test.a"]),
        ("model.a", "model.d", None, set(), ["model.a", "model.d"]),
        ("model.loop", "model.gone", None, set(), ["model.loop", "model.gone"]),
    ],
)  # fmt: skip
def test_the_way_leads_over_what_is_bad(
    asked: str, failed: str, subject: str | None, bad: set[str], path: list[str]
) -> None:
    """Each step is read by the one before it; a test stands between what it stopped and what it tests."""
    found = find_path(asked, failed, subject, PARENTS, bad)

    assert list(found) == path


def bad(*statuses: tuple[str, str], message: str | None = None) -> dict[str, Outcome]:
    """Make what was not good in a run, a second apart."""
    return {
        unique_id: Outcome(
            unique_id=unique_id, status=status, at=NOW + timedelta(seconds=place), invocation_key=1, run_id=1,
            message=message,
        )
        for place, (unique_id, status) in enumerate(statuses)
    }  # fmt: skip


def test_what_a_failure_reached_is_counted_once() -> None:
    """Two failures above one skipped node: the earlier one has it; a failure below another is a symptom."""
    in_run = bad(
        ("model.e", "error"), ("model.a", "error"), ("model.b", "error"), ("model.c", "skipped"), ("model.d", "skipped")
    )

    reaches = find_reaches(in_run, PARENTS)

    assert [(one.root.unique_id, one.failed, one.skipped) for one in reaches] == [
        ("model.e", ("model.e",), ("model.d",)),
        ("model.a", ("model.a", "model.b"), ("model.c",)),
    ]


def test_a_failing_test_has_what_it_stopped() -> None:
    """What is made from the tested model was skipped by the test, not the model's other tests."""
    (reach,) = find_reaches(bad(("test.a", "fail"), ("model.b", "skipped")), PARENTS)

    assert (reach.failed, reach.skipped) == (("test.a",), ("model.b",))


def test_a_hundred_failures_with_one_cause_are_one() -> None:
    """One message of the warehouse is explained once and told once, with all that failed."""
    in_run = bad(*((f"model.m{number}", "error") for number in range(100)), message="deadlock detected")
    reaches = find_reaches(in_run, {})
    (spokesman,) = choose_spokesmen(reaches, 20)
    cause = Cause(kind=CauseKind.WAREHOUSE_TROUBLE, confidence=0.95, evidence=("…",), run_id=1, about="lock")

    (group,) = group_causes(reaches, {spokesman.root.unique_id: (cause,)})

    assert (group.cause, len(group.failed)) == (cause, 100)


def test_a_cause_that_explains_others_is_taken_where_it_is_nearly_as_likely() -> None:
    """Two tests fail: the one's likeliest cause is the other's second."""
    shared = Cause(kind=CauseKind.UPSTREAM_CODE_CHANGED, confidence=0.85, evidence=("…",), unique_id="model.a")
    own = Cause(kind=CauseKind.CODE_CHANGED, confidence=0.9, evidence=("…",), unique_id="model.e")
    reaches = find_reaches(bad(("model.b", "error"), ("model.e", "error")), PARENTS)

    groups = group_causes(reaches, {"model.b": (shared,), "model.e": (own, shared)})

    assert [(one.cause.unique_id, one.failed) for one in groups] == [("model.a", ("model.b", "model.e"))]


def test_what_was_not_explained_is_told_by_itself() -> None:
    """A failure beyond those that were read is there with its message, not left out."""
    (group,) = group_causes(find_reaches(bad(("model.b", "error"), message="odd\x00"), PARENTS), {})

    assert (group.cause.kind, group.cause.unique_id, group.failed) == ("node_failed", "model.b", ("model.b",))


names = st.sampled_from([f"model.m{number}" for number in range(8)] + ["test.t1", "test.t2"])
graphs = st.dictionaries(names, st.lists(names, max_size=3).map(tuple))


@given(graphs, st.dictionaries(names, st.sampled_from(["error", "fail", "skipped"])))
def test_every_failure_is_in_one_group(parents: dict[str, tuple[str, ...]], statuses: dict[str, str]) -> None:
    """Whatever the graph, circles too: each failed node is told once, and nothing that was not bad."""
    in_run = bad(*statuses.items())

    reaches = find_reaches(in_run, parents)

    failed = [name for reach in reaches for name in reach.failed]
    skipped = [name for reach in reaches for name in reach.skipped]
    assert sorted(failed) == sorted(name for name, found in in_run.items() if found.is_failed)
    assert len(set(skipped)) == len(skipped)
    assert set(skipped) <= {name for name, status in statuses.items() if status == "skipped"}


@given(graphs, names, names, st.one_of(st.none(), names), st.sets(names))
def test_a_path_begins_at_the_question_and_ends_at_the_cause(
    parents: dict[str, tuple[str, ...]], asked: str, failed: str, subject: str | None, around: set[str]
) -> None:
    """In any graph, and it passes no node twice in a row."""
    path = find_path(asked, failed, subject, parents, around)

    assert path[0] == asked
    assert failed in path
    assert subject is None or subject in path
    assert all(one != other for one, other in pairwise(path))
