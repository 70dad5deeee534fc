"""Questions about jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.model.run import RunStatus
from headwater.observatory.chains import JobKey, count_chains
from headwater.observatory.holder import Observatory
from headwater.observatory.job_marks import JobOutlook, read_outlooks
from headwater.observatory.outlook import say_pace
from headwater.observatory.places import find_places
from headwater.observatory.runs import seconds
from headwater.store import job_queries
from headwater.store.rows import JobSummary as JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job as a row; the shares and durations are over its finished runs in the window.

    `runs_due` and `runs_missed` hold its runs against its schedule, None where there is none or nothing is known.
    """

    account: str
    job_id: int
    job_name: str
    project_name: str | None
    environment_name: str | None
    cron: str | None
    is_deleted: bool
    last_run_id: int | None
    last_status: str | None
    last_run_at: datetime | None
    runs: int
    success_share: float | None
    chains: int
    chain_success_share: float | None
    elapsed_seconds_p50: float | None
    elapsed_seconds_p90: float | None
    strip: tuple[str, ...]
    pace: str | None = None
    is_slowing: bool = False
    runs_due: int | None = None
    runs_missed: int | None = None
    is_overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsReport:
    """Every job that has runs or is scheduled."""

    jobs: tuple[JobSummary, ...]
    days: int
    as_of: datetime


def list_jobs(observatory: Observatory, *, account: str | None = None, days: int = 7) -> JobsReport:
    """List the jobs with their last runs, the share that succeeded and how long they take, over some days."""
    keys = find_places(observatory, account=account).account_keys
    now = observatory.store.now()
    since, until = now - timedelta(days=days), now + timedelta(hours=1)
    with observatory.store.read() as tx:
        rows = job_queries.list_jobs(tx, since, until, account_keys=keys, with_deleted=True)
        counted: dict[JobKey, Mapping[RunStatus, int]] = {
            (row.account_key, row.job.job_id): row.run_counts for row in rows
        }
        chains = count_chains(tx, since, until, counted, keys)
        outlooks = read_outlooks(tx, rows, since, now)
    kept = tuple(
        summarise_job(row, chains[key], outlooks[key])
        for row in rows
        for key in ((row.account_key, row.job.job_id),)
        if row.last_runs or not row.job.is_deleted
    )
    return JobsReport(jobs=kept, days=days, as_of=now)


def summarise_job(row: JobRow, chain_counts: Mapping[RunStatus, int], outlook: JobOutlook) -> JobSummary:
    """Give a stored job as a row of a report."""
    last = row.last_runs[-1] if row.last_runs else None
    return JobSummary(
        account=row.account_name,
        job_id=row.job.job_id,
        job_name=row.job.name,
        project_name=row.project_name,
        environment_name=row.environment_name,
        cron=row.job.cron,
        is_deleted=row.job.is_deleted,
        last_run_id=last.run_id if last else None,
        last_status=str(last.status) if last else None,
        last_run_at=last.placed_at if last else None,
        runs=sum(row.run_counts.values()),
        success_share=_success_share(row.run_counts),
        chains=sum(chain_counts.values()),
        chain_success_share=_success_share(chain_counts),
        elapsed_seconds_p50=seconds(row.elapsed_p50),
        elapsed_seconds_p90=seconds(row.elapsed_p90),
        strip=tuple(str(mark.status) for mark in row.last_runs),
        pace=say_pace(outlook.pace) if outlook.pace is not None else None,
        is_slowing=outlook.pace is not None and outlook.pace.is_slowing,
        runs_due=outlook.kept.moments if outlook.kept is not None else None,
        runs_missed=len(outlook.kept.missed) if outlook.kept is not None else None,
        is_overdue=outlook.is_overdue,
    )


def _success_share(counts: Mapping[RunStatus, int]) -> float | None:
    finished = sum(count for status, count in counts.items() if status.is_finished)
    return counts.get(RunStatus.SUCCESS, 0) / finished if finished else None
