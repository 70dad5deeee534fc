"""Asking where a run belongs, which runs ended well or badly, and what a run executed."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Integer, Select, and_, bindparam, exists, select

from headwater.model.run import RunStatus
from headwater.store.database import read_once
from headwater.store.schema import executions, invocations, nodes, runs
from headwater.store.writing import Scope

_ACCOUNT: BindParameter[Any] = bindparam("of_account")
_RUN: BindParameter[Any] = bindparam("of_run")
_UNTIL: BindParameter[Any] = bindparam("until")
_MOST: BindParameter[Any] = bindparam("most", type_=Integer)


class RunPlace(NamedTuple):
    """The job a run belongs to, when it was created and began, how it stands, and whose nodes it executes."""

    job_id: int | None
    created_at: datetime | None
    started_at: datetime | None
    is_good: bool
    is_finished: bool
    scope: Scope


def find_run_place(tx: Connection, account_key: int, run_id: int) -> RunPlace | None:
    """Find where a run belongs."""

    def read() -> RunPlace | None:
        row = tx.execute(_PLACE, {"of_account": account_key, "of_run": run_id}).first()
        return None if row is None else _read_place(account_key, row)

    return read_once(tx, ("place of run", account_key, run_id), read)


_PLACE = select(
    runs.c.job_id, runs.c.created_at, runs.c.started_at, runs.c.status, runs.c.project_id, runs.c.environment_id
).where(runs.c.account_key == _ACCOUNT, runs.c.run_id == _RUN)


def _read_place(account_key: int, row: Any) -> RunPlace:
    status = RunStatus(row.status)
    return RunPlace(
        row.job_id,
        row.created_at,
        row.started_at,
        status is RunStatus.SUCCESS,
        status.is_finished,
        Scope(account_key, row.project_id or 0, row.environment_id or 0),
    )


def list_good_runs(tx: Connection, account_key: int, job_id: int, until: datetime, *, limit: int) -> tuple[int, ...]:
    """List the last runs of a job that ended well before a moment, newest first."""
    asked = {"of_account": account_key, "of_job": job_id, "until": until, "most": limit}
    return tuple(tx.execute(_GOOD, asked).scalars())


_GOOD = (
    select(runs.c.run_id)
    .where(
        runs.c.account_key == _ACCOUNT,
        runs.c.job_id == bindparam("of_job"),
        runs.c.status == RunStatus.SUCCESS,
        runs.c.placed_at < _UNTIL,
    )
    .order_by(runs.c.placed_at.desc())
    .limit(_MOST)
)


def list_failed_runs(tx: Connection, place: Scope, since: datetime, until: datetime, *, limit: int) -> tuple[int, ...]:
    """List the runs of a place that failed between two moments, newest first; those of pull requests left out."""
    here = {"of_account": place.account_key, "of_project": place.project_id, "of_environment": place.environment_id}
    return tuple(tx.execute(_FAILED, {**here, "since": since, "until": until, "most": limit}).scalars())


_FAILED = (
    select(runs.c.run_id)
    .where(
        runs.c.account_key == _ACCOUNT,
        runs.c.project_id == bindparam("of_project"),
        runs.c.environment_id == bindparam("of_environment"),
        runs.c.status == RunStatus.ERROR,
        runs.c.trigger_pull_request_id.is_(None),
        runs.c.placed_at >= bindparam("since"),
        runs.c.placed_at <= _UNTIL,
    )
    .order_by(runs.c.placed_at.desc())
    .limit(_MOST)
)


def list_not_reached(tx: Connection, account_key: int, run_id: int, good_run_id: int) -> list[str]:
    """List by unique_id the nodes that one run executed and another one, which ended badly, did not come to.

    Where the bad one executed as many, nothing is compared: then it reached all.
    """
    counts = _count_executed(tx, account_key, (run_id, good_run_id))
    if counts.get(run_id, 0) >= counts.get(good_run_id, 0):
        return []
    asked = {"of_account": account_key, "of_run": good_run_id, "of_bad_run": run_id}
    return sorted(set(tx.execute(_executed(unreached=True), asked).scalars()))


def list_executed(tx: Connection, account_key: int, run_id: int) -> list[str]:
    """List by unique_id the nodes that a run executed."""
    asked = {"of_account": account_key, "of_run": run_id}
    return sorted(set(tx.execute(_executed(unreached=False), asked).scalars()))


@cache
def _executed(*, unreached: bool) -> Select[Any]:
    same = and_(nodes.c.account_key == executions.c.account_key, nodes.c.node_key == executions.c.node_key)
    here = (executions.c.account_key == _ACCOUNT, executions.c.invocation_key.in_(_keys_of(_RUN)))
    query = select(nodes.c.unique_id).select_from(executions.join(nodes, same)).where(*here)
    if not unreached:
        return query
    done = executions.alias()
    reached = exists().where(
        done.c.account_key == _ACCOUNT,
        done.c.node_key == executions.c.node_key,
        done.c.invocation_key.in_(_keys_of(bindparam("of_bad_run"))),
    )
    return query.where(~reached)


def _keys_of(run_id: BindParameter[Any]) -> Select[Any]:
    return select(invocations.c.invocation_key).where(
        invocations.c.account_key == _ACCOUNT, invocations.c.run_id == run_id
    )


def _count_executed(tx: Connection, account_key: int, run_ids: tuple[int, ...]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for run_id, told in tx.execute(_COUNTS, {"of_account": account_key, "of_runs": run_ids}):
        counts[run_id] = counts.get(run_id, 0) + sum(told.values())
    return counts


_COUNTS = select(invocations.c.run_id, invocations.c.status_counts).where(
    invocations.c.account_key == _ACCOUNT, invocations.c.run_id.in_(bindparam("of_runs", expanding=True))
)
