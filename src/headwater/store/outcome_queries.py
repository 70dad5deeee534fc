"""Asking what happened to nodes: executions and freshness checks, each with its run and job.

What a pull request or a schema of somebody's own brought is left out: it says nothing about the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    func,
    null,
    or_,
    select,
    union_all,
)

from headwater.model.outcome import GOOD, Outcome
from headwater.store.database import read_once
from headwater.store.schema import executions, freshness_results, invocations, jobs, nodes, runs
from headwater.store.writing import Scope, chunks

CI_JOB_TYPE = "ci"
_ACCOUNT: BindParameter[Any] = bindparam("of_account")
_UNTIL: BindParameter[Any] = bindparam("until")
_NAMED = nodes.c.node_key.in_(bindparam("of_nodes", expanding=True))
_PLACED = and_(nodes.c.project_id == bindparam("of_project"), nodes.c.environment_id == bindparam("of_environment"))
"""Which nodes are meant. Statements are built once: building one takes longer than what it asks of a database."""
_RESULTS = (executions, freshness_results)
_PLACE = (invocations.c.invocation_key, invocations.c.run_id, invocations.c.manifest_key, runs.c.job_id)


def list_outcomes(
    tx: Connection, account_key: int, node_key: int, until: datetime, *, limit: int = 60
) -> tuple[Outcome, ...]:
    """List what happened to a node up to a moment, newest first; of a source its freshness checks."""
    asked = {"of_account": account_key, "of_node": node_key, "until": until, "most": limit}
    found = [_outcome(row) for row in tx.execute(_history(), asked)]
    found.sort(key=_order, reverse=True)
    return tuple(found[:limit])


def list_latest_outcomes(
    tx: Connection, account_key: int, node_keys: Iterable[int], until: datetime
) -> dict[str, Outcome]:
    """Give what happened last to each of some nodes up to a moment, by unique_id."""
    found: dict[str, Outcome] = {}
    for chunk in chunks(node_keys):
        found |= _read_newest(tx, account_key, _NAMED, {"of_nodes": chunk}, until)
    return found


def list_place_outcomes(tx: Connection, scope: Scope, until: datetime) -> dict[str, Outcome]:
    """Give what happened last to each node of a project and environment up to a moment, by unique_id."""
    place = {"of_project": scope.project_id, "of_environment": scope.environment_id}
    return _read_newest(tx, scope.account_key, _PLACED, place, until)


def _read_newest(
    tx: Connection, account_key: int, which: ColumnElement[bool], asked: Mapping[str, object], until: datetime
) -> dict[str, Outcome]:
    """Read the newest results of nodes that tell of the environment, by unique_id."""
    found: dict[str, Outcome] = {}
    others = set()
    for *told, node_key, is_told in tx.execute(_newest(which), {"of_account": account_key, "until": until, **asked}):
        if is_told:
            _keep_newer(found, _outcome(told))
        else:
            others.add(node_key)
    for node_key in others:
        for outcome in list_outcomes(tx, account_key, node_key, until, limit=1):
            _keep_newer(found, outcome)
    return found


def _keep_newer(found: dict[str, Outcome], outcome: Outcome) -> None:
    known = found.get(outcome.unique_id)
    if known is None or _order(outcome) > _order(known):
        found[outcome.unique_id] = outcome


def _order(outcome: Outcome) -> tuple[datetime, int]:
    return outcome.at, outcome.invocation_key


@cache
def _newest(which: ColumnElement[bool]) -> CompoundSelect[Any]:
    return union_all(*(_newest_of(results, which) for results in _RESULTS))


def _newest_of(results: Table, which: ColumnElement[bool]) -> Select[Any]:
    """Select the newest result of each of some nodes.

    The newest of all is found in the index of nodes and times, with one step for each node, before anything is joined:
    SQLite else compares every result of a node with it.
    """
    other = results.alias()
    last = select(func.max(other.c.happened_at)).where(
        other.c.account_key == _ACCOUNT, other.c.node_key == nodes.c.node_key, other.c.happened_at <= _UNTIL
    )
    named = (nodes.c.account_key, nodes.c.node_key, nodes.c.unique_id)
    found = select(*named, last.correlate(nodes).scalar_subquery().label("at"))
    newest = (
        found.where(nodes.c.account_key == _ACCOUNT, which).cte(f"newest_{results.name}").prefix_with("MATERIALIZED")
    )
    same = and_(
        newest.c.account_key == results.c.account_key,
        newest.c.node_key == results.c.node_key,
        newest.c.at == results.c.happened_at,
    )
    told = tells_of_environment().label("is_told")
    columns = (*_columns(results), newest.c.unique_id, newest.c.node_key, told)
    return select(*columns).select_from(in_runs(results).join(newest, same)).where(results.c.account_key == _ACCOUNT)


def list_bad_outcomes(tx: Connection, account_key: int, invocation_keys: Iterable[int]) -> dict[str, Outcome]:
    """Give what did not go well in some invocations, by unique_id; the last of each node counts."""
    keys = tuple(invocation_keys)

    def read() -> dict[str, Outcome]:
        rows = tx.execute(_bad(), {"of_account": account_key, "of_invocations": keys})
        return {outcome.unique_id: outcome for outcome in map(_outcome, rows)}

    return dict(read_once(tx, ("bad outcomes", account_key, keys), read))


@cache
def _bad() -> Select[Any]:
    """Select the bad executions of invocations whose run and job are found first: there are few of these."""
    asked = and_(
        invocations.c.account_key == _ACCOUNT,
        invocations.c.invocation_key.in_(bindparam("of_invocations", expanding=True)),
    )
    joined = _with_runs(invocations, invocations.c.account_key)
    told = select(*_PLACE).select_from(joined).where(asked, tells_of_environment())
    placed = told.cte("placed").prefix_with("MATERIALIZED")
    same = and_(nodes.c.account_key == executions.c.account_key, nodes.c.node_key == executions.c.node_key)
    here = executions.c.invocation_key == placed.c.invocation_key
    return (
        select(*_told(executions), *placed.c, nodes.c.unique_id)
        .select_from(executions.join(placed, here).join(nodes, same))
        .where(executions.c.account_key == _ACCOUNT, executions.c.status.not_in(GOOD))
        .order_by(executions.c.happened_at)
    )


def list_run_invocation_keys(tx: Connection, account_key: int, run_id: int) -> tuple[int, ...]:
    """Give the keys of a run's invocations by step."""

    def read() -> tuple[int, ...]:
        return tuple(tx.execute(_RUN_KEYS, {"of_account": account_key, "of_run": run_id}).scalars())

    return read_once(tx, ("invocation keys", account_key, run_id), read)


