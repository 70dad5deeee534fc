"""An incident: what lasts of findings with one cause; how it opens, moves, is resolved and comes back.

Everything here is pure. One incident stands for one cause in one environment, whatever number of symptoms it has, and
where they are: what another project's node makes fail belongs to that one's environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headwater.model.lineage import NodeAddress
from headwater.model.verdict import Cause, CauseKind

REOPEN_WITHIN = timedelta(days=3)
"""The same cause that comes back within this time after the end is the same incident; later it is another one."""

FORGOTTEN_AFTER = timedelta(days=14)
"""What was last seen longer ago opens no incident: nobody has run that for a long time."""

_BEGAN_TOGETHER = timedelta(hours=1)
_NEARLY_AS_SURE = 0.2
_SURE_ENOUGH = 0.6
_WHOLE_ENVIRONMENT = {
    CauseKind.WAREHOUSE_TROUBLE: "warehouse",
    CauseKind.RUN_FAILED_BEFORE_DBT: "before dbt",
}
"""Causes that strike whatever runs at that time: one for all jobs of an environment."""

_WHOLE_SOURCE = frozenset({CauseKind.SOURCE_STALE, CauseKind.SOURCE_MISSING})
"""Causes that strike the tables of a source together: what loads one loads the others."""

_TABLES = ("model.", "seed.", "snapshot.")


class IncidentState(StrEnum):
    """Whether an incident goes on, and whether somebody has said that they look at it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class TransitionKind(StrEnum):
    """What may happen to an incident."""

    OPENED = "opened"
    GREW = "grew"
    SHRANK = "shrank"
    CAUSE_GONE = "cause gone"
    CAUSE_BACK = "cause back"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    NOTED = "noted"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be, followed to where it began.

    `root` is the unique_id where it began, or `job:ID` of a job that did not come; `causes` the likeliest first;
    `began_at` since when it is so, `seen_at` when it happened last. `affected` are the nodes that suffer from it.
    `is_over` where the root is well again, and only what it reached is not rebuilt. `home` is a node of the project and
    environment in which the cause lies, where that is another one than the failure's.
    """

    root: str
    causes: tuple[Cause, ...]
    began_at: datetime
    seen_at: datetime
    affected: frozenset[NodeAddress] = frozenset()
    more_roots: frozenset[str] = frozenset()
    job_id: int | None = None
    is_over: bool = False
    home: NodeAddress | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What groups it: keys of its causes, the likeliest first, of those that are nearly as sure as the first."""
        least = self.causes[0].confidence - _NEARLY_AS_SURE
        return tuple(dict.fromkeys(key_of(cause, self.job_id) for cause in self.causes if cause.confidence >= least))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All findings of one cause in one environment."""

    key: str
    causes: tuple[Cause, ...]
    roots: frozenset[str]
    began_at: datetime
    seen_at: datetime
    affected: frozenset[NodeAddress]
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with an incident whose cause is not found any more: since when, and what is not rebuilt yet."""

    gone_at: datetime
    remaining: frozenset[NodeAddress] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One cause in one environment, from when it began to its end; `number` counts the incidents of the account.

    `roots` are where it began, by unique_id or `job:ID`; `affected` what suffers from it now, or did at the end.
    `gone_at` is when the cause was gone; what it reached may not be rebuilt then. `resolved_by` is empty where it ended
    by itself.
    """

    account_key: int
    number: int
    project_id: int
    environment_id: int
    key: str
    cause: Cause
    roots: frozenset[str]
    affected: frozenset[NodeAddress]
    began_at: datetime
    opened_at: datetime
    seen_at: datetime
    state: IncidentState = IncidentState.OPEN
    acknowledged_by: str = ""
    gone_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""

    @property
    def is_resolved(self) -> bool:
        """Whether it is at its end, by itself or because somebody said so."""
        return self.state is IncidentState.RESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of an incident: when, by whom (empty where it went by itself), the words, and how much is affected."""

    kind: TransitionKind
    happened_at: datetime
    by: str = ""
    note: str = ""
    affected: int = 0


Moved = tuple[Incident, tuple[Transition, ...]]
"""An incident after something happened, and what is to be written into its timeline: nothing where nothing changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How much suffers: tables, exposures, and everything else."""

    tables: int
    exposures: int
    others: int


