"""What is coming: jobs that get slower, what the schedules start next, and sources whose data get old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.pace import Pace, find_pace
from headwater.analysis.schedule import next_run_at
from headwater.incidents.jobs import has_not_started, read_jobs
from headwater.model.node import local_name
from headwater.observatory.chains import JobKey
from headwater.observatory.environments import choose_places
from headwater.observatory.outlook_reports import JobPace, SourceAge, UpcomingRun
from headwater.observatory.sentences import say_span
from headwater.store.accounts import list_accounts
from headwater.store.job_queries import list_timed_runs
from headwater.store.lineage import list_places
from headwater.store.rows import PlacedJob
from headwater.store.source_queries import SourceCheck, list_source_checks

_COMPARED = timedelta(days=21)
_CHECKED = timedelta(days=7)
_SPARK = 24
_BADNESS = ("error", "runtime error", "warn")

Spans = Mapping[JobKey, Sequence[timedelta]]


def read_spans(tx: Connection, now: datetime) -> Spans:
    """Read how long the successful runs of each job took in the last three weeks, oldest first."""
    marks = list_timed_runs(tx, now - _COMPARED, now + timedelta(hours=1))
    return {job: [mark.elapsed for mark in listed if mark.elapsed is not None] for job, listed in marks.items()}


def list_paces(jobs: Sequence[PlacedJob], spans: Spans) -> tuple[JobPace, ...]:
    """List how long jobs take: those that get slower first, by how much, then the slowest."""
    found = [
        (job, taken, pace)
        for job in jobs
        if not job.job.is_deleted
        and (taken := spans.get((job.account_key, job.job.job_id)))
        and (pace := find_pace(taken)) is not None
    ]
    found.sort(key=lambda one: (-_growth(one[2]), -one[2].recent.total_seconds()))
    return tuple(_summarise_pace(job, taken, pace) for job, taken, pace in found)


def list_upcoming(tx: Connection, jobs: Sequence[PlacedJob], spans: Spans, now: datetime) -> tuple[UpcomingRun, ...]:
    """List what the schedules of the followed jobs start next, soonest first; what did not start leads."""
    placed = {(job.account_key, job.job.job_id): job for job in jobs}
    upcoming = []
    for account in list_accounts(tx):
        for known in () if account.is_paused else read_jobs(tx, account.account_key, now):
            starts_at = known.facts.expected_at or next_run_at(known.job.cron, now)
            place = placed.get((account.account_key, known.job.job_id))
            if starts_at is None or place is None or known.job.cron is None:
                continue
            pace = find_pace(spans.get((account.account_key, known.job.job_id), ()))
            upcoming.append(
                UpcomingRun(
                    account=account.name,
                    job_id=known.job.job_id,
                    job_name=known.job.name,
                    project_name=place.project_name,
                    environment_name=place.environment_name,
                    cron=known.job.cron,
                    starts_at=starts_at,
                    is_overdue=has_not_started(known),
                    usual_seconds=pace.recent.total_seconds() if pace is not None else None,
                )
            )
    return tuple(sorted(upcoming, key=lambda run: (run.starts_at, run.account, run.job_name)))


def list_source_ages(tx: Connection, now: datetime) -> tuple[SourceAge, ...]:
    """List how old the data of the sources of production were at the last check of this week, worst first."""
    places = {choice.place.scope: choice.place for choice in choose_places(list_places(tx), None, None)}
    checks = list_source_checks(tx, places, now - _CHECKED, now)
    checks.sort(key=lambda check: (-_badness(check), -_share_of_limit(check), check.unique_id))
    return tuple(
        SourceAge(
            unique_id=check.unique_id,
            name=local_name(check.unique_id),
            account=places[check.scope].account_name,
            project_id=check.scope.project_id,
            project_name=places[check.scope].project_name,
            environment_id=check.scope.environment_id,
            environment_name=places[check.scope].environment_name,
            status=check.status,
            checked_at=check.checked_at,
            max_loaded_at=check.max_loaded_at,
            age_seconds=_seconds(check.age),
            warn_after_seconds=_seconds(check.warn_after),
            error_after_seconds=_seconds(check.error_after),
            run_id=check.run_id,
        )
        for check in checks
    )


def say_pace(pace: Pace) -> str:
    """Say how long a job takes now and took before, in numbers."""
    now = say_span(pace.recent.total_seconds())
    if pace.earlier is None:
        return f"{now}, the median of its last {_count(pace.recent_runs)}; too few before to compare with."
    before = say_span(pace.earlier.total_seconds())
    medians = f"the medians of its last {_count(pace.recent_runs)} and of the {pace.earlier_runs} before"
    if not pace.is_slowing:
        return f"{now} and {before}, {medians}."
    more = round((pace.recent / pace.earlier - 1) * 100) if pace.earlier else 0
    return f"{now} where it was {before}, {medians}: {more:,} % longer."


def _summarise_pace(job: PlacedJob, taken: Sequence[timedelta], pace: Pace) -> JobPace:
    return JobPace(
        account=job.account_name,
        job_id=job.job.job_id,
        job_name=job.job.name,
        project_name=job.project_name,
        environment_name=job.environment_name,
        recent_seconds=pace.recent.total_seconds(),
        recent_runs=pace.recent_runs,
        earlier_seconds=_seconds(pace.earlier),
        earlier_runs=pace.earlier_runs,
        is_slowing=pace.is_slowing,
        sentence=say_pace(pace),
        last_seconds=tuple(span.total_seconds() for span in taken[-_SPARK:]),
    )


def _growth(pace: Pace) -> float:
    return pace.recent / pace.earlier if pace.is_slowing and pace.earlier else 0.0


def _badness(check: SourceCheck) -> int:
    return len(_BADNESS) - _BADNESS.index(check.status) if check.status in _BADNESS else 0


def _share_of_limit(check: SourceCheck) -> float:
    limit = check.error_after or check.warn_after
    return check.age / limit if check.age is not None and limit else 0.0


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


def _count(runs: int) -> str:
    return "run" if runs == 1 else f"{runs} runs"
