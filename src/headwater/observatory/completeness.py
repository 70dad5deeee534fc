"""Whether all of a run is here, in a sentence: what is stored, what is absent and why, what mends itself and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.run import Run

_NAMED = 3


def is_complete(run: Run, records: Sequence[ArtifactRecord]) -> bool:
    """Tell whether a run is over and nothing of it is to be asked for any more, nor was given up."""
    detail = _detail(records)
    has_detail = bool(run.steps) if detail is None else detail.state in {ArtifactState.STORED, ArtifactState.ABSENT}
    missing = {state for state in ArtifactState if state.is_open} | {ArtifactState.UNREADABLE, ArtifactState.LEFT_OUT}
    return run.is_finished and has_detail and not any(record.state in missing for record in records)


def describe_completeness(run: Run, records: Sequence[ArtifactRecord], now: datetime, *, is_followed: bool) -> str:
    """Say which steps and artifacts of a run are stored, which are absent and why, and what mends itself when.

    `is_followed` tells whether the monitor passes over the run's account: it has a token and is not paused.
    """
    if not run.is_finished:
        when = "The next pass of the monitor looks again" if is_followed else "Nobody follows its account now"
        return f"The run is not over, so its artifacts are not there yet. {when}."
    parts = [_say_steps(run, records, now, is_followed=is_followed)]
    artifacts = [record for record in records if record.step_index > 0]
    by_state = {state: [one for one in artifacts if one.state is state] for state in ArtifactState}
    if stored := by_state[ArtifactState.STORED]:
        parts.append(f"{_count(stored)} stored.")
    if absent := by_state[ArtifactState.ABSENT]:
        parts.append(f"{_count(absent)} absent: {_say_each(absent)}")
    if waiting := by_state[ArtifactState.PENDING] + by_state[ArtifactState.FAILED]:
        parts.append(
            f"{_count(waiting)} missing: {_say_each(waiting)} {_say_repair(waiting, now, is_followed=is_followed)}"
        )
    if given_up := by_state[ArtifactState.UNREADABLE]:
        parts.append(f"{_count(given_up)} given up: {_say_each(given_up)}")
    if left_out := by_state[ArtifactState.LEFT_OUT]:
        parts.append(f"{_count(left_out)} left out by the account's filter.")
    return " ".join([*(["Complete."] if is_complete(run, records) else []), *parts])


def _say_steps(run: Run, records: Sequence[ArtifactRecord], now: datetime, *, is_followed: bool) -> str:
    detail = _detail(records)
    steps = f"{len(run.steps)} {'step' if len(run.steps) == 1 else 'steps'}"
    if detail is None:
        return f"{steps} stored." if run.steps else "No step was handed in."
    if detail.state is ArtifactState.STORED:
        return f"{steps} stored."
    if detail.state.is_open:
        known = f"{steps} stored, but dbt Cloud changed the run since." if run.steps else "Its steps are not read yet."
        why = f" {detail.reason}" if detail.reason else ""
        return f"{known}{why} {_say_repair([detail], now, is_followed=is_followed)}"
    if detail.state is ArtifactState.LEFT_OUT:
        return f"{detail.reason} It is not asked for until the filter admits it."
    return f"{steps} stored. {detail.reason}"


def _detail(records: Sequence[ArtifactRecord]) -> ArtifactRecord | None:
    """Give how it stands with the run itself, which is kept under step 0."""
    return next((record for record in records if record.step_index == 0), None)


def _say_repair(records: Sequence[ArtifactRecord], now: datetime, *, is_followed: bool) -> str:
    if not is_followed:
        return "Nobody asks again: the account has no token or is paused."
    times = [record.next_attempt_at for record in records if record.next_attempt_at is not None]
    if len(times) < len(records) or min(times) <= now:
        return "The next pass of the monitor asks again."
    return f"The first pass of the monitor after {min(times):%Y-%m-%d %H:%M:%S} UTC asks again."


def _count(records: Sequence[ArtifactRecord]) -> str:
    return f"{len(records)} {'artifact' if len(records) == 1 else 'artifacts'}"


def _say_each(records: Sequence[ArtifactRecord]) -> str:
    named = [
        f"{record.path} of step {record.step_index}{f' ({reason})' if (reason := record.reason.rstrip('.')) else ''}"
        for record in records[:_NAMED]
    ]
    more = [f"{len(records) - _NAMED} more"] if len(records) > _NAMED else []
    return f"{', '.join([*named, *more])}."
