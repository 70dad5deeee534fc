"""Asking which runs may be attempts at the same piece of work as others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, case, false, func, or_, select

from headwater.model.chain import Attempt
from headwater.model.run import RunStatus
from headwater.store.rows import PlacedAttempt
from headwater.store.schema import observations, runs
from headwater.store.writing import chunks

RunKey = tuple[int, int]
"""An account's key and a run's id."""

_ROUNDS = 4
"""How often what was found may lead to more: an Airflow try of a retry of a rerun is three."""

_AT_ONCE = 2_000


def list_attempts(tx: Connection, wanted: Iterable[RunKey]) -> list[PlacedAttempt]:
    """List runs and all that may be of a chain with them: two queries for 2,000 runs, at most eight."""
    found: dict[RunKey, PlacedAttempt] = {}
    for some in chunks(wanted, _AT_ONCE):
        _follow(tx, {key for key in some if key not in found}, found)
    return list(found.values())


def list_attempts_between(
    tx: Connection, since: datetime, until: datetime, account_keys: tuple[int, ...] | None = None
) -> list[PlacedAttempt]:
    """List the attempts of the chains of several runs that have one in the hours between two times."""
    where = [runs.c.hour >= since, runs.c.hour < until]
    where += [] if account_keys is None else [runs.c.account_key.in_(account_keys)]
    again = select(runs.c.account_key, runs.c.run_id).where(runs.c.is_retry.is_(True), *where)
    same_task = (observations.c.account_key, observations.c.airflow_task)
    shared = (
        select(*same_task)
        .where(observations.c.airflow_task.is_not(None))
        .group_by(*same_task)
        .having(func.count(observations.c.run_id.distinct()) > 1)
        .subquery()
    )
    tried = (
        select(runs.c.account_key, runs.c.run_id)
        .join(observations, _same_run(observations))
        .join(shared, and_(*(shared.c[column.name] == column for column in same_task)))
        .where(*where)
    )
    return list_attempts(tx, [(row.account_key, row.run_id) for row in tx.execute(again.union(tried))])


def _follow(tx: Connection, wanted: set[RunKey], found: dict[RunKey, PlacedAttempt]) -> None:
    for _ in range(_ROUNDS):
        if not wanted:
            return
        new, beside = _read_family(tx, wanted)
        tasks = _list_tasks(tx, new)
        for key, placed in new.items():
            attempt = replace(placed.attempt, airflow_tasks=frozenset(tasks.get(key, ())))
            found[key] = replace(placed, attempt=attempt)
        wanted = (beside | tasks.keys()) - found.keys()


def _read_family(tx: Connection, wanted: set[RunKey]) -> tuple[dict[RunKey, PlacedAttempt], set[RunKey]]:
    """Read runs with all they retry and all that retries them, and the ids of their job's runs that may belong too."""
    new: dict[RunKey, PlacedAttempt] = {}
    beside: set[RunKey] = set()
    for row in tx.execute(_family_query(wanted)):
        attempt = Attempt(
            run_id=row.run_id,
            status=RunStatus(row.status),
            placed_at=row.placed_at,
            job_id=row.job_id,
            retrying_run_id=row.retrying_run_id,
            previous_run_id=row.previous_run_id,
        )
        new[row.account_key, row.run_id] = PlacedAttempt(account_key=row.account_key, hour=row.hour, attempt=attempt)
        neighbours = (row.previous_run_id, row.next_run_id)
        beside |= {(row.account_key, run_id) for run_id in neighbours if run_id is not None}
    return new, beside


def _family_query(wanted: set[RunKey]) -> Select[Any]:
    family = _family(wanted)
    columns = (runs.c.account_key, runs.c.run_id, runs.c.status, runs.c.placed_at, runs.c.hour, runs.c.job_id)
    failed = runs.c.status.in_([RunStatus.ERROR.value, RunStatus.CANCELLED.value])
    names_none = runs.c.is_retry.is_(True) & runs.c.retrying_run_id.is_(None)
    return select(
        *columns,
        runs.c.retrying_run_id,
        case((names_none, _previous())).label("previous_run_id"),
        case((failed, _next())).label("next_run_id"),
    ).join(family, and_(runs.c.account_key == family.c.account_key, runs.c.run_id == family.c.run_id))


def _family(wanted: set[RunKey]) -> CTE:
    by_account: dict[int, list[int]] = defaultdict(list)
    for account_key, run_id in sorted(wanted):
        by_account[account_key].append(run_id)
    meant = [_among(runs, account_key, run_ids) for account_key, run_ids in by_account.items()]
    up = select(runs.c.account_key, runs.c.run_id).where(or_(false(), *meant)).cte("retried", recursive=True)
    up = up.union(
        select(runs.c.account_key, runs.c.retrying_run_id)
        .join(up, and_(runs.c.account_key == up.c.account_key, runs.c.run_id == up.c.run_id))
        .where(runs.c.retrying_run_id.is_not(None))
    )
    down = select(up.c.account_key, up.c.run_id).cte("family", recursive=True)
    return down.union(
        select(runs.c.account_key, runs.c.run_id).join(
            down, and_(runs.c.account_key == down.c.account_key, runs.c.retrying_run_id == down.c.run_id)
        )
    )


def _previous() -> Any:
    """Give the run of the same job before a run."""
    other = runs.alias()
    same = and_(other.c.account_key == runs.c.account_key, other.c.job_id == runs.c.job_id)
    query = select(other.c.run_id).where(same, other.c.placed_at < runs.c.placed_at)
    return query.order_by(other.c.placed_at.desc()).limit(1).correlate(runs).scalar_subquery()


def _next() -> Any:
    """Give the run of the same job after a run, where that one is a retry and does not name which run it retries."""
    other = runs.alias()
    same = and_(other.c.account_key == runs.c.account_key, other.c.job_id == runs.c.job_id)
    names_none = other.c.is_retry.is_(True) & other.c.retrying_run_id.is_(None)
    query = select(case((names_none, other.c.run_id))).where(same, other.c.placed_at > runs.c.placed_at)
    return query.order_by(other.c.placed_at).limit(1).correlate(runs).scalar_subquery()


def _list_tasks(tx: Connection, found: Mapping[RunKey, PlacedAttempt]) -> dict[RunKey, set[str]]:
    """List the Airflow tasks of runs, and with them every run of the same tasks."""
    by_account: dict[int, list[int]] = defaultdict(list)
    for account_key, run_id in found:
        by_account[account_key].append(run_id)
    other = observations.alias()
    same = and_(other.c.account_key == observations.c.account_key, other.c.airflow_task == observations.c.airflow_task)
    meant = or_(false(), *(_among(observations, account_key, run_ids) for account_key, run_ids in by_account.items()))
    tasks: dict[RunKey, set[str]] = defaultdict(set)
    query = select(other.c.account_key, other.c.run_id, other.c.airflow_task)
    for account_key, run_id, task in tx.execute(query.select_from(observations.join(other, same)).where(meant)):
        tasks[account_key, run_id].add(task)
    return tasks


def _among(table: Any, account_key: int, run_ids: list[int]) -> ColumnElement[bool]:
    here: ColumnElement[bool] = and_(table.c.account_key == account_key, table.c.run_id.in_(run_ids))
    return here


def _same_run(table: Any) -> ColumnElement[bool]:
    here: ColumnElement[bool] = and_(table.c.account_key == runs.c.account_key, table.c.run_id == runs.c.run_id)
    return here
