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
    Select,
    Table,
    and_,
    bindparam,
    column,
    func,
    literal,
    null,
    select,
    values,
)

from headwater.model.outcome import Outcome
from headwater.store.outcome_queries import in_runs, tells_of_environment
from headwater.store.schema import executions, freshness_results, invocations, jobs, nodes, runs
from headwater.store.values import Instant, Number
from headwater.store.writing import chunks

_PAIRS_AT_ONCE = 2_000
_ACCOUNT: BindParameter[Any] = bindparam("of_account")
_NODES: BindParameter[Any] = bindparam("of_nodes", expanding=True)
_STATUSES: BindParameter[Any] = bindparam("statuses", expanding=True)
_SINCE: BindParameter[Any] = bindparam("since")
_UNTIL: BindParameter[Any] = bindparam("until")


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
    asked = {"of_account": account_key, "until": until} | _name_statuses(statuses)
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
    asked = {"of_account": account_key, "since": since, "until": until} | _name_statuses(statuses)
    found: defaultdict[int, list[Outcome]] = defaultdict(list)
    for chunk in chunks(node_keys):
        for row in tx.execute(_between(with_statuses=statuses is not None), {**asked, "of_nodes": chunk}):
            found[row.node_key].append(_outcome(row))
    return dict(found)


@cache
def _between(*, with_statuses: bool) -> Select[Any]:
    query = _select(executions).where(
        executions.c.node_key.in_(_NODES),
        executions.c.happened_at > _SINCE,
        executions.c.happened_at <= _UNTIL,
        tells_of_environment(),
    )
    if with_statuses:
        query = query.where(executions.c.status.in_(_STATUSES))
    return query.order_by(executions.c.happened_at.desc(), executions.c.invocation_key.desc())


def list_first_since(
    tx: Connection, account_key: int, node_keys: Iterable[int], since: datetime, until: datetime
) -> dict[int, datetime]:
    """Give when something first happened to each of some nodes from a moment on."""
    asked = {"of_account": account_key, "since": since, "until": until}
    found: dict[int, datetime] = {}
    for chunk in chunks(node_keys):
        found |= {row.node_key: row.first for row in tx.execute(_FIRST, {**asked, "of_nodes": chunk})}
    return found


_FIRST = (
    select(executions.c.node_key, func.min(executions.c.happened_at).label("first"))
    .where(
        executions.c.account_key == _ACCOUNT,
        executions.c.node_key.in_(_NODES),
        executions.c.happened_at >= _SINCE,
        executions.c.happened_at <= _UNTIL,
    )
    .group_by(executions.c.node_key)
)


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
    found = tx.execute(_KEYS, {"of_account": account_key, "of_runs": listed}).scalars().all() if listed else []
    spans: list[Span] = []
    for chunk in chunks(node_keys) if found else ():
        asked = {"of_account": account_key, "of_invocations": found, "of_nodes": chunk}
        spans += [Span(*row) for row in tx.execute(_SPANS, asked)]
    return spans


_KEYS = select(invocations.c.invocation_key).where(
    invocations.c.account_key == _ACCOUNT, invocations.c.run_id.in_(bindparam("of_runs", expanding=True))
)
_SPANS = select(executions.c.node_key, executions.c.invocation_key, executions.c.elapsed, executions.c.thread).where(
    executions.c.account_key == _ACCOUNT,
    executions.c.invocation_key.in_(bindparam("of_invocations", expanding=True)),
    executions.c.node_key.in_(_NODES),
    executions.c.status.in_(("success", "pass", "warn")),
    executions.c.elapsed.is_not(None),
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
            other.c.happened_at <= _UNTIL,
            tells_of_environment(),
        )
        .order_by(other.c.happened_at.desc())
        .limit(1)
    )
    query = _select(results)
    if with_statuses:
        newest, query = newest.where(other.c.status.in_(_STATUSES)), query.where(results.c.status.in_(_STATUSES))
    return query.where(
        nodes.c.account_key == _ACCOUNT,
        nodes.c.node_key.in_(_NODES),
        results.c.happened_at == newest.correlate(nodes).scalar_subquery(),
        tells_of_environment(),
    )


def _name_statuses(statuses: Collection[str] | None) -> dict[str, object]:
    return {} if statuses is None else {"statuses": list(statuses)}


def _select(results: Table) -> Select[Any]:
    told = [
        results.c[name].label(name) if name in results.c else null().label(name)
        for name in ("status", "happened_at", "elapsed", "failures", "rows_affected", "max_loaded_at")
    ]
    same = and_(nodes.c.account_key == results.c.account_key, nodes.c.node_key == results.c.node_key)
    columns = (
        nodes.c.node_key, nodes.c.unique_id, invocations.c.invocation_key, invocations.c.run_id,
        invocations.c.manifest_key, runs.c.job_id,
    )  # fmt: skip
    query = select(*told, *columns).select_from(in_runs(results).join(nodes, same))
    return query.where(results.c.account_key == _ACCOUNT)


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
