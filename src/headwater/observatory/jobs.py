"""Questions about jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from headwater.model.run import RunStatus
from headwater.observatory.chains import JobKey, count_chains
from headwater.observatory.holder import Observatory
from headwater.observatory.places import find_places
from headwater.observatory.reports import JobsReport, JobSummary
from headwater.observatory.runs import seconds
from headwater.store import job_queries
from headwater.store.rows import JobSummary as JobRow


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
    kept = tuple(
        _summary(row, chains[row.account_key, row.job.job_id])
        for row in rows
        if row.last_runs or not row.job.is_deleted
    )
    return JobsReport(jobs=kept, days=days, as_of=now)


def _summary(row: JobRow, chain_counts: Mapping[RunStatus, int]) -> JobSummary:
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
    )


def _success_share(counts: Mapping[RunStatus, int]) -> float | None:
    finished = sum(count for status, count in counts.items() if status.is_finished)
    return counts.get(RunStatus.SUCCESS, 0) / finished if finished else None
