"""Questions about incidents, and what people do with them: acknowledge, annotate, resolve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from headwater.errors import NotKnown, WrongUse
from headwater.model import incident as moves
from headwater.model.account import Environment, Job
from headwater.model.incident import Incident, IncidentState, Moved, Transition, reach_of
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.observatory.audit import Actor
from headwater.observatory.audit import note as note_event
from headwater.observatory.cause_reports import summarise_cause
from headwater.observatory.consequence_reports import RerunCommand, list_commands
from headwater.observatory.consequences import read_consequences
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import list_exposures, list_owners
from headwater.observatory.incident_reports import (
    AffectedNode,
    IncidentReport,
    IncidentsReport,
    IncidentSummary,
    TransitionSummary,
)
from headwater.observatory.incident_words import say_incident, say_transition
from headwater.observatory.lineage import Estate, Moment, Shelf, open_estate
from headwater.observatory.places import find_places
from headwater.observatory.revision import read_revision
from headwater.store import incidents as stored
from headwater.store.accounts import list_accounts, raise_revision
from headwater.store.incidents import IncidentFilter
from headwater.store.inventory import list_account_jobs, list_environments, list_projects
from headwater.store.lineage import list_places
from headwater.store.writing import Scope, lock_account

_LONGEST_NOTE = 4_000
_LATE, _JOB = "late:", "job:"
GOING_ON = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
"""The states of an incident that is not at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentQuestion:
    """Which incidents are meant, by names as people write them; `states` empty asks for all."""

    account: str | None = None
    project: str | None = None
    environment: str | None = None
    states: tuple[IncidentState, ...] = GOING_ON
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """What the accounts of some incidents are called, with their projects and environments."""

    accounts: Mapping[int, str]
    projects: Mapping[tuple[int, int], str]
    environments: Mapping[tuple[int, int], Environment]


def list_incidents(observatory: Observatory, asked: IncidentQuestion, *, limit: int | None = 50) -> IncidentsReport:
    """List incidents, those that go on first and the newest before older ones; no limit lists them all.

    Raises:
        NotKnown: no account, project or environment is called so.
        Ambiguous: several are.
    """
    places = find_places(observatory, account=asked.account, project=asked.project, environment=asked.environment)
    wanted = IncidentFilter(
        account_keys=places.account_keys,
        project_id=places.project_id,
        environment_id=places.environment_id,
        states=asked.states or None,
        since=asked.since,
    )
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = stored.list_incidents(tx, wanted, limit=limit)
        names = _read_names(tx, {incident.account_key for incident in found})
        total = stored.count_incidents(tx, wanted)
        going_on = stored.count_open(tx)
    keys = places.account_keys
    counts = {
        state: sum(
            number for (key, named), number in going_on.items() if named == state and (keys is None or key in keys)
        )
        for state in GOING_ON
    }
    return IncidentsReport(
        total=total,
        open=counts[IncidentState.OPEN],
        acknowledged=counts[IncidentState.ACKNOWLEDGED],
        incidents=tuple(_summarise(incident, names, now) for incident in found),
        as_of=now,
    )


