"""One job, whole: how its runs went and how long they took, whether its schedule was kept, and what it builds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.pace import find_pace, find_quantile
from headwater.analysis.schedule import Kept, find_kept, next_run_at
from headwater.errors import NotKnown
from headwater.incidents.jobs import has_not_started, read_jobs
from headwater.model.node import local_name
from headwater.model.run import RunStatus
from headwater.observatory.chains import JobKey, count_chains
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.job_marks import JobOutlook
from headwater.observatory.jobs import JobSummary, summarise_job
from headwater.observatory.missed import BUILT
from headwater.observatory.reports import RunSummary
from headwater.observatory.runs import seconds, summarise_all
from headwater.observatory.sentences import say_span
from headwater.store import job_queries
from headwater.store.invocation_queries import list_run_executions
from headwater.store.rows import Account, RunMark
from headwater.store.run_places import list_good_runs
from headwater.store.run_queries import RunFilter, list_runs
from headwater.store.sync_states import get_sync_state

_COMPARED = timedelta(days=21)
_LAST = 12
_MOST_MARKS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMark:
    """A run as a dot."""

    run_id: int
    status: str
    at: datetime
    elapsed_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDay:
    """The runs of a span of time by status, and how long the successful ones took."""

    starts_at: datetime
    runs: dict[str, int]
    elapsed_seconds_p10: float | None
    elapsed_seconds_p50: float | None
    elapsed_seconds_p90: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReport:
    """How a schedule was kept since a time, and when it starts the job next."""

    cron: str
    since: datetime
    moments: int
    missed: tuple[datetime, ...]
    next_at: datetime | None
    is_overdue: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNode:
    """A node that the last good run of a job built."""

    unique_id: str
    name: str
    resource_type: str
    elapsed_seconds: float | None
    rows_affected: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport(JobSummary):
    """A job, whole: its runs of a window as marks and by day, its last runs, its schedule, and what it builds."""

    sentence: str
    days: int
    bucket_seconds: int
    project_id: int | None
    environment_id: int | None
    commands: tuple[str, ...]
    marks: tuple[JobMark, ...]
    by_day: tuple[JobDay, ...]
    schedule: ScheduleReport | None
    last_runs: tuple[RunSummary, ...]
    builds: tuple[JobNode, ...]
    builds_run_id: int | None
    as_of: datetime


def get_job(observatory: Observatory, account: str, job_id: int, *, days: int = 30) -> JobReport:
    """Get one job with its runs of some days.

    Raises:
        NotKnown: there is no such account or job.
    """
    found, now = get_account(observatory, account), observatory.store.now()
    key, since, until = found.account_key, now - timedelta(days=days), now + timedelta(hours=1)
    with observatory.store.read() as tx:
        row = next(
            iter(job_queries.list_jobs(tx, since, until, account_keys=(key,), job_id=job_id, with_deleted=True)), None
        )
        if row is None:
            raise NotKnown(f"{account} has no job {job_id}.", hint="headwater jobs lists what there is.")
        job_key: JobKey = (key, job_id)
        chain_counts = count_chains(tx, since, until, {job_key: row.run_counts}, (key,))[job_key]
        marks = job_queries.list_job_marks(tx, key, job_id, since, until)
        timed = job_queries.list_timed_runs(tx, now - _COMPARED, until, account_key=key, job_id=job_id)
        schedule = _read_schedule(tx, found, job_id, None if row.job.is_deleted else row.job.cron, marks, since, now)
        page = list_runs(tx, RunFilter(account_keys=(key,), job_id=job_id), limit=_LAST)
        last_runs = summarise_all(tx, page.runs)
        good = list_good_runs(tx, key, job_id, until, limit=1)
        builds = _list_builds(tx, key, good[0]) if good else ()
    pace = find_pace([mark.elapsed for mark in timed.get((key, job_id), ()) if mark.elapsed is not None])
    kept = Kept(since=schedule.since, moments=schedule.moments, missed=schedule.missed) if schedule else None
    is_overdue = schedule is not None and schedule.is_overdue
    summary = summarise_job(row, chain_counts, JobOutlook(pace=pace, kept=kept, is_overdue=is_overdue))
    bucket = timedelta(days=1) if days > 2 else timedelta(hours=6)
    return JobReport(
        **{field.name: getattr(summary, field.name) for field in fields(JobSummary)},
        sentence=_describe(summary, days, now),
        days=days,
        bucket_seconds=int(bucket.total_seconds()),
        project_id=row.job.project_id,
        environment_id=row.job.environment_id,
        commands=row.job.commands,
        marks=tuple(map(_mark, marks[-_MOST_MARKS:])),
        by_day=_by_day(marks, since, now, bucket),
        schedule=schedule,
        last_runs=last_runs,
        builds=builds,
        builds_run_id=good[0] if good else None,
        as_of=now,
    )


def _read_schedule(
    tx: Connection, account: Account, job_id: int, cron: str | None, marks: Sequence[RunMark], since: datetime,
    now: datetime,
) -> ScheduleReport | None:  # fmt: skip
    """Read how a schedule was kept since the first run of the window, as far as dbt Cloud told of runs."""
    told_at = get_sync_state(tx, account.account_key).last_success_at
    if cron is None or told_at is None or not marks:
        return None
    kept = find_kept(cron, [mark.placed_at for mark in marks], max(since, marks[0].placed_at), min(told_at, now))
    if kept is None:
        return None
    known = next((job for job in read_jobs(tx, account.account_key, now) if job.job.job_id == job_id), None)
    next_at = (known.facts.expected_at if known is not None else None) or next_run_at(cron, now)
    is_overdue = known is not None and has_not_started(known)
    return ScheduleReport(
        cron=cron,
        since=kept.since,
        moments=kept.moments,
        missed=kept.missed,
        next_at=next_at,
        is_overdue=is_overdue,
        sentence=_say_kept(kept.moments, len(kept.missed)),
    )


def _say_kept(moments: int, missed: int) -> str:
    if not moments:
        return "The schedule asked for no run yet in the time that is stored."
    if not missed:
        return f"All {moments:,} runs that the schedule asked for began in time."
    return f"{missed:,} of {moments:,} runs that the schedule asked for did not begin within an hour."


def _by_day(marks: Sequence[RunMark], since: datetime, now: datetime, bucket: timedelta) -> tuple[JobDay, ...]:
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + (since - midnight) // bucket * bucket
    by_place: defaultdict[int, list[RunMark]] = defaultdict(list)
    for mark in marks:
        by_place[(mark.placed_at - first) // bucket].append(mark)
    return tuple(_day(first + bucket * place, by_place[place]) for place in range((now - first) // bucket + 1))


def _day(starts_at: datetime, marks: Sequence[RunMark]) -> JobDay:
    spans = [mark.elapsed for mark in marks if mark.status is RunStatus.SUCCESS and mark.elapsed is not None]
    return JobDay(
        starts_at=starts_at,
        runs=dict(Counter(str(mark.status) for mark in marks)),
        elapsed_seconds_p10=seconds(find_quantile(spans, 0.1)),
        elapsed_seconds_p50=seconds(find_quantile(spans, 0.5)),
        elapsed_seconds_p90=seconds(find_quantile(spans, 0.9)),
    )


def _list_builds(tx: Connection, account_key: int, run_id: int) -> tuple[JobNode, ...]:
    """List what a run built, the slowest first."""
    found = {
        row.execution.unique_id: JobNode(
            unique_id=row.execution.unique_id,
            name=local_name(row.execution.unique_id),
            resource_type=row.resource_type,
            elapsed_seconds=seconds(row.execution.elapsed),
            rows_affected=row.execution.rows_affected,
        )
        for row in list_run_executions(tx, account_key, run_id)
        if row.resource_type in BUILT and row.execution.status == "success"
    }
    return tuple(sorted(found.values(), key=lambda node: (-(node.elapsed_seconds or 0), node.unique_id)))


def _mark(mark: RunMark) -> JobMark:
    return JobMark(
        run_id=mark.run_id, status=str(mark.status), at=mark.placed_at, elapsed_seconds=seconds(mark.elapsed)
    )


def _describe(job: JobSummary, days: int, now: datetime) -> str:
    """Say how a job did last, and over the window."""
    if job.last_status is None or job.last_run_at is None:
        return f"{job.job_name} has not run yet, as far as is stored."
    ago = say_span((now - job.last_run_at).total_seconds())
    how = {"success": "succeeded", "error": "failed", "cancelled": "was cancelled"}.get(job.last_status)
    last = f"{job.job_name} {how} at its last run, {ago} ago" if how else f"{job.job_name} is {job.last_status}"
    if job.success_share is None:
        return f"{last}."
    share = "all" if job.success_share == 1 else f"{job.success_share:.0%}"
    runs = "run" if job.runs == 1 else "runs"
    return f"{last}; {share} of its {job.runs:,} {runs} in {days} {'day' if days == 1 else 'days'} succeeded."
