"""What to look at of each job: whether it gets slower, whether its schedule was kept, and whether a run is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.pace import Pace, find_pace
from headwater.analysis.schedule import Kept, find_kept
from headwater.incidents.jobs import has_not_started, read_jobs
from headwater.model.account import Job
from headwater.observatory.chains import JobKey
from headwater.observatory.outlook import read_spans
from headwater.store.accounts import list_accounts
from headwater.store.job_queries import list_run_times
from headwater.store.rows import JobSummary as JobRow
from headwater.store.sync_states import get_sync_state

KEPT_WITHIN = timedelta(days=7)
"""How far back a list of jobs holds runs against schedules, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutlook:
    """The pace of a job, how its schedule was kept, and whether the run that is due has not started."""

    pace: Pace | None = None
    kept: Kept | None = None
    is_overdue: bool = False


def read_outlooks(
    tx: Connection, rows: Sequence[JobRow], since: datetime, now: datetime
) -> Mapping[JobKey, JobOutlook]:
    """Read what to look at of some jobs: a fixed number of queries, and a few for each account."""
    spans = read_spans(tx, now)
    times = list_run_times(tx, max(since, now - KEPT_WITHIN), now)
    overdue, told = set[JobKey](), dict[int, datetime | None]()
    for account in list_accounts(tx):
        key = account.account_key
        told[key] = get_sync_state(tx, key).last_success_at
        known = () if account.is_paused else read_jobs(tx, key, now)
        overdue |= {(key, job.job.job_id) for job in known if job.job.cron is not None and has_not_started(job)}
    return {
        key: JobOutlook(
            pace=find_pace(spans.get(key, ())),
            kept=_find_kept(row.job, times.get(key, ()), told[key[0]], since, now),
            is_overdue=key in overdue,
        )
        for row in rows
        for key in ((row.account_key, row.job.job_id),)
    }


def _find_kept(
    job: Job, times: Sequence[datetime], told_at: datetime | None, since: datetime, now: datetime
) -> Kept | None:
    """Hold runs against a schedule from the first of them on, as far as dbt Cloud told of runs."""
    if not times or told_at is None or job.is_deleted:
        return None
    return find_kept(job.cron, times, max(since, times[0]), min(told_at, now))
