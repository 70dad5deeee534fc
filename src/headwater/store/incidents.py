"""Incidents and their timelines, and what an evaluation needs to know of what changed since the last one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from headwater.model.incident import Incident, IncidentState, Transition, TransitionKind
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import GOOD
from headwater.model.run import Run, RunStatus
from headwater.model.verdict import Cause, CauseKind
from headwater.store.schema import (
    accounts,
    freshness_results,
    incident_marks,
    incident_transitions,
    incidents,
    invocations,
    jobs,
    runs,
)
from headwater.store.values import from_micros, to_micros
from headwater.store.writing import Scope, next_key, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMark:
    """Up to where an account was evaluated, when, and when time alone may change something: a job that does not run."""

    revision: int = 0
    evaluated_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """Which incidents are meant; None asks for all. `since` leaves out what ended before it."""

    account_keys: tuple[int, ...] | None = None
    project_id: int | None = None
    environment_id: int | None = None
    states: tuple[IncidentState, ...] | None = None
    since: datetime | None = None


def get_mark(tx: Connection, account_key: int) -> IncidentMark:
    """Give up to where an account was evaluated; one that never was has an empty mark."""
    columns = [column for column in incident_marks.c if column.name != "account_key"]
    row = tx.execute(select(*columns).where(incident_marks.c.account_key == account_key)).first()
    return IncidentMark() if row is None else IncidentMark(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def save_mark(tx: Connection, account_key: int, mark: IncidentMark) -> None:
    """Save up to where an account was evaluated."""
    upsert(tx, incident_marks, [{"account_key": account_key, **asdict(mark)}])


def list_touched(tx: Connection, account_key: int, mark: IncidentMark) -> dict[Scope, bool]:
    """Give the places in which something was stored since a mark, each with whether any of it is bad news."""
    touched: dict[Scope, bool] = {}
    joined = runs.outerjoin(
        invocations,
        (invocations.c.account_key == runs.c.account_key) & (invocations.c.run_id == runs.c.run_id),
    )
    columns = (runs.c.project_id, runs.c.environment_id, invocations.c.status_counts)
    newer = (runs.c.account_key == account_key) & (runs.c.revision > mark.revision)
    for project_id, environment_id, counts in tx.execute(select(*columns).select_from(joined).where(newer)):
        scope = Scope(account_key, project_id or 0, environment_id or 0)
        touched[scope] = touched.get(scope, False) or not GOOD.issuperset(counts or ())
    alone = (invocations.c.account_key == account_key) & invocations.c.run_id.is_(None)
    later = true() if mark.evaluated_at is None else invocations.c.stored_at >= mark.evaluated_at
    columns = (invocations.c.project_id, invocations.c.environment_id, invocations.c.status_counts)
    for project_id, environment_id, counts in tx.execute(select(*columns).where(alone & later)):
        scope = Scope(account_key, project_id, environment_id)
        touched[scope] = touched.get(scope, False) or not GOOD.issuperset(counts or ())
    for scope in _list_stale(tx, account_key, newer, alone & later):
        touched[scope] = True
    return touched


def _list_stale(
    tx: Connection, account_key: int, newer: ColumnElement[bool], alone: ColumnElement[bool]
) -> Iterable[Scope]:
    """Give the places in which a source check went badly."""
    key = freshness_results.c.account_key
    joined = freshness_results.join(
        invocations,
        (invocations.c.account_key == key) & (invocations.c.invocation_key == freshness_results.c.invocation_key),
    ).outerjoin(runs, (runs.c.account_key == key) & (runs.c.run_id == invocations.c.run_id))
    bad = (key == account_key) & freshness_results.c.status.not_in(GOOD) & or_(newer, alone)
    query = select(invocations.c.project_id, invocations.c.environment_id).select_from(joined).where(bad).distinct()
    return [Scope(account_key, row.project_id, row.environment_id) for row in tx.execute(query)]


def list_job_runs(tx: Connection, account_key: int, until: datetime, limit: int) -> dict[int, list[Run]]:
    """List the newest runs of each job of an account up to a moment, newest first: as much of them as tells when."""
    other = runs.alias()
    same = (other.c.account_key == account_key) & (other.c.job_id == jobs.c.job_id) & (other.c.placed_at <= until)
    oldest = select(other.c.placed_at).where(same).order_by(other.c.placed_at.desc()).limit(1).offset(limit - 1)
    since = func.coalesce(oldest.correlate(jobs).scalar_subquery(), 0)
    columns = (
        runs.c.job_id, runs.c.run_id, runs.c.status, runs.c.created_at, runs.c.started_at, runs.c.finished_at,
        runs.c.project_id, runs.c.environment_id,
    )  # fmt: skip
    joined = jobs.join(runs, (runs.c.account_key == jobs.c.account_key) & (runs.c.job_id == jobs.c.job_id))
    here = and_(jobs.c.account_key == account_key, runs.c.placed_at >= since, runs.c.placed_at <= until)
    query = select(*columns).select_from(joined).where(here).order_by(runs.c.placed_at.desc(), runs.c.run_id.desc())
    found: dict[int, list[Run]] = {}
    for row in tx.execute(query):
        facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
        found.setdefault(row.job_id, []).append(Run(**(facts | {"status": RunStatus(row.status)})))
    return found


def list_incidents(tx: Connection, wanted: IncidentFilter, *, limit: int | None = None) -> list[Incident]:
    """List incidents, those that go on before those that ended, the newest first."""
    query = select(incidents).where(*_conditions(wanted))
    order = (incidents.c.resolved_at.is_not(None), incidents.c.opened_at.desc(), incidents.c.number.desc())
    return [_incident(row) for row in tx.execute(query.order_by(*order).limit(limit))]


def count_incidents(tx: Connection, wanted: IncidentFilter) -> int:
    """Count the incidents that fit."""
    return int(tx.execute(select(func.count()).select_from(incidents).where(*_conditions(wanted))).scalar_one())


def count_open(tx: Connection) -> dict[tuple[int, str], int]:
    """Count the incidents that go on, by account and state."""
    columns = (incidents.c.account_key, incidents.c.state)
    query = select(*columns, func.count()).where(incidents.c.resolved_at.is_(None)).group_by(*columns)
    return {(key, state): number for key, state, number in tx.execute(query)}


def list_standing(tx: Connection, account_key: int, since: datetime) -> list[Incident]:
    """List the incidents of an account that go on, and those that ended since a time or by somebody's word."""
    columns = incidents.c
    lasting = or_(columns.resolved_at.is_(None), columns.resolved_at >= since, columns.resolved_by != "")
    query = select(incidents).where(columns.account_key == account_key, lasting).order_by(columns.number)
    return [_incident(row) for row in tx.execute(query)]


