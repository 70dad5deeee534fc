"""Saving invocations with their executions and freshness results: the same one twice is one, a fuller one replaces."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from headwater.model.invocation import Execution, Freshness, Invocation, RunResults, Sources
from headwater.model.run import AirflowContext
from headwater.store.accounts import raise_revision
from headwater.store.manifests import mark_current
from headwater.store.nodes import ensure_node_keys, missing_pairs
from headwater.store.runs import touch_run
from headwater.store.schema import compiled_codes, executions, freshness_results, invocations
from headwater.store.values import clean_deep, clean_key, clean_number, clean_text, span_to_micros, to_micros
from headwater.store.writing import Scope, insert_rows, lock_account, next_key, upsert

_EXECUTION = [column.name for column in executions.c]
_FRESHNESS = [column.name for column in freshness_results.c]
_STATUS = _EXECUTION.index("status")


def save_invocation(
    tx: Connection,
    scope: Scope,
    invocation: Invocation,
    run_results: RunResults | None = None,
    sources: Sources | None = None,
    *,
    manifest_key: int | None = None,
    run_id: int | None = None,
    airflow: AirflowContext | None = None,
    now: datetime,
) -> int:
    """Save an invocation and give its key.

    Whoever knows which step of a run it was tells more of it than a target folder does, in whatever order they come.
    Of a command that executes nothing (compile, docs generate) only failures are kept: its successes are compilations.
    The first Airflow task it is seen in stays.
    """
    lock_account(tx, scope.account_key)
    row = _find(tx, scope.account_key, invocation.invocation_id)
    says_where = scope.project_id != 0 or scope.environment_id != 0
    if row is not None and not (says_where and (run_results is not None or sources is not None)):
        scope = Scope(scope.account_key, row.project_id, row.environment_id)
    moved = row is not None and (row.project_id, row.environment_id) != (scope.project_id, scope.environment_id)
    key = next_key(tx, invocations.c.invocation_key, scope.account_key) if row is None else int(row.invocation_key)
    facts: dict[str, Any] = {
        **asdict(scope),
        **asdict(invocation),
        "invocation_id": clean_key(invocation.invocation_id),
        "manifest_key": manifest_key,
        "run_id": run_id,
        "variables": None if run_results is None else run_results.variables,
        "airflow": None if airflow is None or (row is not None and row.airflow is not None) else _document(airflow),
    }
    was: dict[str, Any] = {} if row is None else dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    is_told_better = was.get("step_index") is not None and invocation.step_index is None
    facts = {
        name: was.get(name) if value is None or (is_told_better and was[name] is not None) else _clean(value)
        for name, value in facts.items()
    }
    counts: dict[str, Any] = {name: was.get(name, empty) for name, empty in _EMPTY.items()}
    at = facts["generated_at"] or now
    if moved:
        _clear(tx, executions, scope.account_key, key)
        _clear(tx, freshness_results, scope.account_key, key)
        counts = dict(_EMPTY)
    if run_results is not None:
        counts |= _save_executions(tx, scope, key, run_results, at=at, fullness=counts["executions_fullness"])
    if sources is not None:
        counts |= _save_freshness(tx, scope, key, sources.results, at=at, fullness=counts["freshness_fullness"])
    facts |= counts
    if any(was.get(name, ...) != value for name, value in facts.items()):
        upsert(tx, invocations, [{**facts, "invocation_key": key, "stored_at": now}])
        if facts["run_id"] is not None:
            touch_run(tx, scope.account_key, facts["run_id"])
        else:
            raise_revision(tx, scope.account_key)
    if facts["manifest_key"] is not None and facts["generated_at"] is not None:
        mark_current(tx, scope.account_key, facts["manifest_key"], facts["generated_at"])
    return key


_EMPTY: Mapping[str, Any] = {"status_counts": {}, "executions_fullness": -1, "freshness_fullness": -1}


def _find(tx: Connection, account_key: int, invocation_id: str) -> Any | None:
    here = (invocations.c.account_key == account_key) & (invocations.c.invocation_id == clean_key(invocation_id))
    return tx.execute(select(invocations).where(here)).first()


def _save_executions(
    tx: Connection, scope: Scope, key: int, results: RunResults, *, at: datetime, fullness: int
) -> dict[str, Any]:
    kept = [execution for execution in results.executions if results.is_executing or execution.is_failed]
    node_keys = ensure_node_keys(tx, scope, _resource_types(kept))
    codes: dict[tuple[int, bytes], str] = {}
    rows: dict[int, tuple[Any, ...]] = {}
    happened_at = to_micros(at)
    for execution in kept:
        node_key = node_keys[execution.unique_id]
        compiled_hash = None
        if execution.compiled_code is not None:
            code = clean_text(execution.compiled_code) or ""
            compiled_hash = hashlib.blake2b(code.encode(), digest_size=16).digest()
            codes[node_key, compiled_hash] = code
        rows[node_key] = (scope.account_key, key, node_key, *_execution_facts(execution, happened_at), compiled_hash)
    found = _fullness(rows.values())
    if found <= fullness:
        return {}
    if fullness >= 0:
        _clear(tx, executions, scope.account_key, key)
    insert_rows(tx, executions, _EXECUTION, rows.values())
    missing = missing_pairs(tx, scope.account_key, compiled_codes, "code_hash", codes)
    columns = ("account_key", "node_key", "code_hash", "code")
    insert_rows(tx, compiled_codes, columns, [(scope.account_key, *pair, codes[pair]) for pair in missing])
    return {"executions_fullness": found, "status_counts": dict(Counter(row[_STATUS] for row in rows.values()))}


def _execution_facts(execution: Execution, at: int | None) -> tuple[Any, ...]:
    started = to_micros(execution.started_at)
    return (
        clean_text(execution.status),
        at if started is None else started,
        started,
        to_micros(execution.executing_at),
        to_micros(execution.finished_at),
        span_to_micros(execution.elapsed),
        clean_text(execution.thread),
        clean_text(execution.message),
        clean_number(execution.failures),
        clean_number(execution.rows_affected),
        clean_number(execution.bytes_processed),
        clean_text(execution.query_id),
    )


def _save_freshness(
    tx: Connection, scope: Scope, key: int, results: Iterable[Freshness], *, at: datetime, fullness: int
) -> dict[str, Any]:
    listed = list(results)
    node_keys = ensure_node_keys(tx, scope, _resource_types(listed))
    rows: dict[int, tuple[Any, ...]] = {}
    for result in listed:
        node_key = node_keys[result.unique_id]
        rows[node_key] = (
            scope.account_key,
            key,
            node_key,
            clean_text(result.status),
            to_micros(result.snapshotted_at or at),
            to_micros(result.max_loaded_at),
            to_micros(result.snapshotted_at),
            span_to_micros(result.age),
            span_to_micros(result.warn_after),
            span_to_micros(result.error_after),
            span_to_micros(result.elapsed),
            clean_text(result.message),
        )
    found = _fullness(rows.values())
    if found <= fullness:
        return {}
    if fullness >= 0:
        _clear(tx, freshness_results, scope.account_key, key)
    insert_rows(tx, freshness_results, _FRESHNESS, rows.values())
    return {"freshness_fullness": found}


def _resource_types(results: Iterable[Execution | Freshness]) -> dict[str, str]:
    return {result.unique_id: result.unique_id.partition(".")[0] for result in results}


def _fullness(rows: Iterable[tuple[Any, ...]]) -> int:
    """Count how many facts rows hold, so that of two reports of one invocation the fuller one stays."""
    return sum(len(row) - row.count(None) for row in rows)


def _clear(tx: Connection, table: Table, account_key: int, key: int) -> None:
    tx.execute(delete(table).where((table.c.account_key == account_key) & (table.c.invocation_key == key)))


def _document(airflow: AirflowContext) -> dict[str, Any]:
    return {name: _clean(value) for name, value in asdict(airflow).items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return clean_deep(value)
    return clean_number(value) if isinstance(value, int) else value
