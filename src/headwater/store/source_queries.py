"""Asking how old the data of sources were when they were checked last."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, ScalarSelect, and_, select, tuple_

from headwater.store.outcome_queries import in_runs, tells_of_environment
from headwater.store.schema import freshness_results, invocations, nodes
from headwater.store.writing import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCheck:
    """The last check of a source: its status, how old the newest row was, and from which age on dbt warns and fails."""

    scope: Scope
    unique_id: str
    status: str
    checked_at: datetime
    max_loaded_at: datetime | None
    age: timedelta | None
    warn_after: timedelta | None
    error_after: timedelta | None
    run_id: int | None


def list_source_checks(
    tx: Connection, scopes: Collection[Scope], since: datetime, until: datetime
) -> list[SourceCheck]:
    """List the last check of each source of some places between two times: one index step for each source.

    Checks of pull requests are left out.
    """
    newest = _find_newest(since, until)
    places = [(scope.account_key, scope.project_id, scope.environment_id) for scope in scopes]
    here = tuple_(nodes.c.account_key, nodes.c.project_id, nodes.c.environment_id).in_(places)
    last = select(nodes, newest.label("invocation_key")).where(here, nodes.c.resource_type == "source").subquery("last")
    results = freshness_results.c
    same = results.account_key == last.c.account_key
    joined = last.join(
        freshness_results,
        and_(same, results.invocation_key == last.c.invocation_key, results.node_key == last.c.node_key),
    ).join(
        invocations,
        and_(
            same,
            invocations.c.account_key == results.account_key,
            invocations.c.invocation_key == results.invocation_key,
        ),
    )
    query = select(
        last,
        results.status,
        results.happened_at,
        results.max_loaded_at,
        results.age,
        results.warn_after,
        results.error_after,
        invocations.c.run_id,
    ).select_from(joined)
    return [
        SourceCheck(
            scope=Scope(row.account_key, row.project_id, row.environment_id),
            unique_id=row.unique_id,
            status=row.status,
            checked_at=row.happened_at,
            max_loaded_at=row.max_loaded_at,
            age=row.age,
            warn_after=row.warn_after,
            error_after=row.error_after,
            run_id=row.run_id,
        )
        for row in tx.execute(query)
    ]


def _find_newest(since: datetime, until: datetime) -> ScalarSelect[Any]:
    """Find the invocation of the last check of a node between two times."""
    other = freshness_results.alias()
    return (
        select(other.c.invocation_key)
        .select_from(in_runs(other))
        .where(
            other.c.account_key == nodes.c.account_key,
            other.c.node_key == nodes.c.node_key,
            other.c.happened_at >= since,
            other.c.happened_at <= until,
            tells_of_environment(),
        )
        .order_by(other.c.happened_at.desc(), other.c.invocation_key.desc())
        .limit(1)
        .correlate(nodes)
        .scalar_subquery()
    )
