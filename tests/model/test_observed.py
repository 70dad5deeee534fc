"""How observations of a run merge: the same whatever the order, the grouping and the repetition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from headwater.model.observed import ObservedRun, Source, merge_runs, observe, pack_sources, unpack_sources
from headwater.model.run import Run, RunStatus, RunStep, Trigger, Way

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def moments() -> st.SearchStrategy[datetime | None]:
    return st.none() | st.integers(0, 5).map(lambda minutes: NOON + timedelta(minutes=minutes))


def steps() -> st.SearchStrategy[tuple[RunStep, ...]]:
    one = st.builds(
        RunStep,
        index=st.integers(1, 3),
        name=st.sampled_from(["step", "other"]),
        status=st.sampled_from(RunStatus),
        command=st.none() | st.just("dbt build"),
        started_at=moments(),
        finished_at=moments(),
        log=st.none() | st.sampled_from(["short", "a longer log"]),
    )
    return st.lists(one, max_size=4).map(tuple)


def runs() -> st.SearchStrategy[Run]:
    return st.builds(
        Run,
        run_id=st.just(7),
        status=st.sampled_from(RunStatus),
        updated_at=moments(),
        started_at=moments(),
        finished_at=moments(),
        job_id=st.none() | st.integers(3, 4),
        git_sha=st.none() | st.sampled_from("ab"),
        trigger=st.none()
        | st.builds(Trigger, category=st.none() | st.just("ci"), cause=st.none() | st.sampled_from("xy")),
        artifacts_saved=st.booleans(),
        steps=steps(),
    )


def observations() -> st.SearchStrategy[ObservedRun]:
    return st.builds(observe, runs(), st.sampled_from(Way))


@given(observations(), observations(), observations())
def test_order_and_grouping_change_nothing(one: ObservedRun, other: ObservedRun, third: ObservedRun) -> None:
    """Which came first, and which were merged before the others, changes neither the run nor who supplied what."""
    assert merge_runs(one, other) == merge_runs(other, one)
    assert merge_runs(merge_runs(one, other), third) == merge_runs(one, merge_runs(other, third))


@given(observations())
def test_merging_with_itself_changes_nothing(one: ObservedRun) -> None:
    """The same observation again changes nothing."""
    assert merge_runs(one, one) == one


@given(st.lists(observations(), min_size=1, max_size=6), st.data())
def test_any_history_of_the_same_observations_ends_the_same(seen: list[ObservedRun], data: st.DataObject) -> None:
    """Shuffled, repeated and merged in groups, a history gives what merging it in order gives."""
    repeats = data.draw(st.lists(st.sampled_from(seen), max_size=4))
    history = data.draw(st.permutations([*seen, *repeats]))
    cut = data.draw(st.integers(1, len(history)))
    groups = [group for group in (history[:cut], history[cut:]) if group]

    assert reduce(merge_runs, (reduce(merge_runs, group) for group in groups)) == reduce(merge_runs, seen)


@given(observations(), observations())
def test_a_finished_run_opens_only_by_a_later_update(one: ObservedRun, other: ObservedRun) -> None:
    """Where the merged run is open though one was finished, dbt Cloud had updated the open one later."""
    merged = merge_runs(one, other).run
    finished = [seen.run for seen in (one, other) if seen.run.is_finished]
    opened = [seen.run for seen in (one, other) if not seen.run.is_finished]

    if merged.is_finished or not finished:
        assert merged.is_finished == bool(finished)
    else:
        assert opened[0].updated_at is not None
        known_at = finished[0].updated_at or finished[0].finished_at
        assert known_at is None or opened[0].updated_at > known_at


@given(observations(), observations())
def test_nothing_known_is_lost(one: ObservedRun, other: ObservedRun) -> None:
    """What either knew is known afterwards, and its source is one that told exactly this."""
    merged = merge_runs(one, other)

    for name in ("job_id", "git_sha", "started_at", "finished_at"):
        told = {getattr(seen.run, name) for seen in (one, other)} - {None}
        assert getattr(merged.run, name) in (told or {None})
        assert (name in merged.sources) == bool(told)
    assert merged.run.artifacts_saved == (one.run.artifacts_saved or other.run.artifacts_saved)
    assert {step.index for step in merged.run.steps} == {step.index for step in (*one.run.steps, *other.run.steps)}
    for step in merged.run.steps:
        logs = [known.log or "" for seen in (one, other) for known in seen.run.steps if known.index == step.index]
        assert len(step.log or "") == max(map(len, logs))


@given(observations(), observations())
def test_who_supplied_what_survives_packing(one: ObservedRun, other: ObservedRun) -> None:
    """What is kept beside the run gives back every source."""
    merged = merge_runs(one, other)

    assert unpack_sources(pack_sources(merged.sources), merged.run) == merged.sources


def test_at_the_same_update_the_way_decides() -> None:
    """Two that tell of the same update differ: the one we asked for ourselves goes before what was handed in."""
    polled = observe(Run(run_id=7, status=RunStatus.SUCCESS, updated_at=NOON, job_id=1), Way.POLL)
    sent = observe(Run(run_id=7, status=RunStatus.SUCCESS, updated_at=NOON, job_id=2, git_sha="a"), Way.SDK)
    merged = merge_runs(sent, polled)

    assert (merged.run.job_id, merged.run.git_sha) == (1, "a")
    assert merged.sources["job_id"].way is Way.POLL
    assert merged.sources["git_sha"] == Source(Way.SDK, int(NOON.timestamp() * 1_000_000), True)
    assert pack_sources(merged.sources) == {
        f"sdk {NOON.timestamp() * 1_000_000:.0f} 1": ["git_sha"],
        f"poll {NOON.timestamp() * 1_000_000:.0f} 1": ["*"],
    }
