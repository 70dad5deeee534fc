"""Asking what happened to nodes: executions and freshness checks, each with its run and job.

What a pull request or a schema of somebody's own brought is left out: it says nothing about the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, func, null, or_, select

from headwater.model.outcome import GOOD, Outcome
from headwater.store.schema import executions, freshness_results, invocations, jobs, nodes, runs
from headwater.store.writing import Scope, chunks

CI_JOB_TYPE = "ci"


def list_outcomes(
    tx: Connection, account_key: int, node_key: int, until: datetime, *, limit: int = 60
) -> tuple[Outcome, ...]:
    """List what happened to a node up to a moment, newest first; of a source its freshness checks."""
    found: list[Outcome] = []
    for results in (executions, freshness_results):
        found += _each(tx, _history(results, account_key, node_key, until, limit))
    found.sort(key=lambda outcome: (outcome.at, outcome.invocation_key), reverse=True)
    return tuple(found[:limit])


def list_latest_outcomes(
    tx: Connection, account_key: int, node_keys: Iterable[int], until: datetime
) -> dict[str, Outcome]:
    """Give what happened last to each of some nodes up to a moment, by unique_id."""
    found: dict[str, Outcome] = {}
    for chunk in chunks(node_keys):
        for results in (freshness_results, executions):
            told, others = _read_newest(tx, account_key, results, nodes.c.node_key.in_(chunk), until)
            told += [outcome for key in others for outcome in _each(tx, _history(results, account_key, key, until, 1))]
            _keep_newest(found, told)
    return found


def list_place_outcomes(tx: Connection, scope: Scope, until: datetime) -> dict[str, Outcome]:
    """Give what happened last to each node of a project and environment up to a moment, by unique_id."""
    account_key = scope.account_key
    place = and_(nodes.c.project_id == scope.project_id, nodes.c.environment_id == scope.environment_id)
    found: dict[str, Outcome] = {}
    for results in (freshness_results, executions):
        told, others = _read_newest(tx, account_key, results, place, until)
        told += [outcome for key in others for outcome in _each(tx, _history(results, account_key, key, until, 1))]
        _keep_newest(found, told)
    return found


def _keep_newest(found: dict[str, Outcome], told: Iterable[Outcome]) -> None:
    for outcome in told:
        known = found.get(outcome.unique_id)
        if known is None or (outcome.at, outcome.invocation_key) > (known.at, known.invocation_key):
            found[outcome.unique_id] = outcome


def _read_newest(
    tx: Connection, account_key: int, results: Table, which: ColumnElement[bool], until: datetime
) -> tuple[list[Outcome], list[int]]:
    """Read the newest results of nodes, and give the keys of those whose newest does not tell of the environment.

    The newest of all is found in the index of nodes and times, with one step for each node, before anything is joined:
    SQLite else compares every result of a node with it.
    """
    other = results.alias()
    last = select(func.max(other.c.happened_at)).where(
        other.c.account_key == account_key, other.c.node_key == nodes.c.node_key, other.c.happened_at <= until
    )
    named = (nodes.c.account_key, nodes.c.node_key, nodes.c.unique_id)
    found = select(*named, last.correlate(nodes).scalar_subquery().label("at"))
    newest = found.where(nodes.c.account_key == account_key, which).cte("newest").prefix_with("MATERIALIZED")
    same = and_(
        newest.c.account_key == results.c.account_key,
        newest.c.node_key == results.c.node_key,
        newest.c.at == results.c.happened_at,
    )
    told = tells_of_environment().label("is_told")
    columns = (*_columns(results), newest.c.unique_id, newest.c.node_key, told)
    query = select(*columns).select_from(in_runs(results).join(newest, same))
    rows = tx.execute(query.where(results.c.account_key == account_key)).all()
    return [_outcome(row) for row in rows if row.is_told], [row.node_key for row in rows if not row.is_told]


def list_bad_outcomes(tx: Connection, account_key: int, invocation_keys: Iterable[int]) -> dict[str, Outcome]:
    """Give what did not go well in some invocations, by unique_id; the last of each node counts."""
    query = _select(executions, account_key).where(
        executions.c.invocation_key.in_(list(invocation_keys)),
        executions.c.status.not_in(GOOD),
        tells_of_environment(),
    )
    return {outcome.unique_id: outcome for outcome in _each(tx, query.order_by(executions.c.happened_at))}


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


def _history(results: Table, account_key: int, node_key: int, until: datetime, limit: int) -> Select[Any]:
    query = _select(results, account_key).where(results.c.node_key == node_key, results.c.happened_at <= until)
    query = query.where(tells_of_environment())
    return query.order_by(results.c.happened_at.desc(), results.c.invocation_key.desc()).limit(limit)


def _select(results: Table, account_key: int) -> Select[Any]:
    same = and_(nodes.c.account_key == results.c.account_key, nodes.c.node_key == results.c.node_key)
    query = select(*_columns(results), nodes.c.unique_id).select_from(in_runs(results).join(nodes, same))
    return query.where(results.c.account_key == account_key)


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


def _each(tx: Connection, query: Select[Any]) -> Iterator[Outcome]:
    return map(_outcome, tx.execute(query))


def _outcome(row: Any) -> Outcome:
    return Outcome(
        unique_id=row.unique_id,
        status=row.status,
        at=row.happened_at,
        invocation_key=row.invocation_key,
        run_id=row.run_id,
        job_id=row.job_id,
        manifest_key=row.manifest_key,
        elapsed=row.elapsed,
        failures=row.failures,
        rows=row.rows_affected,
        message=row.message,
        max_loaded_at=row.max_loaded_at,
        compiled=None if row.compiled_hash is None else bytes(row.compiled_hash),
    )