def reach_of(affected: Iterable[NodeAddress]) -> Reach:
    """Count what suffers by what it is."""
    listed = list(affected)
    tables = sum(address.unique_id.startswith(_TABLES) for address in listed)
    exposures = sum(address.unique_id.startswith("exposure.") for address in listed)
    return Reach(tables=tables, exposures=exposures, others=len(listed) - tables - exposures)


def key_of(cause: Cause, job_id: int | None) -> str:
    """Give what a cause is known by: its node, whatever is said of it, else the whole environment, the job or the kind.

    What a rule says of a node varies with the evidence of a run; that it lies in this node varies less.
    """
    if cause.kind in _WHOLE_ENVIRONMENT:
        return _WHOLE_ENVIRONMENT[cause.kind]
    if cause.unique_id is not None:
        return cause.unique_id.rpartition(".")[0] if cause.kind in _WHOLE_SOURCE else cause.unique_id
    return f"job:{job_id}" if job_id is not None else str(cause.kind)


def group_findings(findings: Iterable[Finding], standing: Sequence[Incident] = ()) -> tuple[Found, ...]:
    """Group findings by cause.

    A root that an incident stands for already stays with it, whatever its cause looks like by now: an attempt to
    mend it must not make a second incident. Of several nearly equal causes one that explains others counts.
    """
    newest_first = sorted(standing, key=_by_number)
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: (-one.causes[0].confidence, one.began_at, one.root)):
        key = _claimed_key(finding, newest_first) or _shared_key(finding, groups, standing) or finding.keys[0]
        groups.setdefault(key, []).append(finding)
    return tuple(_join(key, group) for key, group in sorted(groups.items()))


def _by_number(incident: Incident) -> int:
    return -incident.number


def _claimed_key(finding: Finding, standing: Sequence[Incident]) -> str | None:
    for incident in standing:
        stands = not incident.is_resolved or _is_set_aside(incident, finding.seen_at)
        if stands and finding.root in incident.roots:
            return incident.key
    return None


def _shared_key(finding: Finding, groups: dict[str, list[Finding]], standing: Sequence[Incident]) -> str | None:
    for key in finding.keys:
        is_open = any(incident.key == key and not incident.is_resolved for incident in standing)
        together = any(abs(other.began_at - finding.began_at) <= _BEGAN_TOGETHER for other in groups.get(key, ()))
        if is_open or together:
            return key
    return None


def _join(key: str, group: Sequence[Finding]) -> Found:
    current = [finding for finding in group if not finding.is_over] or list(group)
    return Found(
        key=key,
        causes=tuple(cause for finding in current for cause in finding.causes),
        roots=frozenset(root for finding in group for root in (finding.root, *finding.more_roots)),
        began_at=min(finding.began_at for finding in group),
        seen_at=max(finding.seen_at for finding in group),
        affected=frozenset[NodeAddress]().union(*(finding.affected for finding in group)),
        is_over=all(finding.is_over for finding in group),
    )


def choose(found: Found, standing: Sequence[Incident], now: datetime) -> Incident | None:
    """Choose the incident that a cause belongs to: the open one, or the last one where that ended not long ago."""
    same = sorted((one for one in standing if one.key == found.key), key=lambda one: (one.is_resolved, -one.number))
    if not same:
        return None
    known = same[0]
    if not known.is_resolved or _is_set_aside(known, found.seen_at):
        return known
    return known if known.resolved_at is not None and now - known.resolved_at <= REOPEN_WITHIN else None


def is_worth_opening(found: Found, now: datetime) -> bool:
    """Whether a cause without an incident opens one: not where nobody has run that for a long time."""
    return now - found.seen_at <= FORGOTTEN_AFTER


def open_incident(
    found: Found, *, account_key: int, number: int, project_id: int, environment_id: int, now: datetime
) -> Moved:
    """Open an incident for a cause."""
    incident = Incident(
        account_key=account_key,
        number=number,
        project_id=project_id,
        environment_id=environment_id,
        key=found.key,
        cause=found.causes[0],
        roots=found.roots,
        affected=found.affected,
        began_at=found.began_at,
        opened_at=now,
        seen_at=found.seen_at,
        gone_at=now if found.is_over else None,
    )
    return incident, (_moved(TransitionKind.OPENED, incident, now),)


