"""Asking for jobs: each with its last runs, counts and durations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select

from headwater.model.account import Job
from headwater.model.run import RunStatus
from headwater.store.accounts import run_mark
from headwater.store.inventory import read_job
from headwater.store.rows import JobSummary, PlacedJob, RunMark
from headwater.store.schema import accounts, environments, jobs, projects, run_hours, runs

_STRIP = 20
_TIMED = 200


def list_jobs(
    tx: Connection,
    since: datetime,
    until: datetime,
    *,
    account_keys: tuple[int, ...] | None = None,
    job_id: int | None = None,
    with_deleted: bool = False,
) -> list[JobSummary]:
    """List jobs by account and name, each with its last 20 runs, and counts and durations between two times."""
    where: list[ColumnElement[bool]] = [] if account_keys is None else [jobs.c.account_key.in_(account_keys)]
    where += [] if job_id is None else [jobs.c.job_id == job_id]
    where += [] if with_deleted else [jobs.c.is_deleted.is_(False)]
    counts = _count(tx, since, until)
    last = _list_last_runs(tx, account_keys, job_id)
    summaries = []
    for row in tx.execute(_query().where(*where).order_by(accounts.c.name, jobs.c.name, jobs.c.job_id)):
        key = (row.account_key, row.job_id)
        marks = last[key]
        spans = [mark.elapsed for mark in marks if _is_timed(mark, since, until) and mark.elapsed is not None]
        summaries.append(
            JobSummary(
                account_key=row.account_key,
                account_name=row.account_name,
                job=read_job({field.name: getattr(row, field.name) for field in fields(Job)}),
                project_name=row.project_name,
                environment_name=row.environment_name,
                last_runs=tuple(reversed(marks[:_STRIP])),
                run_counts=counts[key],
                elapsed_p50=_quantile(spans, 0.5),
                elapsed_p90=_quantile(spans, 0.9),
            )
        )
    return summaries


def find_jobs(tx: Connection, words: str, number: int | None, limit: int) -> list[PlacedJob]:
    """Find jobs whose name holds some words in lower case, or whose id is a number; those that begin so first."""
    name = func.lower(jobs.c.name)
    fits = name.contains(words, autoescape=True)
    if number is not None:
        fits = or_(fits, jobs.c.job_id == number)
    begins_later = case((name.startswith(words, autoescape=True), 0), else_=1)
    order = (jobs.c.is_deleted, begins_later, name, jobs.c.job_id)
    return [_placed(row) for row in tx.execute(_query().where(fits).order_by(*order).limit(limit))]


def list_placed_jobs(tx: Connection, account_key: int | None = None, job_id: int | None = None) -> list[PlacedJob]:
    """List jobs, deleted ones included, with the names of where they are."""
    pairs = ((jobs.c.account_key, account_key), (jobs.c.job_id, job_id))
    where = [column == value for column, value in pairs if value is not None]
    ordered = _query().where(*where).order_by(accounts.c.name, jobs.c.name, jobs.c.job_id)
    return [_placed(row) for row in tx.execute(ordered)]


def list_timed_runs(
    tx: Connection, since: datetime, until: datetime, *, account_key: int | None = None, job_id: int | None = None
) -> dict[tuple[int, int], list[RunMark]]:
    """List the successful runs of each job between two times, oldest first; tries again do only a part of the work."""
    columns = (runs.c.account_key, runs.c.job_id, runs.c.run_id, runs.c.status)
    times = (runs.c.placed_at, runs.c.started_at, runs.c.finished_at)
    pairs = ((runs.c.account_key, account_key), (runs.c.job_id, job_id))
    where = [column == value for column, value in pairs if value is not None]
    where += [runs.c.placed_at >= since, runs.c.placed_at < until, runs.c.status == RunStatus.SUCCESS.value]
    where += [runs.c.job_id.is_not(None), runs.c.is_retry.is_(False)]
    marks: dict[tuple[int, int], list[RunMark]] = defaultdict(list)
    for row in tx.execute(select(*columns, *times).where(*where).order_by(runs.c.placed_at, runs.c.run_id)):
        marks[row.account_key, row.job_id].append(run_mark(row))
    return marks


def list_run_times(tx: Connection, since: datetime, until: datetime) -> dict[tuple[int, int], list[datetime]]:
    """List when the runs of each job between two times were created, oldest first."""
    columns = (runs.c.account_key, runs.c.job_id, runs.c.placed_at)
    within = (runs.c.placed_at >= since) & (runs.c.placed_at < until) & runs.c.job_id.is_not(None)
    times: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for account_key, job_id, placed_at in tx.execute(select(*columns).where(within).order_by(runs.c.placed_at)):
        times[account_key, job_id].append(placed_at)
    return times


def list_job_marks(tx: Connection, account_key: int, job_id: int, since: datetime, until: datetime) -> list[RunMark]:
    """List the runs of a job between two times, oldest first."""
    columns = (runs.c.run_id, runs.c.status, runs.c.placed_at, runs.c.started_at, runs.c.finished_at)
    here = (runs.c.account_key == account_key) & (runs.c.job_id == job_id)
    query = select(*columns).where(here, runs.c.placed_at >= since, runs.c.placed_at < until)
    return [run_mark(row) for row in tx.execute(query.order_by(runs.c.placed_at, runs.c.run_id))]


def _placed(row: Any) -> PlacedJob:
    return PlacedJob(
        account_key=row.account_key,
        account_name=row.account_name,
        job=read_job({field.name: getattr(row, field.name) for field in fields(Job)}),
        project_name=row.project_name,
        environment_name=row.environment_name,
    )


def _query() -> Any:
    same = jobs.c.account_key
    joined = (
        jobs.join(accounts, accounts.c.account_key == same)
        .outerjoin(projects, (projects.c.account_key == same) & (projects.c.project_id == jobs.c.project_id))
        .outerjoin(
            environments,
            (environments.c.account_key == same) & (environments.c.environment_id == jobs.c.environment_id),
        )
    )
    names = (
        accounts.c.name.label("account_name"),
        projects.c.name.label("project_name"),
        environments.c.name.label("environment_name"),
    )
    return select(jobs, *names).select_from(joined)


def _count(tx: Connection, since: datetime, until: datetime) -> dict[tuple[int, int], dict[RunStatus, int]]:
    counts: dict[tuple[int, int], dict[RunStatus, int]] = defaultdict(dict)
    keys = (run_hours.c.account_key, run_hours.c.job_id, run_hours.c.status)
    window = (run_hours.c.hour >= since) & (run_hours.c.hour < until)
    for account_key, job_id, status, number in tx.execute(
        select(*keys, func.sum(run_hours.c.runs)).where(window).group_by(*keys)
    ):
        counts[account_key, job_id][RunStatus(status)] = int(number)
    return counts


def _list_last_runs(
    tx: Connection, account_keys: tuple[int, ...] | None, job_id: int | None
) -> dict[tuple[int, int], list[RunMark]]:
    """List the last runs of each job, newest first: enough of them for the strip and for durations."""
    columns = (runs.c.account_key, runs.c.job_id, runs.c.run_id, runs.c.status)
    times = (runs.c.placed_at, runs.c.started_at, runs.c.finished_at)
    rank = func.row_number().over(
        partition_by=(runs.c.account_key, runs.c.job_id), order_by=(runs.c.placed_at.desc(), runs.c.run_id.desc())
    )
    query = select(*columns, *times, rank.label("rank")).where(runs.c.job_id.is_not(None))
    if account_keys is not None:
        query = query.where(runs.c.account_key.in_(account_keys))
    if job_id is not None:
        query = query.where(runs.c.job_id == job_id)
    ranked = query.subquery()
    marks: dict[tuple[int, int], list[RunMark]] = defaultdict(list)
    for row in tx.execute(select(ranked).where(ranked.c.rank <= _TIMED).order_by(ranked.c.rank)):
        marks[row.account_key, row.job_id].append(run_mark(row))
    return marks


def _is_timed(mark: RunMark, since: datetime, until: datetime) -> bool:
    return mark.status is RunStatus.SUCCESS and since <= mark.placed_at < until


def _quantile(spans: Sequence[timedelta], share: float) -> timedelta | None:
    """Give the smallest span that at least this share of them does not exceed."""
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
