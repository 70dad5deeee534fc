"""Forgetting what is old, in batches, and then what nothing refers to any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select

from headwater.model.run import RunStatus
from headwater.store.runs import recount_hour
from headwater.store.schema import (
    compiled_codes,
    executions,
    freshness_results,
    invocations,
    manifest_fingerprints,
    manifest_nodes,
    manifests,
    node_versions,
    observations,
    run_amendments,
    run_artifacts,
    run_steps,
    runs,
)
from headwater.store.writing import chunks, lock_account

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
    removed = _delete_invocations(tx, account_key, old)
    for table in (run_steps, run_artifacts, observations, run_amendments, runs):
        _delete_in(tx, table, account_key, table.c.run_id, run_ids)
    for job_id, hour in {(row.job_id, row.hour) for row in found}:
        recount_hour(tx, account_key, job_id, hour)
    return Deleted(runs=len(found), invocations=len(old), manifests=_delete_manifests(tx, account_key, removed))


def _old_runs(account_key: int, before: datetime) -> Any:
    finished = runs.c.status.in_([status.value for status in RunStatus if status.is_finished])
    where = (runs.c.account_key == account_key) & (runs.c.placed_at < before) & finished
    return select(runs.c.run_id, runs.c.job_id, runs.c.hour).where(where).order_by(runs.c.placed_at)


def _old_invocations(account_key: int, before: datetime) -> Any:
    at = func.coalesce(invocations.c.generated_at, invocations.c.stored_at)
    where = (invocations.c.account_key == account_key) & invocations.c.run_id.is_(None) & (at < before)
    return select(invocations.c.invocation_key).where(where).order_by(invocations.c.invocation_key)


def _delete_invocations(tx: Connection, account_key: int, keys: list[int]) -> set[int]:
    """Remove invocations, their results and the code only they ran; gives the manifests they had."""
    codes: set[tuple[int, bytes]] = set()
    used: set[int] = set()
    for some in chunks(keys, _SOME):
        mine = (executions.c.account_key == account_key) & executions.c.invocation_key.in_(some)
        query = select(executions.c.node_key, executions.c.compiled_hash).where(mine).distinct()
        codes.update((key, bytes(digest)) for key, digest in tx.execute(query) if digest is not None)
        here = (invocations.c.account_key == account_key) & invocations.c.invocation_key.in_(some)
        used.update(key for key in tx.execute(select(invocations.c.manifest_key).where(here)).scalars() if key)
    for table in (executions, freshness_results, invocations):
        _delete_in(tx, table, account_key, table.c.invocation_key, keys)
    for node_key, digest in codes:
        codes_here = compiled_codes.c
        here = (codes_here.account_key == account_key) & (codes_here.node_key == node_key)
        still = exists().where(
            (executions.c.account_key == account_key)
            & (executions.c.node_key == node_key)
            & (executions.c.compiled_hash == digest)
        )
        tx.execute(delete(compiled_codes).where(here & (codes_here.code_hash == digest) & ~still))
    return used


def _delete_manifests(tx: Connection, account_key: int, used: Iterable[int]) -> int:
    """Remove those manifests that no invocation, no other manifest and no project needs, then those under them."""
    deleted = 0
    pending = set(used)
    while pending:
        key = pending.pop()
        base = _delete_manifest(tx, account_key, key)
        if base is not None:
            deleted += 1
            pending.update(base)
    return deleted


def _delete_manifest(tx: Connection, account_key: int, key: int) -> list[int] | None:
    mine = (manifests.c.account_key == account_key) & (manifests.c.manifest_key == key)
    row = tx.execute(select(manifests).where(mine)).first()
    if row is None or _is_needed(tx, account_key, key, row):
        return None
    rows = (manifest_nodes.c.account_key == account_key) & (manifest_nodes.c.manifest_key == key)
    versions = tx.execute(select(manifest_nodes.c.node_key, manifest_nodes.c.version).where(rows)).all()
    for table in (manifest_nodes, manifest_fingerprints, manifests):
        _delete_in(tx, table, account_key, table.c.manifest_key, [key])
    for node_key, version in versions:
        if version is not None:
            _delete_version(tx, account_key, node_key, bytes(version))
    return [] if row.base_key is None else [row.base_key]


def _is_needed(tx: Connection, account_key: int, key: int, row: Any) -> bool:
    others = manifests.alias()
    place = (
        (others.c.account_key == account_key)
        & (others.c.project_id == row.project_id)
        & (others.c.environment_id == row.environment_id)
    )
    later = place & (others.c.manifest_key != key) & (others.c.current_at >= row.current_at)
    conditions: tuple[ColumnElement[bool], ...] = (
        exists().where((invocations.c.account_key == account_key) & (invocations.c.manifest_key == key)),
        exists().where((others.c.account_key == account_key) & (others.c.base_key == key)),
        ~exists().where(later),
    )
    return any(tx.execute(select(condition)).scalar() for condition in conditions)


def _delete_version(tx: Connection, account_key: int, node_key: int, version: bytes) -> None:
    held, rows = node_versions.c, manifest_nodes.c
    here = (held.account_key == account_key) & (held.node_key == node_key) & (held.version == version)
    still = exists().where((rows.account_key == account_key) & (rows.node_key == node_key) & (rows.version == version))
    tx.execute(delete(node_versions).where(here & ~still))


def _delete_in(tx: Connection, table: Table, account_key: int, column: Any, values: list[int]) -> None:
    for some in chunks(values, _SOME):
        tx.execute(delete(table).where((table.c.account_key == account_key) & column.in_(some)))
