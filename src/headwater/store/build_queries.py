"""Asking what had happened to many nodes at a time, and what their builds took: few queries for any number of nodes.

What a pull request or a schema of somebody's own brought is left out, as in `outcome_queries`. Outcomes come without
messages, which are long and not needed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    column,
    exists,
    func,
    literal,
    null,
    select,
    values,
)

from headwater.model.outcome import Outcome
from headwater.model.run import RunStatus
from headwater.store.outcome_queries import in_runs, tells_of_environment
from headwater.store.schema import executions, freshness_results, invocations, jobs, nodes, runs
from headwater.store.values import Instant, Number
from headwater.store.writing import Scope, chunks

_PAIRS_AT_ONCE = 2_000
_ACCOUNT: BindParameter[Any] = bindparam("of_account")


class RunPlace(NamedTuple):
    """The job a run belongs to, when it was created and began, how it stands, and whose nodes it executes."""

    job_id: int | None
    created_at: datetime | None
    started_at: datetime | None
    is_good: bool
    is_finished: bool
    scope: Scope


class Span(NamedTuple):
    """How long one execution of a node took, and in which thread of which invocation."""

    node_key: int
    invocation_key: int
    elapsed: timedelta
    thread: str | None


def list_newest(
    tx: Connection,
    account_key: int,
    node_keys: Iterable[int],
    until: datetime,
    *,
    statuses: Collection[str] | None = None,
    of_sources: bool = False,
) -> dict[int, Outcome]:
    """Give what happened last to each of some nodes up to a moment, by node key; with `statuses` only what ended so.

    Executions are asked, or the freshness checks `of_sources`. One index step for each node.
    """
    query = _newest(freshness_results if of_sources else executions, with_statuses=statuses is not None)
    asked = {"of_account": account_key, "until": until} | ({} if statuses is None else {"statuses": list(statuses)})
    found: dict[int, Outcome] = {}
    for chunk in chunks(node_keys):
        for row in tx.execute(query, {**asked, "of_nodes": chunk}):
            known = found.get(row.node_key)
            if known is None or known.invocation_key < row.invocation_key:
                found[row.node_key] = _outcome(row)
    return found


def list_built_before(
    tx: Connection, account_key: int, asked: Iterable[tuple[int, datetime]], *, statuses: Collection[str]
) -> dict[tuple[int, datetime], datetime]:
    """Give for each of some nodes and times when it was last executed with one of these statuses up to then."""
    return _ask_each(tx, account_key, asked, executions, executions.c.happened_at, statuses)


def list_loaded_before(
    tx: Connection, account_key: int, asked: Iterable[tuple[int, datetime]]
) -> dict[tuple[int, datetime], datetime]:
    """Give for each of some sources and times the newest row that its last freshness check up to then found."""
    return _ask_each(tx, account_key, asked, freshness_results, freshness_results.c.max_loaded_at)


def _ask_each(
    tx: Connection,
    account_key: int,
    asked: Iterable[tuple[int, datetime]],
    results: Table,
    told: ColumnElement[Any],
    statuses: Collection[str] | None = None,
) -> dict[tuple[int, datetime], datetime]:
    """Give what the last result of each node up to each time tells: one query, one index step for each."""
    found: dict[tuple[int, datetime], datetime] = {}
    for chunk in chunks(dict.fromkeys(asked), _PAIRS_AT_ONCE):
        each = _name_asked(account_key, chunk)
        last = (
            select(told)
            .select_from(in_runs(results))
            .where(
                results.c.account_key == account_key,
                results.c.node_key == each.c.node_key,
                results.c.happened_at <= each.c.until,
                tells_of_environment(),
            )
            .order_by(results.c.happened_at.desc(), results.c.invocation_key.desc())
            .limit(1)
        )
        if statuses is not None:
            last = last.where(results.c.status.in_(statuses))
        query = select(each.c.node_key, each.c.until, last.correlate(each).scalar_subquery().label("told"))
        found |= {(row.node_key, row.until): row.told for row in tx.execute(query) if row.told is not None}
    return found


def _name_asked(account_key: int, asked: Sequence[tuple[int, datetime]]) -> CTE:
    """Give what is asked as rows of key and time; where all ask of one time, in words that are compiled only once."""
    first = asked[0][1]
    if all(at == first for _, at in asked):
        here = (nodes.c.account_key == account_key) & nodes.c.node_key.in_([key for key, _ in asked])
        return select(nodes.c.node_key, literal(first, Instant()).label("until")).where(here).cte("asked")
    columns = (column("node_key", Number()), column("until", Instant()))
    return values(*columns, name="asked").data(asked).cte("asked")


def list_between(
    tx: Connection,
    account_key: int,
    node_keys: Iterable[int],
    since: datetime,
    until: datetime,
    *,
    statuses: Collection[str] | None = None,
) -> dict[int, list[Outcome]]:
    """List what happened to some nodes after a moment up to another, by node key and newest first."""
    found: defaultdict[int, list[Outcome]] = defaultdict(list)
    for chunk in chunks(node_keys):
        query = _select(executions, in_runs(executions), account_key).where(
            executions.c.node_key.in_(chunk),
            executions.c.happened_at > since,
            executions.c.happened_at <= until,
            tells_of_environment(),
        )
        if statuses is not None:
            query = query.where(executions.c.status.in_(statuses))
        for row in tx.execute(query.order_by(executions.c.happened_at.desc(), executions.c.invocation_key.desc())):
            found[row.node_key].append(_outcome(row))
    return dict(found)


def list_first_since(
    tx: Connection, account_key: int, node_keys: Iterable[int], since: datetime, until: datetime
) -> dict[int, datetime]:
    """Give when something first happened to each of some nodes from a moment on."""
    found: dict[int, datetime] = {}
    for chunk in chunks(node_keys):
        query = select(executions.c.node_key, func.min(executions.c.happened_at).label("first")).where(
            executions.c.account_key == account_key,
            executions.c.node_key.in_(chunk),
            executions.c.happened_at >= since,
            executions.c.happened_at <= until,
        )
        found |= {row.node_key: row.first for row in tx.execute(query.group_by(executions.c.node_key))}
    return found


def find_run_place(tx: Connection, account_key: int, run_id: int) -> RunPlace | None:
    """Find where a run belongs."""
    columns = runs.c
    query = select(
        columns.job_id, columns.created_at, columns.started_at, columns.status, columns.project_id,
        columns.environment_id,
    ).where(columns.account_key == account_key, columns.run_id == run_id)  # fmt: skip
    row = tx.execute(query).first()
    if row is None:
        return None
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
    query = select(runs.c.run_id).where(
        runs.c.account_key == account_key,
        runs.c.job_id == job_id,
        runs.c.status == RunStatus.SUCCESS,
        runs.c.placed_at < until,
    )
    return tuple(tx.execute(query.order_by(runs.c.placed_at.desc()).limit(limit)).scalars())


def list_failed_runs(tx: Connection, place: Scope, since: datetime, until: datetime, *, limit: int) -> tuple[int, ...]:
    """List the runs of a place that failed between two moments, newest first; those of pull requests left out."""
    query = select(runs.c.run_id).where(
        runs.c.account_key == place.account_key,
        runs.c.project_id == place.project_id,
        runs.c.environment_id == place.environment_id,
        runs.c.status == RunStatus.ERROR,
        runs.c.trigger_pull_request_id.is_(None),
        runs.c.placed_at >= since,
        runs.c.placed_at <= until,
    )
    return tuple(tx.execute(query.order_by(runs.c.placed_at.desc()).limit(limit)).scalars())


def list_not_reached(tx: Connection, account_key: int, run_id: int, good_run_id: int) -> list[str]:
    """List by unique_id the nodes that one run executed and another one, which ended badly, did not come to.

    Where the bad one executed as many, nothing is compared: then it reached all.
    """
    if _count_executed(tx, account_key, run_id) >= _count_executed(tx, account_key, good_run_id):
        return []
    done = executions.alias()
    reached = exists().where(
        done.c.account_key == account_key,
        done.c.node_key == executions.c.node_key,
        done.c.invocation_key.in_(_keys_of_run(account_key, run_id)),
    )
    return _executed_in(tx, account_key, good_run_id, ~reached)


def list_executed(tx: Connection, account_key: int, run_id: int) -> list[str]:
    """List by unique_id the nodes that a run executed."""
    return _executed_in(tx, account_key, run_id)


def find_main_jobs(
    tx: Connection, account_key: int, node_keys: Iterable[int], since: datetime, until: datetime
) -> dict[int, int]:
    """Find for each of some nodes the job that executed it most often between two times, of equal ones the latest.

    A job that was deleted is not counted.
    """
    times, latest = func.count().label("times"), func.max(executions.c.happened_at).label("latest")
    found: dict[int, int] = {}
    for chunk in chunks(node_keys):
        query = (
            select(executions.c.node_key, runs.c.job_id, times, latest)
            .select_from(in_runs(executions))
            .where(
                executions.c.account_key == account_key,
                executions.c.node_key.in_(chunk),
                executions.c.happened_at > since,
                executions.c.happened_at <= until,
                runs.c.job_id.is_not(None),
                jobs.c.is_deleted.is_not(True),
                tells_of_environment(),
            )
            .group_by(executions.c.node_key, runs.c.job_id)
            .order_by(times, latest)
        )
        found |= {row.node_key: row.job_id for row in tx.execute(query)}
    return found


def list_spans(tx: Connection, account_key: int, node_keys: Iterable[int], run_ids: Iterable[int]) -> list[Span]:
    """List how long some nodes took in some runs, where they went well."""
    listed = list(run_ids)
    keys = select(invocations.c.invocation_key).where(
        invocations.c.account_key == account_key, invocations.c.run_id.in_(listed)
    )
    found = tuple(tx.execute(keys).scalars()) if listed else ()
    columns = (executions.c.node_key, executions.c.invocation_key, executions.c.elapsed, executions.c.thread)
    spans: list[Span] = []
    for chunk in chunks(node_keys) if found else ():
        query = select(*columns).where(
            executions.c.account_key == account_key,
            executions.c.invocation_key.in_(found),
            executions.c.node_key.in_(chunk),
            executions.c.status.in_(("success", "pass", "warn")),
            executions.c.elapsed.is_not(None),
        )
        spans += [Span(*row) for row in tx.execute(query)]
    return spans


def _executed_in(tx: Connection, account_key: int, run_id: int, *more: Any) -> list[str]:
    same = and_(nodes.c.account_key == executions.c.account_key, nodes.c.node_key == executions.c.node_key)
    query = (
        select(nodes.c.unique_id)
        .select_from(executions.join(nodes, same))
        .where(
            executions.c.account_key == account_key,
            executions.c.invocation_key.in_(_keys_of_run(account_key, run_id)),
            *more,
        )
    )
    return sorted(set(tx.execute(query).scalars()))


def _count_executed(tx: Connection, account_key: int, run_id: int) -> int:
    query = select(invocations.c.status_counts).where(
        invocations.c.account_key == account_key, invocations.c.run_id == run_id
    )
    return sum(sum(counts.values()) for counts in tx.execute(query).scalars())


def _keys_of_run(account_key: int, run_id: int) -> Select[Any]:
    return select(invocations.c.invocation_key).where(
        invocations.c.account_key == account_key, invocations.c.run_id == run_id
    )


@cache
def _newest(results: Table, *, with_statuses: bool) -> Select[Any]:
    other = results.alias()
    newest = (
        select(other.c.happened_at)
        .select_from(in_runs(other))
        .where(
            other.c.account_key == _ACCOUNT,
            other.c.node_key == nodes.c.node_key,
            other.c.happened_at <= bindparam("until"),
            tells_of_environment(),
        )
        .order_by(other.c.happened_at.desc())
        .limit(1)
    )
    query = _select(results, in_runs(results), _ACCOUNT)
    if with_statuses:
        wanted: BindParameter[Any] = bindparam("statuses", expanding=True)
        newest, query = newest.where(other.c.status.in_(wanted)), query.where(results.c.status.in_(wanted))
    return query.where(
        nodes.c.account_key == _ACCOUNT,
        nodes.c.node_key.in_(bindparam("of_nodes", expanding=True)),
        results.c.happened_at == newest.correlate(nodes).scalar_subquery(),
        tells_of_environment(),
    )


def _select(results: Table, joined: FromClause, account_key: int | BindParameter[Any]) -> Select[Any]:
    told = [
        results.c[name].label(name) if name in results.c else null().label(name)
        for name in ("status", "happened_at", "elapsed", "failures", "rows_affected", "max_loaded_at")
    ]
    same = and_(nodes.c.account_key == results.c.account_key, nodes.c.node_key == results.c.node_key)
    columns = (
        nodes.c.node_key, nodes.c.unique_id, invocations.c.invocation_key, invocations.c.run_id,
        invocations.c.manifest_key, runs.c.job_id,
    )  # fmt: skip
    return select(*told, *columns).select_from(joined.join(nodes, same)).where(results.c.account_key == account_key)


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
        max_loaded_at=row.max_loaded_at,
    )
