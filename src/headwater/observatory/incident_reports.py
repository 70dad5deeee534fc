"""What questions about incidents return; field names are those of the JSON, as in `reports`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.observatory.cause_reports import CauseSummary
from headwater.observatory.consequence_reports import RerunCommand
from headwater.observatory.node_reports import ExposureSummary, OwnerSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSummary:
    """An incident as a row. `id` names it everywhere; `tables` and `exposures` count what suffers."""

    id: str
    sentence: str
    state: str
    account: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None
    is_production: bool
    cause: CauseSummary
    tables: int
    exposures: int
    began_at: datetime
    opened_at: datetime
    seen_at: datetime
    gone_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str
    acknowledged_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsReport:
    """The incidents that fit, those that go on first; `total` counts all that fit, the others those that go on."""

    total: int
    open: int
    acknowledged: int
    incidents: tuple[IncidentSummary, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedNode:
    """A node that suffers from an incident, or where it began."""

    unique_id: str
    name: str
    resource_type: str
    project_id: int
    project_name: str | None
    environment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionSummary:
    """A line of an incident's timeline; `by` is empty where it went by itself."""

    kind: str
    sentence: str
    happened_at: datetime
    by: str
    note: str
    affected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReport:
    """An incident with where it began, what suffers from it, who should know, the way back, and what happened to it.

    `reruns` is what to build again once the cause is gone; nothing where the incident is at its end.
    """

    incident: IncidentSummary
    roots: tuple[AffectedNode, ...]
    jobs: tuple[str, ...]
    affected: tuple[AffectedNode, ...]
    affected_exposures: tuple[ExposureSummary, ...]
    owners: tuple[OwnerSummary, ...]
    reruns: tuple[RerunCommand, ...]
    timeline: tuple[TransitionSummary, ...]
    revision: int
    as_of: datetime
