"""Asking for invocations, executions, freshness results and compiled code."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select

from headwater.model.invocation import Execution, Freshness, Invocation
from headwater.model.run import AirflowContext
from headwater.store.rows import ExecutionRow, FreshnessRow, InvocationRow
from headwater.store.schema import compiled_codes, executions, freshness_results, invocations, nodes

_EXECUTION = [name for name in Execution.__struct_fields__ if name in executions.c]
_EXECUTION_CONTEXT = (
    nodes.c.unique_id, nodes.c.resource_type, invocations.c.step_index, invocations.c.run_id, executions.c.node_key,
    executions.c.invocation_key, executions.c.happened_at, executions.c.compiled_hash,
)  # fmt: skip
_FRESHNESS = [field.name for field in fields(Freshness) if field.name in freshness_results.c]
_INVOCATION = [field.name for field in fields(Invocation)]


def find_invocation(tx: Connection, account_key: int, invocation_id: str) -> InvocationRow | None:
    """Find an invocation by dbt's id."""
    here = (invocations.c.account_key == account_key) & (invocations.c.invocation_id == invocation_id)
    row = tx.execute(select(invocations).where(here)).first()
    return None if row is None else _invocation(row)


_OF_RUN = (
    select(invocations)
    .where(invocations.c.account_key == bindparam("of_account"), invocations.c.run_id == bindparam("of_run"))
    .order_by(invocations.c.step_index, invocations.c.generated_at, invocations.c.invocation_key)
)


def list_run_invocations(tx: Connection, account_key: int, run_id: int) -> list[InvocationRow]:
    """List the invocations of a run by step."""
    return [_invocation(row) for row in tx.execute(_OF_RUN, {"of_account": account_key, "of_run": run_id})]


def list_run_executions(tx: Connection, account_key: int, run_id: int) -> list[ExecutionRow]:
    """List the executions of a run by step and time."""
    return _list_executions(tx, account_key, invocations.c.run_id == run_id)


def list_invocation_executions(tx: Connection, account_key: int, invocation_key: int) -> list[ExecutionRow]:
    """List the executions of an invocation by time."""
    return _list_executions(tx, account_key, invocations.c.invocation_key == invocation_key)


def list_node_executions(
    tx: Connection, account_key: int, node_key: int, *, before: datetime | None = None, limit: int = 200
) -> list[ExecutionRow]:
    """List the executions of a node, newest first."""
    where = executions.c.node_key == node_key
    if before is not None:
        where &= executions.c.happened_at < before
    query = _executions_query(account_key, where).order_by(executions.c.happened_at.desc()).limit(limit)
    return [_execution(row) for row in tx.execute(query)]


def list_run_freshness(tx: Connection, account_key: int, run_id: int) -> list[FreshnessRow]:
    """List the freshness results of a run by step and source."""
    columns = (nodes.c.unique_id, invocations.c.step_index, invocations.c.run_id)
    query = select(freshness_results, *columns).select_from(_with_context(freshness_results))
    where = (freshness_results.c.account_key == account_key) & (invocations.c.run_id == run_id)
    order = (invocations.c.step_index, nodes.c.unique_id)
    return [_freshness(row) for row in tx.execute(query.where(where).order_by(*order))]


def find_compiled_code(tx: Connection, account_key: int, node_key: int, code_hash: bytes) -> str | None:
    """Find the SQL that an execution ran."""
    asked = {"of_account": account_key, "of_node": node_key, "of_hash": code_hash}
    code: str | None = tx.execute(_COMPILED, asked).scalar()
    return code


_COMPILED = select(compiled_codes.c.code).where(
    compiled_codes.c.account_key == bindparam("of_account"),
    compiled_codes.c.node_key == bindparam("of_node"),
    compiled_codes.c.code_hash == bindparam("of_hash"),
)


def _list_executions(tx: Connection, account_key: int, where: ColumnElement[bool]) -> list[ExecutionRow]:
    order = (invocations.c.step_index, invocations.c.invocation_key, executions.c.happened_at, executions.c.node_key)
    return [_execution(row) for row in tx.execute(_executions_query(account_key, where).order_by(*order)).all()]


def _executions_query(account_key: int, where: ColumnElement[bool]) -> Any:
    query = select(*_EXECUTION_CONTEXT, *(executions.c[name] for name in _EXECUTION))
    return query.select_from(_with_context(executions)).where((executions.c.account_key == account_key) & where)


def _with_context(results: Any) -> Any:
    same = results.c.account_key
    return results.join(
        invocations,
        (invocations.c.account_key == same) & (invocations.c.invocation_key == results.c.invocation_key),
    ).join(nodes, (nodes.c.account_key == same) & (nodes.c.node_key == results.c.node_key))


def _invocation(row: Any) -> InvocationRow:
    return InvocationRow(
        invocation_key=row.invocation_key,
        invocation=Invocation(**{name: getattr(row, name) for name in _INVOCATION}),
        project_id=row.project_id,
        environment_id=row.environment_id,
        run_id=row.run_id,
        manifest_key=row.manifest_key,
        stored_at=row.stored_at,
        status_counts=row.status_counts,
        airflow=None if row.airflow is None else AirflowContext(**row.airflow),
    )


def _execution(row: Any) -> ExecutionRow:
    unique_id, resource_type, step_index, run_id, node_key, invocation_key, happened_at, compiled_hash, *told = row
    return ExecutionRow(
        execution=Execution(unique_id=unique_id, **dict(zip(_EXECUTION, told, strict=True))),
        node_key=node_key,
        resource_type=resource_type,
        invocation_key=invocation_key,
        step_index=step_index,
        run_id=run_id,
        happened_at=happened_at,
        compiled_hash=compiled_hash,
    )


def _freshness(row: Any) -> FreshnessRow:
    return FreshnessRow(
        freshness=Freshness(unique_id=row.unique_id, **{name: getattr(row, name) for name in _FRESHNESS}),
        node_key=row.node_key,
        invocation_key=row.invocation_key,
        step_index=row.step_index,
        run_id=row.run_id,
        happened_at=row.happened_at,
    )
