"""Counting runs, from the hours that `save_run` keeps counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, func, literal_column, select, type_coerce

from headwater.model.run import RunStatus
from headwater.store.rows import RunCount, RunTotals, StoreCounts
from headwater.store.schema import accounts, environments, executions, invocations, jobs, projects, run_hours, runs
from headwater.store.values import from_micros

HOUR = timedelta(hours=1)


def count_runs(
    tx: Connection,
    since: datetime,
    until: datetime,
    *,
    step: timedelta = HOUR,
    account_keys: tuple[int, ...] | None = None,
    project_id: int | None = None,
    environment_id: int | None = None,
    job_id: int | None = None,
) -> list[RunCount]:
    """Count runs by status in steps of whole hours (a day is 24 of them, from midnight UTC), oldest first."""
    width = max(1, round(step / HOUR)) * 3_600_000_000
    hour = type_coerce(run_hours.c.hour, BigInteger)
    start = (hour - hour % literal_column(str(width))).label("start")
    where = [run_hours.c.hour >= since, run_hours.c.hour < until]
    pairs = ((run_hours.c.project_id, project_id), (run_hours.c.environment_id, environment_id))
    where += [column == value for column, value in (*pairs, (run_hours.c.job_id, job_id)) if value is not None]
    if account_keys is not None:
        where.append(run_hours.c.account_key.in_(account_keys))
    query = select(start, run_hours.c.status, func.sum(run_hours.c.runs)).where(*where)
    rows = tx.execute(query.group_by(start, run_hours.c.status).order_by(start, run_hours.c.status))
    counts = ((from_micros(begins), RunStatus(status), int(number)) for begins, status, number in rows)
    return [
        RunCount(start=begins, status=status, runs=number) for begins, status, number in counts if begins is not None
    ]


def list_run_totals(tx: Connection) -> list[RunTotals]:
    """List for each job and status how many runs there are and how long they ran and queued in all."""
    columns = run_hours.c
    keys = (columns.account_key, columns.job_id, columns.status)
    query = select(*keys, func.sum(columns.runs), func.sum(columns.elapsed), func.sum(columns.queued))
    return [
        RunTotals(
            account_key=account_key,
            job_id=job_id,
            status=RunStatus(status),
            runs=int(number),
            elapsed=elapsed,
            queued=queued,
        )
        for account_key, job_id, status, number, elapsed, queued in tx.execute(query.group_by(*keys).order_by(*keys))
    ]


def count_stored(tx: Connection) -> StoreCounts:
    """Count what is stored."""
    tables = (accounts, projects, environments, jobs, runs, invocations, executions)
    counted = {table.name: select(func.count()).select_from(table).scalar_subquery() for table in tables}
    row = tx.execute(select(*(query.label(name) for name, query in counted.items()))).one()
    return StoreCounts(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
