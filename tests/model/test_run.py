"""How observations of a run merge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headwater.model.run import Run, RunStatus, RunStep, merge_runs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def moments() -> st.SearchStrategy[datetime | None]:
    return st.none() | st.integers(0, 5).map(lambda minutes: NOON + timedelta(minutes=minutes))


def steps() -> st.SearchStrategy[tuple[RunStep, ...]]:
    one = st.builds(
        RunStep,
        index=st.integers(1, 3),
        name=st.just("step"),
        status=st.sampled_from(RunStatus),
        command=st.none() | st.just("dbt build"),
        started_at=moments(),
        finished_at=moments(),
        log=st.none() | st.sampled_from(["short", "a longer log"]),
    )
    return st.lists(one, max_size=3, unique_by=lambda step: step.index).map(
        lambda some: tuple(sorted(some, key=lambda step: step.index))
    )


def observed() -> st.SearchStrategy[Run]:
    return st.builds(
        Run,
        run_id=st.just(7),
        status=st.sampled_from(RunStatus),
        updated_at=moments(),
        started_at=moments(),
        finished_at=moments(),
        job_id=st.none() | st.just(3),
        artifacts_saved=st.booleans(),
        steps=steps(),
    )


@given(observed(), observed())
def test_merging_does_not_mind_the_order(one: Run, other: Run) -> None:
    """Which observation came first changes nothing."""
    assert merge_runs(one, other) == merge_runs(other, one)


@given(observed())
def test_merging_with_itself_changes_nothing(one: Run) -> None:
    """The same observation again changes nothing."""
    assert merge_runs(one, one) == one


@given(observed(), observed())
def test_a_finished_run_never_opens_again(one: Run, other: Run) -> None:
    """Where either observation is finished the merged run is finished."""
    merged = merge_runs(one, other)

    assert merged.is_finished == (one.is_finished or other.is_finished)


@given(observed(), observed())
def test_nothing_known_is_lost(one: Run, other: Run) -> None:
    """A job, a start and a saved artifact that one observation knew are known afterwards."""
    merged = merge_runs(one, other)

    assert (merged.job_id is None) == (one.job_id is None and other.job_id is None)
    assert (merged.started_at is None) == (one.started_at is None and other.started_at is None)
    assert merged.artifacts_saved == (one.artifacts_saved or other.artifacts_saved)
    assert {step.index for step in merged.steps} == {step.index for step in (*one.steps, *other.steps)}