_RUN_KEYS = (
    select(invocations.c.invocation_key)
    .where(invocations.c.account_key == _ACCOUNT, invocations.c.run_id == bindparam("of_run"))
    .order_by(invocations.c.step_index, invocations.c.invocation_key)
)


def read_variables(tx: Connection, account_key: int, invocation_keys: Iterable[int]) -> dict[int, dict[str, str]]:
    """Give the variables that some invocations were given; an invocation of which that is not known is left out."""
    rows = tx.execute(_VARIABLES, {"of_account": account_key, "of_invocations": list(invocation_keys)})
    return {row.invocation_key: row.variables for row in rows}


_VARIABLES = select(invocations.c.invocation_key, invocations.c.variables).where(
    invocations.c.account_key == _ACCOUNT,
    invocations.c.invocation_key.in_(bindparam("of_invocations", expanding=True)),
    invocations.c.variables.is_not(None),
)


@cache
def _history() -> CompoundSelect[Any]:
    return union_all(*(select(_history_of(results).subquery()) for results in _RESULTS))


def _history_of(results: Table) -> Select[Any]:
    same = and_(nodes.c.account_key == results.c.account_key, nodes.c.node_key == results.c.node_key)
    query = select(*_columns(results), nodes.c.unique_id).select_from(in_runs(results).join(nodes, same))
    here = and_(results.c.account_key == _ACCOUNT, results.c.node_key == bindparam("of_node"))
    newest_first = (results.c.happened_at.desc(), results.c.invocation_key.desc())
    query = query.where(here, results.c.happened_at <= _UNTIL, tells_of_environment())
    return query.order_by(*newest_first).limit(bindparam("most", type_=Integer))


def _columns(results: Table) -> tuple[ColumnElement[Any], ...]:
    return (*_told(results), *_PLACE)


def _told(results: Table) -> tuple[ColumnElement[Any], ...]:
    """Give what is read of a result, for an execution and a freshness check alike."""
    other = freshness_results if results is executions else executions
    return tuple(
        (results.c[name] if name in results.c else cast(null(), other.c[name].type)).label(name)
        for name in (
            "status",
            "happened_at",
            "elapsed",
            "failures",
            "rows_affected",
            "message",
            "max_loaded_at",
            "compiled_hash",
        )
    )


def in_runs(results: FromClause) -> FromClause:
    """Join results with their invocations and, where dbt Cloud ran those, with run and job."""
    key = results.c.account_key
    same = and_(invocations.c.account_key == key, invocations.c.invocation_key == results.c.invocation_key)
    return _with_runs(results.join(invocations, same), key)


def _with_runs(joined: FromClause, key: ColumnElement[Any]) -> FromClause:
    joined = joined.outerjoin(runs, and_(runs.c.account_key == key, runs.c.run_id == invocations.c.run_id))
    return joined.outerjoin(jobs, and_(jobs.c.account_key == key, jobs.c.job_id == runs.c.job_id))


def tells_of_environment() -> ColumnElement[bool]:
    """Tell that a result is no pull request's and of no schema of somebody's own."""
    return and_(
        runs.c.trigger_pull_request_id.is_(None),
        runs.c.trigger_schema_override.is_(None),
        or_(jobs.c.job_type.is_(None), jobs.c.job_type != CI_JOB_TYPE),
    )


def _outcome(row: Iterable[Any]) -> Outcome:
    """Read an outcome from its columns by their places: there may be thousands."""
    (
        status, at, elapsed, failures, rows, message, max_loaded_at, compiled, invocation_key, run_id, manifest_key,
        job_id, unique_id,
    ) = row  # fmt: skip
    return Outcome(
        unique_id=unique_id,
        status=status,
        at=at,
        invocation_key=invocation_key,
        run_id=run_id,
        job_id=job_id,
        manifest_key=manifest_key,
        elapsed=elapsed,
        failures=failures,
        rows=rows,
        message=message,
        max_loaded_at=max_loaded_at,
        compiled=None if compiled is None else bytes(compiled),
    )
