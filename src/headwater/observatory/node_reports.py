"""What questions about nodes return; field names are those of the JSON, as in `reports`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from headwater.observatory.provenance_reports import BuildSummary, DataAsOfSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSummary:
    """Who answers for something, by name or address, and what it is: exposures, groups or nodes by unique_id."""

    name: str | None
    email: str | None
    owns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """A project and environment, and how they were chosen: asked for, production, or where dbt parsed last."""

    account: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None
    is_production: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSummary:
    """A node as a row; `relation` is the table it is built as, None where it has none."""

    unique_id: str
    name: str
    resource_type: str
    account: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None
    relation: str | None
    materialized: str | None
    group: str | None
    owners: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogNode(NodeSummary):
    """A node of the catalogue; `state` is as at a glance, `ran_at` when it was last built, tested or checked.

    `data_as_of` is the age of the oldest it was made from; None for a test, and where that is not known.
    """

    state: str = "unknown"
    ran_at: datetime | None = None
    data_as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReport:
    """A page of nodes by name; `total` counts all that fit, `facets` what each further choice would leave.

    `resource_types` and `materializations` are over all before this filter.
    """

    total: int
    nodes: tuple[CatalogNode, ...]
    resource_types: dict[str, int]
    materializations: dict[str, int]
    places: tuple[NodePlace, ...]
    as_of: datetime
    facets: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A parent or a child; `is_known` is false where a manifest names it and none has it."""

    unique_id: str
    name: str
    resource_type: str
    project_id: int
    project_name: str | None
    environment_id: int
    relation: str | None
    materialized: str | None
    is_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeColumn:
    """A column: as declared, and its type in the warehouse where a catalog was read."""

    name: str
    declared_type: str | None
    warehouse_type: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTest:
    """A test attached to a node with its last result; without a status where none is stored.

    `history` is how it ended in the last two weeks, newest last, the newest 24; `turns` how often it turned in them.
    """

    unique_id: str
    name: str
    test_name: str | None
    column_name: str | None
    severity: str | None
    status: str | None
    failures: int | None
    message: str | None
    run_id: int | None
    happened_at: datetime | None
    history: tuple[str, ...] = ()
    turns: int = 0
    is_flaky: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTable:
    """A node's relation as a catalog found it in the warehouse last."""

    relation: str
    kind: str
    owner: str | None
    row_count: int | None
    columns: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExecution:
    """One of the last executions of a node, or source checks; `run_id` is None for an ingested one."""

    status: str
    happened_at: datetime
    elapsed_seconds: float | None
    rows_affected: int | None
    failures: int | None
    message: str | None
    run_id: int | None
    step_index: int | None
    job_id: int | None
    job_name: str | None
    is_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJob:
    """A job that ran a node, counted over the executions that were looked at."""

    job_id: int
    job_name: str | None
    executions: int
    last_run_id: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """When a node was seen with another version than before, newest first, and in which aspects it differs.

    `diff` are the lines of code that went and came, with those around them.
    """

    happened_at: datetime
    run_id: int | None
    what: str
    aspects: tuple[str, ...]
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport(NodeSummary):
    """A node, whole, as the manifest that held has it; `notes` says what is not known."""

    sentence: str
    place: NodePlace
    other_environments: tuple[str, ...]
    description: str
    package_name: str
    path: str
    access: str | None
    language: str | None
    manifest_from: datetime
    contacts: tuple[OwnerSummary, ...]
    parents: tuple[Neighbour, ...]
    children: tuple[Neighbour, ...]
    ephemeral: tuple[str, ...]
    upstream: int
    downstream: dict[str, int]
    columns: tuple[NodeColumn, ...]
    tests: tuple[NodeTest, ...]
    jobs: tuple[NodeJob, ...]
    executions: tuple[NodeExecution, ...]
    builds: tuple[BuildSummary, ...]
    data_as_of: DataAsOfSummary | None
    version_changes: tuple[VersionChange, ...]
    notes: tuple[str, ...]
    as_of: datetime
    raw_code: str | None = None
    compiled_code: str | None = None
    warehouse: NodeTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureSummary:
    """An exposure that is reached."""

    unique_id: str
    name: str
    project_name: str | None
    owner: str | None
    email: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactReport:
    """What is made from a node. `downstream` is in topological order; without `ephemeral`, unless those were asked for.

    `tables` are the relations among it; `counts` counts `downstream` by resource type.
    """

    unique_id: str
    name: str
    sentence: str
    place: NodePlace
    downstream: tuple[str, ...]
    counts: dict[str, int]
    tables: tuple[str, ...]
    ephemeral: tuple[str, ...]
    exposures: tuple[ExposureSummary, ...]
    owners: tuple[OwnerSummary, ...]
    projects: tuple[str, ...]
    manifest_from: datetime
    notes: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDifference:
    """A node that is not as it was, and in which aspects: code, configuration, columns, edges, description."""

    unique_id: str
    resource_type: str
    aspects: tuple[str, ...]
    parents_added: tuple[str, ...]
    parents_removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroDifference:
    """A macro that was added, removed or changed, and the nodes that use it."""

    unique_id: str
    what: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesReport:
    """What changed since another run; where there is none to compare with, `sentence` says why."""

    against_run_id: int | None
    sentence: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[NodeDifference, ...] = ()
    macros: tuple[MacroDifference, ...] = ()