def get_incident(observatory: Observatory, incident_id: str) -> IncidentReport:
    """Get an incident with its timeline, what suffers from it and who should know.

    Raises:
        NotKnown: there is none of this id.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        incident = _find(tx, incident_id)
        names = _read_names(tx, {incident.account_key})
        estate = _open(observatory, tx, incident)
        affected = sorted(incident.affected, key=lambda one: (_weight(one), one))
        jobs = {job.job_id: job for job in list_account_jobs(tx, incident.account_key)}
        named = {f"{_JOB}{job_id}": job.name for job_id, job in jobs.items()}
        return IncidentReport(
            incident=_summarise(incident, names, now),
            roots=tuple(_node(address, names) for address in _list_roots(incident)),
            jobs=tuple(named.get(root, root) for root in sorted(incident.roots) if root.startswith(_JOB)),
            affected=tuple(_node(address, names) for address in affected),
            affected_exposures=list_exposures(tx, estate, affected) if estate is not None else (),
            owners=list_owners(tx, estate, affected) if estate is not None else (),
            reruns=_plan_reruns(tx, estate, incident, jobs, now) if estate is not None else (),
            timeline=tuple(
                _summarise_transition(one) for one in stored.list_transitions(tx, incident.account_key, incident.number)
            ),
            revision=read_revision(tx),
            as_of=now,
        )


def acknowledge(observatory: Observatory, incident_id: str, by: Actor, note: str = "") -> IncidentReport:
    """Say that somebody looks at an incident.

    Raises:
        NotKnown: there is none of this id.
        WrongUse: it is resolved, or the note is too long.
    """
    return _act(observatory, incident_id, partial(_of_going_on, moves.acknowledge), by, note)


def unacknowledge(observatory: Observatory, incident_id: str, by: Actor, note: str = "") -> IncidentReport:
    """Take back that somebody looks at an incident; raises as `acknowledge`."""
    return _act(observatory, incident_id, partial(_of_going_on, moves.unacknowledge), by, note)


def annotate(observatory: Observatory, incident_id: str, by: Actor, note: str) -> IncidentReport:
    """Write a note into an incident's timeline.

    Raises:
        NotKnown: there is none of this id.
        WrongUse: the note is empty or too long.
    """
    if not note.strip():
        raise WrongUse("The note is empty.", hint="Write what is to be known.")
    return _act(observatory, incident_id, moves.annotate, by, note)


def resolve(observatory: Observatory, incident_id: str, by: Actor, reason: str) -> IncidentReport:
    """End an incident by one's word; it is opened again by itself when what it stands for happens once more.

    Raises:
        NotKnown: there is none of this id.
        WrongUse: it is resolved already, or the reason is empty or too long.
    """
    if not reason.strip():
        raise WrongUse("An incident is not resolved without a reason.", hint="Write why it is at its end.")
    return _act(observatory, incident_id, partial(_of_going_on, moves.resolve), by, reason)


Move = Callable[[Incident, str, str, datetime], Moved]


def _of_going_on(move: Move, incident: Incident, by: str, note: str, now: datetime) -> Moved:
    if incident.is_resolved:
        raise WrongUse(f"Incident {_id(incident)} is resolved.", hint="Only a note can be added to it.")
    return move(incident, by, note, now)


def _act(observatory: Observatory, incident_id: str, move: Move, by: Actor, note: str) -> IncidentReport:
    if len(note) > _LONGEST_NOTE:
        raise WrongUse(f"A note has at most {_LONGEST_NOTE:,} characters.", hint="Write it shorter.")
    account_key, _ = _read_id(incident_id)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        lock_account(tx, account_key)
        known = _find(tx, incident_id)
        incident, transitions = move(known, by.name, note.strip(), now)
        if transitions:
            stored.save_incident(tx, incident, transitions)
            raise_revision(tx, account_key)
        for transition in transitions:
            note_event(observatory, tx, by, f"incident {transition.kind}", incident_id, now=now)
    return get_incident(observatory, incident_id)


def _find(tx: Connection, incident_id: str) -> Incident:
    found = stored.find_incident(tx, *_read_id(incident_id))
    if found is None:
        raise _not_known(incident_id)
    return found


def _read_id(incident_id: str) -> tuple[int, int]:
    account, _, number = incident_id.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in (account, number)):
        raise _not_known(incident_id)
    return int(account), int(number)


def _not_known(incident_id: str) -> NotKnown:
    shown = incident_id if len(incident_id) <= 40 else f"{incident_id[:39]}…"
    return NotKnown(f"There is no incident {shown!r}.", hint="'headwater incidents --state all' lists them.")


def _id(incident: Incident) -> str:
    return f"{incident.account_key}-{incident.number}"


def _read_names(tx: Connection, account_keys: Iterable[int]) -> _Names:
    keys = set(account_keys)
    return _Names(
        accounts={account.account_key: account.name for account in list_accounts(tx)},
        projects={(key, one.project_id): one.name for key in keys for one in list_projects(tx, key)},
        environments={(key, one.environment_id): one for key in keys for one in list_environments(tx, key)},
    )


def _summarise(incident: Incident, names: _Names, now: datetime) -> IncidentSummary:
    reach = reach_of(incident.affected)
    environment = names.environments.get((incident.account_key, incident.environment_id))
    return IncidentSummary(
        id=_id(incident),
        sentence=say_incident(incident, now),
        state=str(incident.state),
        account=names.accounts.get(incident.account_key, ""),
        project_id=incident.project_id,
        project_name=names.projects.get((incident.account_key, incident.project_id)),
        environment_id=incident.environment_id,
        environment_name=environment.name if environment is not None else None,
        is_production=environment is not None and environment.is_production,
        cause=summarise_cause(incident.cause),
        tables=reach.tables,
        exposures=reach.exposures,
        began_at=incident.began_at,
        opened_at=incident.opened_at,
        seen_at=incident.seen_at,
        gone_at=incident.gone_at,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        acknowledged_by=incident.acknowledged_by,
    )


def _summarise_transition(transition: Transition) -> TransitionSummary:
    return TransitionSummary(
        kind=str(transition.kind),
        sentence=say_transition(transition),
        happened_at=transition.happened_at,
        by=transition.by,
        note=transition.note,
        affected=transition.affected,
    )


def _list_roots(incident: Incident) -> list[NodeAddress]:
    named = sorted({root.removeprefix(_LATE) for root in incident.roots if not root.startswith(_JOB)})
    place = (incident.account_key, incident.project_id, incident.environment_id)
    reached = {address.unique_id: address for address in incident.affected}
    return [reached.get(name, NodeAddress(*place, name)) for name in named if "." in name]


def _open(observatory: Observatory, tx: Connection, incident: Incident) -> Estate | None:
    scope = Scope(incident.account_key, incident.project_id, incident.environment_id)
    place = next((place for place in list_places(tx, (incident.account_key,)) if place.scope == scope), None)
    return None if place is None else open_estate(Shelf(tx, Moment(), observatory.lineage), place)


def _plan_reruns(
    tx: Connection, estate: Estate, incident: Incident, jobs: dict[int, Job], now: datetime
) -> tuple[RerunCommand, ...]:
    """Plan the way back by what the cause leads to at this moment; there is none from an end."""
    if incident.is_resolved:
        return ()
    home = Scope(incident.account_key, incident.project_id, incident.environment_id)
    return list_commands(estate, read_consequences(tx, estate, home, incident.cause, now), jobs)


def _node(address: NodeAddress, names: _Names) -> AffectedNode:
    return AffectedNode(
        unique_id=address.unique_id,
        name=short_name(address.unique_id),
        resource_type=address.unique_id.partition(".")[0],
        project_id=address.project_id,
        project_name=names.projects.get((address.account_key, address.project_id)),
        environment_id=address.environment_id,
    )


def _weight(address: NodeAddress) -> int:
    return 0 if address.unique_id.startswith("exposure.") else 1