def find_incident(tx: Connection, account_key: int, number: int) -> Incident | None:
    """Find an incident by its number in its account."""
    here = (incidents.c.account_key == account_key) & (incidents.c.number == number)
    row = tx.execute(select(incidents).where(here)).first()
    return None if row is None else _incident(row)


def next_number(tx: Connection, account_key: int) -> int:
    """Give the number of an account's next incident; the caller holds the account's lock."""
    return next_key(tx, incidents.c.number, account_key)


def save_incident(tx: Connection, incident: Incident, transitions: Sequence[Transition]) -> None:
    """Save an incident and what is new in its timeline; the caller holds the account's lock."""
    upsert(tx, incidents, [_facts(incident)])
    here = (incident_transitions.c.account_key == incident.account_key) & (
        incident_transitions.c.number == incident.number
    )
    last = tx.execute(select(func.max(incident_transitions.c.place)).where(here)).scalar() or 0
    for place, transition in enumerate(transitions, last + 1):
        row = {
            "account_key": incident.account_key,
            "number": incident.number,
            "place": place,
            "kind": transition.kind.value,
            "happened_at": transition.happened_at,
            "author": transition.by,
            "note": transition.note,
            "affected": transition.affected,
        }
        upsert(tx, incident_transitions, [row])


def list_transitions(tx: Connection, account_key: int, number: int) -> list[Transition]:
    """List what happened to an incident, first to last."""
    columns = incident_transitions.c
    query = select(incident_transitions).where(columns.account_key == account_key, columns.number == number)
    return [
        Transition(
            kind=TransitionKind(row.kind),
            happened_at=row.happened_at,
            by=row.author,
            note=row.note,
            affected=row.affected,
        )
        for row in tx.execute(query.order_by(columns.place))
    ]


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    columns = incidents.c
    where: list[ColumnElement[bool]] = []
    if wanted.account_keys is not None:
        where.append(columns.account_key.in_(wanted.account_keys))
    if wanted.project_id is not None:
        where.append(columns.project_id == wanted.project_id)
    if wanted.environment_id is not None:
        where.append(columns.environment_id == wanted.environment_id)
    if wanted.states is not None:
        where.append(columns.state.in_([state.value for state in wanted.states]))
    if wanted.since is not None:
        where.append(or_(columns.resolved_at.is_(None), columns.resolved_at >= wanted.since))
    return where


_PLAIN = (
    "account_key", "number", "project_id", "environment_id", "began_at", "opened_at", "seen_at", "gone_at",
    "resolved_at", "resolved_by", "acknowledged_by",
)  # fmt: skip


def _facts(incident: Incident) -> dict[str, Any]:
    cause = incident.cause
    return {name: getattr(incident, name) for name in _PLAIN} | {
        "cause_key": incident.key,
        "state": incident.state.value,
        "cause": asdict(cause) | {"kind": cause.kind.value, "since": to_micros(cause.since)},
        "roots": sorted(incident.roots),
        "affected": [list(address[1:]) for address in sorted(incident.affected)],
    }


def _incident(row: Any) -> Incident:
    cause = row.cause
    return Incident(
        **{name: getattr(row, name) for name in _PLAIN},
        key=row.cause_key,
        state=IncidentState(row.state),
        cause=Cause(
            **cause
            | {
                "kind": CauseKind(cause["kind"]),
                "since": from_micros(cause["since"]),
                "evidence": tuple(cause["evidence"]),
            }
        ),
        roots=frozenset(row.roots),
        affected=frozenset(NodeAddress(row.account_key, *address) for address in row.affected),
    )


def read_revision(tx: Connection, account_key: int) -> int:
    """Read up to which change of its runs an account is stored."""
    return int(tx.execute(select(accounts.c.revision).where(accounts.c.account_key == account_key)).scalar() or 0)
