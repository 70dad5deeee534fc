"""Asking what happened to nodes: executions and freshness checks, each with its run and job.

What a pull request or a schema of somebody's own brought is left out: it says nothing about the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import starmap
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
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


def list_outcomes(
    tx: Connection, account_key: int, node_key: int, until: datetime, *, limit: int = 60
) -> tuple[Outcome, ...]:
    """List what happened to a node up to a moment, newest first; of a source its freshness checks."""
    found: list[Outcome] = []
    for results in (executions, freshness_results):
        found += _read_history(tx, results, account_key, node_key, until, limit)
    found.sort(key=lambda outcome: (outcome.at, outcome.invocation_key), reverse=True)
    return tuple(found[:limit])


def list_latest_outcomes(
    tx: Connection, account_key: int, node_keys: Iterable[int], until: datetime
) -> dict[str, Outcome]:
    """Give what happened last to each of some nodes up to a moment, by unique_id."""
    found: dict[str, Outcome] = {}
    for chunk in chunks(node_keys):
        for results in (freshness_results, executions):
            _keep_newest(found, _read_newest(tx, account_key, results, _NAMED, {"of_nodes": chunk}, until))
    return found


def list_place_outcomes(tx: Connection, scope: Scope, until: datetime) -> dict[str, Outcome]:
    """Give what happened last to each node of a project and environment up to a moment, by unique_id."""
    place = {"of_project": scope.project_id, "of_environment": scope.environment_id}
    found: dict[str, Outcome] = {}
    for results in (freshness_results, executions):
        _keep_newest(found, _read_newest(tx, scope.account_key, results, _PLACED, place, until))
    return found


def _keep_newest(found: dict[str, Outcome], told: Iterable[Outcome]) -> None:
    for outcome in told:
        known = found.get(outcome.unique_id)
        if known is None or (outcome.at, outcome.invocation_key) > (known.at, known.invocation_key):
            found[outcome.unique_id] = outcome


def _read_newest(
    tx: Connection,
    account_key: int,
    results: Table,
    which: ColumnElement[bool],
    asked: Mapping[str, object],
    until: datetime,
) -> list[Outcome]:
    """Read the newest results of nodes that tell of the environment."""
    rows = tx.execute(_newest(results, which), {"of_account": account_key, "until": until, **asked}).all()
    others = [node_key for *_, node_key, is_told in rows if not is_told]
    found = [_outcome(*told) for *told, _, is_told in rows if is_told]
    return found + [one for key in others for one in _read_history(tx, results, account_key, key, until, 1)]


@cache
def _newest(results: Table, which: ColumnElement[bool]) -> Select[Any]:
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
    newest = found.where(nodes.c.account_key == _ACCOUNT, which).cte("newest").prefix_with("MATERIALIZED")
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
        return {outcome.unique_id: outcome for outcome in starmap(_outcome, rows)}

    return dict(read_once(tx, ("bad outcomes", account_key, keys), read))


@cache
def _bad() -> Select[Any]:
    return (
        _select(executions)
        .where(
            executions.c.invocation_key.in_(bindparam("of_invocations", expanding=True)),
            executions.c.status.not_in(GOOD),
            tells_of_environment(),
        )
        .order_by(executions.c.happened_at)
    )


def list_run_invocation_keys(tx: Connection, account_key: int, run_id: int) -> tuple[int, ...]:
    """Give the keys of a run's invocations by step."""
    query = select(invocations.c.invocation_key).where(
        invocations.c.account_key == account_key, invocations.c.run_id == run_id
    )
    return tuple(tx.execute(query.order_by(invocations.c.step_index, invocations.c.invocation_key)).scalars())


def read_variables(tx: Connection, account_key: int, invocation_keys: Iterable[int]) -> dict[int, dict[str, str]]:
    """Give the variables that some invocations were given; an invocation of which that is not known is left out."""
    columns = invocations.c
    query = select(columns.invocation_key, columns.variables).where(
        columns.account_key == account_key,
        columns.invocation_key.in_(list(invocation_keys)),
        columns.variables.is_not(None),
    )
    return {row.invocation_key: row.variables for row in tx.execute(query)}


def _read_history(
    tx: Connection, results: Table, account_key: int, node_key: int, until: datetime, limit: int
) -> Iterator[Outcome]:
    asked = {"of_account": account_key, "of_node": node_key, "until": until, "most": limit}
    return starmap(_outcome, tx.execute(_history(results), asked))


@cache
def _history(results: Table) -> Select[Any]:
    query = _select(results).where(results.c.node_key == bindparam("of_node"), results.c.happened_at <= _UNTIL)
    query = query.where(tells_of_environment())
    newest_first = (results.c.happened_at.desc(), results.c.invocation_key.desc())
    return query.order_by(*newest_first).limit(bindparam("most", type_=Integer))


def _select(results: Table) -> Select[Any]:
    same = and_(nodes.c.account_key == results.c.account_key, nodes.c.node_key == results.c.node_key)
    query = select(*_columns(results), nodes.c.unique_id).select_from(in_runs(results).join(nodes, same))
    return query.where(results.c.account_key == _ACCOUNT)


def _columns(results: Table) -> tuple[ColumnElement[Any], ...]:
    """Give what is read of a result, for an execution and a freshness check alike."""
    told = [
        results.c[name].label(name) if name in results.c else null().label(name)
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
    ]
    return (*told, invocations.c.invocation_key, invocations.c.run_id, invocations.c.manifest_key, runs.c.job_id)


def in_runs(results: FromClause) -> FromClause:
    """Join results with their invocations and, where dbt Cloud ran those, with run and job."""
    key = results.c.account_key
    same = and_(invocations.c.account_key == key, invocations.c.invocation_key == results.c.invocation_key)
    joined = results.join(invocations, same)
    joined = joined.outerjoin(runs, and_(runs.c.account_key == key, runs.c.run_id == invocations.c.run_id))
    return joined.outerjoin(jobs, and_(jobs.c.account_key == key, jobs.c.job_id == runs.c.job_id))


def tells_of_environment() -> ColumnElement[bool]:
    """Tell that a result is no pull request's and of no schema of somebody's own."""
    return and_(
        runs.c.trigger_pull_request_id.is_(None),
        runs.c.trigger_schema_override.is_(None),
        or_(jobs.c.job_type.is_(None), jobs.c.job_type != CI_JOB_TYPE),
    )


def _outcome(
    status: str, happened_at: datetime, elapsed: timedelta | None, failures: int | None, rows_affected: int | None,
    message: str | None, max_loaded_at: datetime | None, compiled_hash: bytes | None, invocation_key: int,
    run_id: int | None, manifest_key: int | None, job_id: int | None, unique_id: str,
) -> Outcome:  # fmt: skip
    return Outcome(
        unique_id=unique_id,
        status=status,
        at=happened_at,
        invocation_key=invocation_key,
        run_id=run_id,
        job_id=job_id,
        manifest_key=manifest_key,
        elapsed=elapsed,
        failures=failures,
        rows=rows_affected,
        message=message,
        max_loaded_at=max_loaded_at,
        compiled=None if compiled_hash is None else bytes(compiled_hash),
    )
