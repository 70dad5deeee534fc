"""Whether the job that builds a node is late with it: runs ended before it, drag on, or do not start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from headwater.model.run import Run, RunStatus

SHORTEST_GRACE = timedelta(minutes=15)
"""A run is not called late before it is this late; jobs wait in queues and start on slow machines."""

LONGEST_GRACE = timedelta(hours=1)
"""Schedulers start runs within minutes, however seldom they are due: who waits an hour for one waits in vain."""

_GRACE_SHARE = 0.25
_LEAST_HISTORY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The job that builds a node: its runs newest first, and which of them executed the node.

    `expected_at` is when its newest run ought to have been created by its schedule; None without a schedule.
    """

    job_id: int
    name: str
    runs: tuple[Run, ...]
    building_run_ids: frozenset[int]
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Since when a node is late, the sentence that says so, and the runs that did not build it, newest first."""

    reason: str
    since: datetime | None
    runs: tuple[Run, ...] = ()


def find_lateness(job: JobFacts, touched_at: datetime, now: datetime) -> Lateness | None:
    """Find out whether a node that was last touched at a time should have been touched since."""
    missed = _missed_runs(job, touched_at)
    if missed:
        since = missed[-1].created_at or missed[-1].started_at
        return Lateness(reason=_missed_sentence(job, missed), since=since, runs=tuple(missed))
    newest = job.runs[0] if job.runs else None
    if newest is not None and not newest.status.is_finished and _is_slow(newest, job, now):
        word = "has been running" if newest.started_at else "has been waiting in the queue"
        reason = f"The run of {job.name} that should build it {word} much longer than usual."
        return Lateness(reason=reason, since=newest.created_at, runs=(newest,))
    if job.expected_at is None or not is_overdue(job, now):
        return None
    reason = f"{job.name} should have started at {job.expected_at:%Y-%m-%d %H:%M} UTC and has not."
    return Lateness(reason=reason, since=job.expected_at)


def is_overdue(job: JobFacts, now: datetime) -> bool:
    """Whether the run that a job's schedule asks for should have started, with some grace, and has not."""
    if job.expected_at is None or now < job.expected_at + _grace(job):
        return False
    created_at = job.runs[0].created_at if job.runs else None
    return created_at is None or created_at < job.expected_at - SHORTEST_GRACE


def _missed_runs(job: JobFacts, built_at: datetime) -> list[Run]:
    """Give the newest finished runs since the node was last touched, all of which ended badly without touching it."""
    missed: list[Run] = []
    for run in job.runs:
        if not run.status.is_finished:
            continue
        placed = run.started_at or run.created_at
        if run.run_id in job.building_run_ids or placed is None or placed <= built_at:
            break
        if run.status is RunStatus.SUCCESS:
            break
        missed.append(run)
    return missed


def _missed_sentence(job: JobFacts, missed: Sequence[Run]) -> str:
    newest = missed[0]
    how = "was cancelled" if newest.status is RunStatus.CANCELLED else "failed"
    if len(missed) == 1:
        return f"The last run of {job.name} {how} before it came to this node."
    return f"The last {len(missed)} runs of {job.name} ended before they came to this node; the newest {how}."


def _is_slow(run: Run, job: JobFacts, now: datetime) -> bool:
    usual = _usual(job)
    if run.created_at is None or len(usual) < _LEAST_HISTORY:
        return False
    return now - run.created_at > max(usual) + max(SHORTEST_GRACE, _middle(usual))


def _usual(job: JobFacts) -> list[timedelta]:
    return [
        other.finished_at - other.created_at
        for other in job.runs
        if other.status is RunStatus.SUCCESS and other.finished_at and other.created_at
    ]


def _grace(job: JobFacts) -> timedelta:
    created = sorted(run.created_at for run in job.runs if run.created_at)
    gaps = [later - earlier for earlier, later in pairwise(created)]
    return min(LONGEST_GRACE, max(SHORTEST_GRACE, _middle(gaps) * _GRACE_SHARE)) if gaps else SHORTEST_GRACE


def _middle(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans))


def find_late_at(job: JobFacts, now: datetime) -> datetime | None:
    """Give when time alone could make a job late: its next run does not start, or its present one does not end.

    None where nothing of the kind lies ahead.
    """
    moments = [] if job.expected_at is None else [job.expected_at + _grace(job)]
    newest = job.runs[0] if job.runs else None
    usual = _usual(job)
    if newest is not None and not newest.status.is_finished and newest.created_at and len(usual) >= _LEAST_HISTORY:
        moments.append(newest.created_at + max(usual) + max(SHORTEST_GRACE, _middle(usual)))
    return min((moment for moment in moments if moment > now), default=None)
