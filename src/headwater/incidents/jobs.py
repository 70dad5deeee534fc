"""The jobs of an account as far as it is known how they run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from headwater.analysis.lateness import JobFacts, find_lateness, is_overdue
from headwater.analysis.schedule import next_run_at
from headwater.model.account import Job
from headwater.model.filter import is_job_wanted
from headwater.model.run import RunStatus
from headwater.store.filters import get_filter
from headwater.store.incidents import list_job_runs
from headwater.store.inventory import list_account_jobs
from headwater.store.outcome_queries import CI_JOB_TYPE
from headwater.store.sync_states import get_sync_state
from headwater.store.writing import Scope

_RUNS = 12
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownJob:
    """A job with its newest runs, where it builds, and when dbt Cloud last told of its runs; None where it never did.

    A run that did not start is only known to be missing once dbt Cloud was asked.
    """

    job: Job
    scope: Scope
    facts: JobFacts
    told_at: datetime | None


def read_jobs(tx: Connection, account_key: int, now: datetime) -> list[KnownJob]:
    """Read the jobs that are to run: not those that were deleted, that only check pull requests, or nobody follows."""
    chosen = get_filter(tx, account_key)
    told_at = get_sync_state(tx, account_key).last_success_at
    listed = [
        job
        for job in list_account_jobs(tx, account_key)
        if not job.is_deleted and job.job_type != CI_JOB_TYPE and is_job_wanted(chosen, job)
    ]
    runs = list_job_runs(tx, account_key, now, _RUNS) if listed else {}
    known = []
    for job in listed:
        newest = next((run.created_at for run in runs.get(job.job_id, ()) if run.created_at is not None), None)
        is_expected = newest is not None and told_at is not None
        facts = JobFacts(
            job_id=job.job_id,
            name=job.name,
            runs=tuple(runs.get(job.job_id, ())),
            building_run_ids=frozenset(),
            expected_at=next_run_at(job.cron, newest) if is_expected and newest is not None else None,
        )
        scope = Scope(account_key, job.project_id or 0, job.environment_id or 0)
        known.append(KnownJob(job=job, scope=scope, facts=facts, told_at=told_at))
    return known


def has_not_started(job: KnownJob) -> bool:
    """Whether the run that a job's schedule asks for is missing, as far as dbt Cloud told."""
    return is_overdue(job.facts, job.told_at or _NEVER)


def is_in_trouble(job: KnownJob) -> bool:
    """Whether what a job builds may be late: its last runs failed, or the next one does not start or end."""
    placed = (run.started_at or run.created_at or _NEVER for run in job.facts.runs if run.status is RunStatus.SUCCESS)
    return find_lateness(job.facts, next(placed, _NEVER), job.told_at or _NEVER) is not None