def keep_on(incident: Incident, found: Found, now: datetime) -> Moved:
    """Let an incident go on, since its cause is found: it grows or shrinks, comes back, or is opened again.

    One that a person resolved stays so until it happens once more.
    """
    if incident.is_resolved and _is_set_aside(incident, found.seen_at):
        return incident, ()
    if incident.is_resolved:
        again = replace(
            _seen(incident, found, now),
            state=IncidentState.OPEN,
            acknowledged_by="",
            resolved_at=None,
            resolved_by="",
            began_at=found.began_at,
            roots=found.roots,
        )
        return again, (_moved(TransitionKind.REOPENED, again, now),)
    after = _seen(incident, found, now)
    kinds = [] if _is_gone(incident) == _is_gone(after) else [_GONE[_is_gone(after)]]
    return after, tuple(_moved(kind, after, now) for kind in (*kinds, *_growth(incident, after)))


def settle(incident: Incident, standing: Standing, now: datetime) -> Moved:
    """Move an incident whose cause is not found any more: it is resolved once all that it reached is rebuilt."""
    if incident.is_resolved:
        return incident, ()
    if not standing.remaining:
        ended = replace(
            incident, state=IncidentState.RESOLVED, gone_at=incident.gone_at or standing.gone_at, resolved_at=now
        )
        return ended, (_moved(TransitionKind.RESOLVED, ended, now),)
    after = replace(incident, gone_at=incident.gone_at or standing.gone_at, affected=standing.remaining)
    kinds = [] if _is_gone(incident) else [TransitionKind.CAUSE_GONE]
    return after, tuple(_moved(kind, after, now) for kind in (*kinds, *_growth(incident, after)))


def acknowledge(incident: Incident, by: str, note: str, now: datetime) -> Moved:
    """Note that somebody looks at it; once more by the same person changes nothing but adds their note."""
    if incident.state is IncidentState.ACKNOWLEDGED and incident.acknowledged_by == by:
        return annotate(incident, by, note, now) if note else (incident, ())
    after = replace(incident, state=IncidentState.ACKNOWLEDGED, acknowledged_by=by)
    return after, (_moved(TransitionKind.ACKNOWLEDGED, after, now, by, note),)


def unacknowledge(incident: Incident, by: str, note: str, now: datetime) -> Moved:
    """Take back that somebody looks at it."""
    if incident.state is not IncidentState.ACKNOWLEDGED:
        return incident, ()
    after = replace(incident, state=IncidentState.OPEN, acknowledged_by="")
    return after, (_moved(TransitionKind.UNACKNOWLEDGED, after, now, by, note),)


def annotate(incident: Incident, by: str, note: str, now: datetime) -> Moved:
    """Write a note into the timeline; also of one that is resolved."""
    return incident, (_moved(TransitionKind.NOTED, incident, now, by, note),)


def resolve(incident: Incident, by: str, reason: str, now: datetime) -> Moved:
    """End an incident because somebody says so; what happens once more later opens it again."""
    if incident.is_resolved:
        return incident, ()
    after = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, resolved_by=by)
    return after, (_moved(TransitionKind.RESOLVED, after, now, by, reason),)


_GONE = {True: TransitionKind.CAUSE_GONE, False: TransitionKind.CAUSE_BACK}


def _is_gone(incident: Incident) -> bool:
    return incident.gone_at is not None


def _is_set_aside(incident: Incident, seen_at: datetime) -> bool:
    """Whether somebody resolved it knowing of what happened until then."""
    return bool(incident.resolved_by) and incident.resolved_at is not None and seen_at <= incident.resolved_at


def _seen(incident: Incident, found: Found, now: datetime) -> Incident:
    gone_at = (incident.gone_at or now) if found.is_over else None
    return replace(
        incident,
        cause=_choose_cause(incident.cause, found.causes),
        roots=incident.roots | found.roots,
        affected=found.affected,
        began_at=min(incident.began_at, found.began_at),
        seen_at=max(incident.seen_at, found.seen_at),
        gone_at=gone_at,
    )


def _choose_cause(known: Cause, causes: Sequence[Cause]) -> Cause:
    """Keep to the cause that was named, with today's evidence, while it is likely; else name the likeliest."""
    again = next((cause for cause in causes if (cause.kind, cause.unique_id) == (known.kind, known.unique_id)), None)
    return again if again is not None and again.confidence >= _SURE_ENOUGH else causes[0]


def _growth(before: Incident, after: Incident) -> list[TransitionKind]:
    more = len(after.affected) - len(before.affected)
    return [TransitionKind.GREW if more > 0 else TransitionKind.SHRANK] if more else []


def _moved(kind: TransitionKind, incident: Incident, now: datetime, by: str = "", note: str = "") -> Transition:
    return Transition(kind=kind, happened_at=now, by=by, note=note, affected=len(incident.affected))
