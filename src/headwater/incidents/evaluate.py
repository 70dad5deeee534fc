"""What new facts mean for the incidents of an account: judged in one reading, written in one transaction.

It may run at any time, in any process and again: what is found is held against what stands, and only differences are
written. Whoever read an older state than was evaluated meanwhile writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Protocol

from sqlalchemy import Connection

from headwater.analysis.lateness import JobFacts, find_late_at
from headwater.incidents.jobs import is_in_trouble, read_jobs
from headwater.model.incident import (
    REOPEN_WITHIN,
    Finding,
    Incident,
    Moved,
    Standing,
    choose,
    group_findings,
    is_worth_opening,
    keep_on,
    open_incident,
    settle,
)
from headwater.model.lineage import NodeAddress
from headwater.store.accounts import raise_revision
from headwater.store.database import Store
from headwater.store.incidents import (
    IncidentMark,
    get_mark,
    list_standing,
    list_touched,
    next_number,
    read_revision,
    save_incident,
    save_mark,
)
from headwater.store.inventory import list_environments
from headwater.store.lineage import list_places
from headwater.store.writing import Scope, lock_account

_DEVELOPMENT = "development"
_MOST_TRIES = 4


class Judge(Protocol):
    """Who tells what is not as it should be; it reads within the transaction it is given."""

    def find(self, tx: Connection, scope: Scope, late: Sequence[JobFacts], now: datetime, /) -> tuple[Finding, ...]:
        """Find what is bad in an environment; `late` are its jobs that may not have come to their nodes."""

    def check(self, tx: Connection, incident: Incident, held_up: Collection[NodeAddress], now: datetime, /) -> Standing:
        """Tell since when the cause of an incident is gone, and what it reached that is not rebuilt.

        What is held up by another cause, that goes on, is waited for there.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found in an environment, and how it stands with its incidents whose cause was not, by number."""

    scope: Scope
    findings: tuple[Finding, ...]
    standings: Mapping[int, Standing] = field(default_factory=dict)


def evaluate(store: Store, account_key: int, judge: Judge) -> tuple[Incident, ...]:
    """Evaluate an account where anything was stored since the last time, or a job may be late by now.

    Gives the incidents that moved. An environment in which all went well and no incident goes on is not judged.

    Raises:
        StoreError: the database cannot be asked; the next evaluation does what this one did not.
    """
    for _ in range(_MOST_TRIES):
        moved = _evaluate(store, account_key, judge)
        if moved is not None:
            return moved
    return ()


def _evaluate(store: Store, account_key: int, judge: Judge) -> tuple[Incident, ...] | None:
    """Evaluate once; None where somebody else did meanwhile, so that what was read may be old."""
    now = store.now()
    with store.read() as tx:
        before, revision = get_mark(tx, account_key), read_revision(tx, account_key)
        touched = list_touched(tx, account_key, before)
        if not touched and revision <= before.revision and not _is_due(before, now):
            return ()
        jobs = read_jobs(tx, account_key, now)
        late = [job for job in jobs if is_in_trouble(job)]
        findings = {
            scope: judge.find(tx, scope, [job.facts for job in late if job.scope == scope], now)
            for scope in _list_scopes(tx, account_key, before, touched, {job.scope for job in late}, now)
        }
        held_up = {
            address for found in findings.values() for one in found if not one.is_over for address in one.affected
        }
        judged = [_judge(tx, judge, scope, found, held_up, now) for scope, found in _bring_home(findings).items()]
        moments = (find_late_at(job.facts, job.told_at or now) for job in jobs)
        due_at = min((moment for moment in moments if moment is not None), default=None)
    return _write(store, account_key, judged, before, IncidentMark(revision=revision, evaluated_at=now, due_at=due_at))


def _is_due(mark: IncidentMark, now: datetime) -> bool:
    return mark.due_at is not None and mark.due_at <= now


def _list_scopes(
    tx: Connection, account_key: int, mark: IncidentMark, touched: Mapping[Scope, bool], late: set[Scope], now: datetime
) -> list[Scope]:
    """List the environments to judge: those with bad news, with an incident, or with a job that may be late."""
    wanted = {scope for scope, is_bad in touched.items() if is_bad} | late
    if mark.evaluated_at is None:
        wanted |= {place.scope for place in list_places(tx, (account_key,))}
    elif touched or _is_due(mark, now):
        going_on = [one for one in list_standing(tx, account_key, mark.evaluated_at) if not one.is_resolved]
        wanted |= {_scope(one) for one in going_on}
        wanted |= {_scope_of(address) for one in going_on for address in one.affected}
    kinds = {one.environment_id: one.kind for one in list_environments(tx, account_key)} if wanted else {}
    return sorted((scope for scope in wanted if kinds.get(scope.environment_id) != _DEVELOPMENT), key=_placed)


def _bring_home(findings: Mapping[Scope, tuple[Finding, ...]]) -> dict[Scope, tuple[Finding, ...]]:
    """Put what was found to the environment in which its cause lies; one that was judged may be left with nothing."""
    homes: dict[Scope, list[Finding]] = {scope: [] for scope in findings}
    for scope, found in findings.items():
        for one in found:
            homes.setdefault(scope if one.home is None else _scope_of(one.home), []).append(one)
    return {scope: tuple(homes[scope]) for scope in sorted(homes, key=_placed)}


def _judge(
    tx: Connection,
    judge: Judge,
    scope: Scope,
    findings: tuple[Finding, ...],
    held_up: Collection[NodeAddress],
    now: datetime,
) -> Judged:
    standing = [one for one in list_standing(tx, scope.account_key, now - REOPEN_WITHIN) if _scope(one) == scope]
    found = {found.key for found in group_findings(findings, standing)}
    gone = [incident for incident in standing if not incident.is_resolved and incident.key not in found]
    return Judged(
        scope=scope,
        findings=findings,
        standings={incident.number: judge.check(tx, incident, held_up, now) for incident in gone},
    )


def _write(
    store: Store, account_key: int, judged: Sequence[Judged], before: IncidentMark, mark: IncidentMark
) -> tuple[Incident, ...] | None:
    assert mark.evaluated_at is not None  # noqa: S101  set by whoever evaluates
    now = mark.evaluated_at
    with store.write() as tx:
        lock_account(tx, account_key)
        if get_mark(tx, account_key) != before:
            return None
        standing = list_standing(tx, account_key, now - REOPEN_WITHIN) if judged else []
        numbers = count(next_number(tx, account_key))
        moved = [move for one in judged for move in move_incidents(one, standing, numbers, now)]
        for incident, transitions in moved:
            save_incident(tx, incident, transitions)
        is_newest = read_revision(tx, account_key) == mark.revision
        if any(transitions for _, transitions in moved):
            raised = raise_revision(tx, account_key)  # so that pages see it; it is no news to the next evaluation
            mark = replace(mark, revision=raised if is_newest else mark.revision)
        save_mark(tx, account_key, mark)
    return tuple(incident for incident, transitions in moved if transitions)


def move_incidents(judged: Judged, standing: Sequence[Incident], numbers: Iterator[int], now: datetime) -> list[Moved]:
    """Hold what was found in an environment against what stands there; gives only what changed."""
    here = [incident for incident in standing if _scope(incident) == judged.scope]
    known = {incident.number: incident for incident in here}
    moved: dict[int, Moved] = {}
    for found in group_findings(judged.findings, here):
        incident = choose(found, here, now)
        if incident is not None:
            moved[incident.number] = keep_on(incident, found, now)
        elif is_worth_opening(found, now):
            number = next(numbers)
            place = {"project_id": judged.scope.project_id, "environment_id": judged.scope.environment_id}
            moved[number] = open_incident(found, account_key=judged.scope.account_key, number=number, now=now, **place)
    for gone, how in judged.standings.items():
        if gone in known and gone not in moved:
            moved[gone] = settle(known[gone], how, now)
    return [move for number, move in moved.items() if move[0] != known.get(number)]


def _scope(incident: Incident) -> Scope:
    return Scope(incident.account_key, incident.project_id, incident.environment_id)


def _scope_of(address: NodeAddress) -> Scope:
    return Scope(address.account_key, address.project_id, address.environment_id)


def _placed(scope: Scope) -> tuple[int, int]:
    return scope.project_id, scope.environment_id
