"""Asking what happened to a node: its executions or source checks with their jobs, and the last result of each test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, Table, and_, bindparam, func, null, select

from headwater.store.lineage import is_proposed
from headwater.store.schema import executions, freshness_results, invocations, jobs, runs
from headwater.store.writing import chunks

_SOME = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """A result of a node, with the run and the job it came from; None where it was ingested."""

    node_key: int
    status: str
    happened_at: datetime
    elapsed: timedelta | None
    rows_affected: int | None
    failures: int | None
    message: str | None
    step_index: int | None
    run_id: int | None
    job_id: int | None
    job_name: str | None


def list_node_results(
    tx: Connection,
    account_key: int,
    node_key: int,
    *,
    is_source: bool = False,
    until: datetime | None = None,
    with_proposed: bool = False,
    limit: int = 200,
) -> list[NodeResult]:
    """List the executions of a node, or the checks of a source, newest first; those of pull requests only if asked."""
    query = _last(freshness_results if is_source else executions, until is not None, with_proposed)
    asked = {"of_account": account_key, "of_node": node_key, "most": limit} | (
        {} if until is None else {"until": until}
    )
    return [_result(row) for row in tx.execute(query, asked)]


@cache
def _last(table: Table, is_past: bool, with_proposed: bool) -> Select[Any]:
    where = [table.c.account_key == bindparam("of_account"), table.c.node_key == bindparam("of_node")]
    if is_past:
        where.append(table.c.happened_at <= bindparam("until"))
    if not with_proposed:
        where.append(is_proposed().is_(False))
    newest_first = (table.c.happened_at.desc(), table.c.invocation_key.desc())
    return _results(table, where).order_by(*newest_first).limit(bindparam("most", type_=Integer))


def list_last_results(
    tx: Connection,
    account_key: int,
    node_keys: Iterable[int],
    *,
    until: datetime | None = None,
    with_proposed: bool = False,
) -> dict[int, NodeResult]:
    """Give the last execution of each of some nodes."""
    found: dict[int, NodeResult] = {}
    for chunk in chunks(node_keys, _SOME):
        where = [executions.c.account_key == account_key, executions.c.node_key.in_(chunk)]
        if until is not None:
            where.append(executions.c.happened_at <= until)
        if not with_proposed:
            where.append(is_proposed().is_(False))
        order = (executions.c.happened_at.desc(), executions.c.invocation_key.desc())
        rank = func.row_number().over(partition_by=executions.c.node_key, order_by=order)
        ranked = _results(executions, where).add_columns(rank.label("rank")).subquery()
        found |= {row.node_key: _result(row) for row in tx.execute(select(ranked).where(ranked.c.rank == 1))}
    return found


def list_statuses(
    tx: Connection,
    account_key: int,
    node_keys: Iterable[int],
    since: datetime,
    until: datetime,
    *,
    with_proposed: bool = False,
) -> dict[int, list[str]]:
    """List how each of some nodes ended between two times, oldest first."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for chunk in chunks(node_keys, _SOME):
        where = [executions.c.account_key == account_key, executions.c.node_key.in_(chunk)]
        where += [executions.c.happened_at >= since, executions.c.happened_at <= until]
        if not with_proposed:
            where.append(is_proposed().is_(False))
        for row in tx.execute(_results(executions, where).order_by(executions.c.happened_at)):
            found[row.node_key].append(row.status)
    return dict(found)


def _results(table: Table, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    of_execution = (
        [table.c.rows_affected, table.c.failures]
        if table is executions
        else [null().label("rows_affected"), null().label("failures")]
    )
    columns = (
        table.c.node_key, table.c.invocation_key, table.c.status, table.c.happened_at, table.c.elapsed,
        table.c.message, *of_execution, invocations.c.step_index, invocations.c.run_id, runs.c.job_id,
        jobs.c.name.label("job_name"),
    )  # fmt: skip
    same = table.c.account_key
    joined = (
        table.join(
            invocations,
            and_(invocations.c.account_key == same, invocations.c.invocation_key == table.c.invocation_key),
        )
        .outerjoin(runs, and_(runs.c.account_key == same, runs.c.run_id == invocations.c.run_id))
        .outerjoin(jobs, and_(jobs.c.account_key == same, jobs.c.job_id == runs.c.job_id))
    )
    return select(*columns).select_from(joined).where(*where)


def _result(row: Any) -> NodeResult:
    return NodeResult(**{name: getattr(row, name) for name in NodeResult.__dataclass_fields__})
