"""Forgetting what is old, in batches, and then what nothing refers to any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, or_, select

from headwater.model.run import RunStatus
from headwater.store.runs import recount_hour
from headwater.store.schema import (
    executions,
    freshness_results,
    invocations,
    manifest_fingerprints,
    manifest_nodes,
    manifests,
    observations,
    run_amendments,
    run_artifacts,
    run_steps,
    runs,
)
from headwater.store.writing import chunks, execute_each, lock_account

_SOME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What one batch removed; nothing at all means that nothing old is left."""

    runs: int = 0
    invocations: int = 0
    manifests: int = 0

    def __bool__(self) -> bool:
        return bool(self.runs or self.invocations or self.manifests)


def delete_before(tx: Connection, account_key: int, before: datetime, limit: int) -> Deleted:
    """Remove up to `limit` finished runs that stand before a time, and as many old invocations that have no run.

    All that belongs to them goes with them, and the hours they were counted in are counted anew.
    """
    lock_account(tx, account_key)
    found = tx.execute(_old_runs(account_key, before).limit(limit)).all()
    run_ids = [row.run_id for row in found]
    old = list(tx.execute(_old_invocations(account_key, before).limit(limit)).scalars())
    for some in chunks(run_ids, _SOME):
        here = (invocations.c.account_key == account_key) & invocations.c.run_id.in_(some)
        old += tx.execute(select(invocations.c.invocation_key).where(here)).scalars()
    _delete_invocations(tx, account_key, old)
    for table in (run_steps, run_artifacts, observations, run_amendments, runs):
        _delete_in(tx, table, account_key, table.c.run_id, run_ids)
    for job_id, hour in {(row.job_id, row.hour) for row in found}:
        recount_hour(tx, account_key, job_id, hour)
    return Deleted(runs=len(found), invocations=len(old), manifests=_delete_manifests(tx, account_key, before))


def _old_runs(account_key: int, before: datetime) -> Any:
    finished = runs.c.status.in_([status.value for status in RunStatus if status.is_finished])
    where = (runs.c.account_key == account_key) & (runs.c.placed_at < before) & finished
    return select(runs.c.run_id, runs.c.job_id, runs.c.hour).where(where).order_by(runs.c.placed_at)


def _old_invocations(account_key: int, before: datetime) -> Any:
    at = func.coalesce(invocations.c.generated_at, invocations.c.stored_at)
    where = (invocations.c.account_key == account_key) & invocations.c.run_id.is_(None) & (at < before)
    return select(invocations.c.invocation_key).where(where).order_by(invocations.c.invocation_key)


def _delete_invocations(tx: Connection, account_key: int, keys: list[int]) -> None:
    """Remove invocations, their results, and the code that only they ran."""
    codes: set[tuple[int, bytes]] = set()
    for some in chunks(keys, _SOME):
        mine = (executions.c.account_key == account_key) & executions.c.invocation_key.in_(some)
        query = select(executions.c.node_key, executions.c.compiled_hash).where(mine).distinct()
        codes.update((key, bytes(digest)) for key, digest in tx.execute(query) if digest is not None)
    for table in (executions, freshness_results, invocations):
        _delete_in(tx, table, account_key, table.c.invocation_key, keys)
    _delete_unreferenced(tx, account_key, codes, "compiled_codes.code_hash", "executions.compiled_hash")


def _delete_manifests(tx: Connection, account_key: int, before: datetime) -> int:
    """Remove old manifests that no invocation, no other manifest and no project needs, the ends of chains first."""
    old = (manifests.c.account_key == account_key) & (manifests.c.current_at < before) & ~_is_needed(account_key)
    deleted = 0
    while keys := list(tx.execute(select(manifests.c.manifest_key).where(old)).scalars()):
        versions: set[tuple[int, bytes]] = set()
        for some in chunks(keys, _SOME):
            rows = (manifest_nodes.c.account_key == account_key) & manifest_nodes.c.manifest_key.in_(some)
            query = select(manifest_nodes.c.node_key, manifest_nodes.c.version).where(rows)
            versions.update((key, bytes(version)) for key, version in tx.execute(query) if version is not None)
        for table in (manifest_nodes, manifest_fingerprints, manifests):
            _delete_in(tx, table, account_key, table.c.manifest_key, keys)
        _delete_unreferenced(tx, account_key, versions, "node_versions.version", "manifest_nodes.version")
        deleted += len(keys)
    return deleted


def _is_needed(account_key: int) -> ColumnElement[bool]:
    """Say of a manifest that an invocation had it, that another builds on it, or that it is its project's latest."""
    others, columns = manifests.alias(), manifests.c
    same_place = (
        (others.c.account_key == account_key)
        & (others.c.project_id == columns.project_id)
        & (others.c.environment_id == columns.environment_id)
    )
    is_later = (others.c.current_at > columns.current_at) | (
        (others.c.current_at == columns.current_at) & (others.c.manifest_key > columns.manifest_key)
    )
    above = manifests.alias()
    return or_(
        exists().where(
            (invocations.c.account_key == account_key) & (invocations.c.manifest_key == columns.manifest_key)
        ),
        exists().where((above.c.account_key == account_key) & (above.c.base_key == columns.manifest_key)),
        ~exists().where(same_place & is_later),
    )


def _delete_unreferenced(
    tx: Connection, account_key: int, pairs: Iterable[tuple[int, bytes]], kept: str, referring: str
) -> None:
    """Delete pairs of node key and hash from one table, named with its column, that no row of another refers to."""
    (table, column), (other, reference) = kept.split("."), referring.split(".")
    still = f"SELECT 1 FROM {other} o WHERE o.account_key = ? AND o.node_key = ? AND o.{reference} = ?"
    execute_each(
        tx,
        f"DELETE FROM {table} WHERE account_key = ? AND node_key = ? AND {column} = ? AND NOT EXISTS ({still})",
        [(account_key, *pair, account_key, *pair) for pair in pairs],
    )


def _delete_in(tx: Connection, table: Table, account_key: int, column: Any, values: list[int]) -> None:
    for some in chunks(values, _SOME):
        tx.execute(delete(table).where((table.c.account_key == account_key) & column.in_(some)))
