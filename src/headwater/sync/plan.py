"""What to ask dbt Cloud next; pure decisions over what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from headwater.collect import CollectedArtifact
from headwater.dbtcloud.query import RunQuery
from headwater.errors import DbtCloudError, NotVisible
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.filter import AccountFilter, Choice
from headwater.model.run import Run, RunStatus
from headwater.model.sync import SyncState

DETAIL = "run"
"""The path under which step 0 keeps whether the run's own detail, its steps, has been read."""

OVERLAP_RUNS = 20
"""Runs below the newest that every discovery lists again: ids become visible out of order."""

STRUCTURE_EVERY = timedelta(minutes=15)
RECONCILE_EVERY = timedelta(minutes=10)
RECONCILE_WINDOW = timedelta(hours=48)
"""Longer than a run may last (24 hours by default) plus the time it may queue."""

BACKFILL_WINDOW = timedelta(days=5)
FOLLOW_FOR = timedelta(days=3)
"""A run that dbt Cloud never finishes is followed for so long, then left to the reconcile sweep."""

_LATE_ARTIFACT_WAITS = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
"""dbt Cloud may save artifacts a while after the run is over."""

_ATTEMPTS = 8
_LONGEST_WAIT = timedelta(hours=1)


def is_structure_due(state: SyncState, now: datetime) -> bool:
    """Whether projects, environments and jobs should be listed again."""
    return state.structure_read_at is None or now - state.structure_read_at >= STRUCTURE_EVERY


def is_reconcile_due(state: SyncState, now: datetime) -> bool:
    """Whether the trailing window should be compared with dbt Cloud again."""
    return state.last_reconcile_at is None or now - state.last_reconcile_at >= RECONCILE_EVERY


def reconcile_window(state: SyncState, now: datetime) -> tuple[datetime, datetime]:
    """Give the creation times to compare again; they reach back from the last time, so that no pause leaves a gap."""
    return (state.last_reconcile_at or now) - RECONCILE_WINDOW, now


def follow_since(state: SyncState, now: datetime) -> datetime:
    """Give from when on unfinished runs are followed: days of a pause or an outage do not count."""
    return (state.last_success_at or now) - FOLLOW_FOR


def narrow_query(query: RunQuery, chosen: AccountFilter) -> RunQuery:
    """Let dbt Cloud leave out what it can: its list takes one project, one environment and one job."""
    return replace(
        query,
        project_id=_only(chosen.projects),
        environment_id=_only(chosen.environments),
        job_id=_only(chosen.jobs),
    )


def _only(choice: Choice) -> int | None:
    return next(iter(choice.ids)) if len(choice.ids) == 1 and not choice.is_exclusion else None


def next_overlap(known: int | None, listed: Sequence[int]) -> int | None:
    """Give the lowest id that the next discovery lists again, from the ids that this one listed in order."""
    found = listed[-OVERLAP_RUNS:][:1] if len(listed) >= OVERLAP_RUNS or known is None else ()
    return max((*found, *(() if known is None else (known,))), default=None)


def next_backfill_window(state: SyncState, now: datetime) -> tuple[datetime, datetime] | None:
    """Give the next window of creation times to list, newest first; None where history reaches far enough back."""
    if state.backfill_from is None or state.is_backfilled:
        return None
    end = state.backfilled_to or now
    return max(state.backfill_from, end - BACKFILL_WINDOW), end


def widen_backfill(state: SyncState, wanted_from: datetime) -> datetime:
    """Give how far back history shall go: a wish never shortens an earlier one."""
    return min(wanted_from, state.backfill_from) if state.backfill_from is not None else wanted_from


def settle(artifact: CollectedArtifact, run: Run, attempts: int, now: datetime) -> ArtifactRecord:
    """Decide what an answer means: stored, really absent, late, to be tried again, or given up.

    `attempts` counts the earlier answers. An artifact that a step must have written, or may have before it failed, is
    looked for again while the run is fresh; a failing request is repeated with growing waits.
    """
    record = ArtifactRecord(
        step_index=artifact.step_index,
        path=artifact.path,
        state=artifact.state,
        reason=artifact.reason,
        attempts=attempts + 1,
        size_bytes=artifact.size_bytes,
    )
    if artifact.state is ArtifactState.ABSENT:
        wait = _late_wait(artifact, run, attempts, now)
        return record if wait is None else replace(record, state=ArtifactState.FAILED, next_attempt_at=now + wait)
    return _repeat(record, attempts, now) if artifact.state is ArtifactState.FAILED else record


def _repeat(record: ArtifactRecord, attempts: int, now: datetime) -> ArtifactRecord:
    if attempts + 1 >= _ATTEMPTS:
        reason = f"Given up after {attempts + 1} attempts. {record.reason}"
        return replace(record, state=ArtifactState.UNREADABLE, reason=reason)
    return replace(record, next_attempt_at=now + min(timedelta(seconds=15) * 2**attempts, _LONGEST_WAIT))


def _late_wait(artifact: CollectedArtifact, run: Run, attempts: int, now: datetime) -> timedelta | None:
    step = next((step for step in run.steps if step.index == artifact.step_index), None)
    ended_at = run.finished_at or run.updated_at
    is_expected = step is not None and step.status in {RunStatus.SUCCESS, RunStatus.ERROR}
    is_fresh = ended_at is not None and now - ended_at < timedelta(minutes=30)
    if is_expected and is_fresh and attempts < len(_LATE_ARTIFACT_WAITS):
        return _LATE_ARTIFACT_WAITS[attempts]
    return None


def retry_detail(error: DbtCloudError, attempts: int, now: datetime) -> ArtifactRecord:
    """Decide what becomes of a run whose detail could not be read: gone, to be tried again, or given up."""
    if isinstance(error, NotVisible):
        reason = "dbt Cloud no longer shows this run."
        return ArtifactRecord(
            step_index=0, path=DETAIL, state=ArtifactState.ABSENT, reason=reason, attempts=attempts + 1
        )
    failed = ArtifactRecord(
        step_index=0, path=DETAIL, state=ArtifactState.FAILED, reason=str(error), attempts=attempts + 1
    )
    return _repeat(failed, attempts, now)
