"""What a job should have built and did not come to: its runs ended before it, drag on, or did not start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.missed import is_early_failure
from headwater.model.consequence import Origin, Suffering
from headwater.model.verdict import Cause, CauseKind
from headwater.observatory.lineage import Estate, Held
from headwater.store.build_queries import find_main_jobs
from headwater.store.run_places import (
    RunPlace,
    find_run_place,
    list_executed,
    list_failed_runs,
    list_good_runs,
    list_not_reached,
)
from headwater.store.run_queries import list_run_steps
from headwater.store.writing import Scope

BUILT = frozenset({"model", "seed", "snapshot", "function"})
"""What an execution writes to the warehouse."""

_MOST_RUNS = 8
_MOST_ALIKE = 8
_ALIKE_WITHIN = timedelta(days=1)
_OF_ALL_JOBS = frozenset({CauseKind.RUN_FAILED_BEFORE_DBT, CauseKind.WAREHOUSE_TROUBLE})
LOOKED_BACK = timedelta(days=7)
"""Within how long the job that builds a node most often is counted."""

_LATE = frozenset({CauseKind.RUN_NOT_STARTED, CauseKind.RUN_QUEUED, CauseKind.RUN_SLOW})


def list_missed(
    tx: Connection, estate: Estate, scope: Scope, cause: Cause, run_ids: Iterable[int], now: datetime
) -> list[Origin]:
    """List what the run of a cause, and some others that ended badly by it, did not come to and had built before.

    What a run builds is what the last good run of its job executed. What keeps dbt from beginning keeps all jobs of an
    environment from it.
    """
    own = () if cause.run_id is None else (cause.run_id,)
    alike = _list_alike(tx, scope, cause, now) if cause.kind in _OF_ALL_JOBS else []
    found: list[Origin] = []
    for run_id in list(dict.fromkeys((*own, *sorted(run_ids), *alike)))[:_MOST_RUNS]:
        place = find_run_place(tx, scope.account_key, run_id)
        if place is not None and place.job_id is not None:
            found += _missed(tx, estate, place, run_id, cause)
    return found


def _list_alike(tx: Connection, scope: Scope, cause: Cause, now: datetime) -> list[int]:
    """List the newest runs of the environment that failed by the same before dbt built anything, of any job.

    What a later run of the same job made good is left out.
    """
    place = find_run_place(tx, scope.account_key, cause.run_id) if cause.run_id is not None else None
    if place is None or place.created_at is None:
        return []
    failed = list_failed_runs(tx, place.scope, place.created_at - _ALIKE_WITHIN, now, limit=_MOST_ALIKE)
    return [
        run
        for run in failed
        if is_early_failure(list_run_steps(tx, scope.account_key, run), cause)
        and not _is_made_good(tx, scope.account_key, run, now)
    ]


def _is_made_good(tx: Connection, account_key: int, run_id: int, now: datetime) -> bool:
    failed = find_run_place(tx, account_key, run_id)
    if failed is None or failed.job_id is None or failed.created_at is None:
        return False
    newest = list_good_runs(tx, account_key, failed.job_id, now, limit=1)
    good = find_run_place(tx, account_key, newest[0]) if newest else None
    return good is not None and good.created_at is not None and good.created_at > failed.created_at


def _missed(tx: Connection, estate: Estate, place: RunPlace, run_id: int, cause: Cause) -> list[Origin]:
    is_late = cause.kind in _LATE and run_id == cause.run_id
    if place.is_good and not is_late:
        return []
    since = _missed_since(place, cause, run_id, is_late=is_late)
    held = estate.held.get(place.scope)
    if since is None or held is None or place.job_id is None:
        return []
    good = list_good_runs(tx, place.scope.account_key, place.job_id, since, limit=1)
    if not good:
        return []
    account_key = place.scope.account_key
    names = list_executed(tx, account_key, good[0]) if is_late else list_not_reached(tx, account_key, run_id, good[0])
    return [
        Origin(address=held.address(name), since=since, suffers=Suffering.NOT_REBUILT, run_id=run_id)
        for name in list_due(tx, held, names, place.job_id, since)
    ]


def list_due(tx: Connection, held: Held, names: Iterable[str], job_id: int, until: datetime) -> list[str]:
    """List which of some nodes wait for a job: it builds them, and no other one does so more often."""
    rows = [row for name in names if (row := held.rows.get(name)) is not None]
    keys = {row.unique_id: row.node_key for row in rows if row.resource_type in BUILT and not row.is_ephemeral}
    found = find_main_jobs(tx, held.place.scope.account_key, keys.values(), until - LOOKED_BACK, until)
    return [name for name, node_key in keys.items() if found.get(node_key, job_id) == job_id]


def _missed_since(place: RunPlace, cause: Cause, run_id: int, *, is_late: bool) -> datetime | None:
    if is_late:
        return cause.since or place.created_at
    if run_id != cause.run_id or cause.since is None or place.created_at is None:
        return place.created_at
    return min(cause.since, place.created_at)
