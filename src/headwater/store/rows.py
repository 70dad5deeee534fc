"""What queries of the store return, where the nouns of the model alone do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headwater.model.account import AccountAddress, AccountStatus, Job
from headwater.model.artifact import ArtifactRecord
from headwater.model.chain import Attempt
from headwater.model.invocation import Execution, Freshness, Invocation
from headwater.model.node import CatalogTable, Group, Macro, Node
from headwater.model.observed import Told
from headwater.model.run import AirflowContext, Run, RunStatus, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A connected account; its token stays sealed in the store, `token_hint` is its last four characters."""

    account_key: int
    name: str
    address: AccountAddress
    has_token: bool
    token_hint: str
    token_set_at: datetime | None
    is_paused: bool
    added_at: datetime
    status: AccountStatus
    last_checked_at: datetime | None
    last_error: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """A row of the accounts table: `runs` and `failures` are of the window asked for, `last_run` is of all time."""

    account: Account
    runs: int
    failures: int
    last_run: RunMark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMark:
    """A run as a dot in a strip."""

    run_id: int
    status: RunStatus
    placed_at: datetime
    elapsed: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What saving a run did: it was new, it changed anything, it brought the run from open (or nothing) to its end.

    `is_amended` where dbt Cloud updated the run after its end, later than what was stored.
    """

    is_new: bool
    changed: bool
    finished_now: bool
    is_amended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A row of the runs table; `placed_at` is where it stands in time, `node_counts` counts executions by status."""

    account_key: int
    account_name: str
    run: Run
    job_name: str | None
    project_name: str | None
    environment_name: str | None
    placed_at: datetime
    first_seen_at: datetime
    stored_at: datetime
    revision: int
    is_job_deleted: bool = False
    observed_by: tuple[Way, ...] = ()
    node_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs, and how many there are in all."""

    total: int
    runs: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """By which way a run was first seen when, and from where in Airflow."""

    way: Way
    first_seen_at: datetime
    context: AirflowContext | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One terminal status that dbt Cloud replaced by another."""

    from_status: RunStatus
    to_status: RunStatus
    way: Way
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRow:
    """An invocation with the run and the manifest it belongs to, and the Airflow task it ran in."""

    invocation_key: int
    invocation: Invocation
    project_id: int
    environment_id: int
    run_id: int | None
    manifest_key: int | None
    stored_at: datetime
    status_counts: Mapping[str, int]
    airflow: AirflowContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRow:
    """An execution with its node's type and the invocation and run it belongs to; `happened_at` is never empty."""

    execution: Execution
    node_key: int
    resource_type: str
    invocation_key: int
    step_index: int | None
    run_id: int | None
    happened_at: datetime
    compiled_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRow:
    """A freshness result with the invocation and run it belongs to."""

    freshness: Freshness
    node_key: int
    invocation_key: int
    step_index: int | None
    run_id: int | None
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """Everything kept of one run; `row.run` has its steps here, `supplied_by` tells which way gave which field."""

    row: RunRow
    observations: tuple[Observation, ...]
    amendments: tuple[Amendment, ...]
    artifacts: tuple[ArtifactRecord, ...]
    invocations: tuple[InvocationRow, ...]
    executions: tuple[ExecutionRow, ...]
    freshness: tuple[FreshnessRow, ...]
    supplied_by: Mapping[Way, tuple[Told, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedAttempt:
    """A run as an attempt, with its account and the hour it is counted in."""

    account_key: int
    hour: datetime
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class DueArtifact:
    """An artifact that a run waits for."""

    run_id: int
    record: ArtifactRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A row of the jobs table: the last runs oldest first; counts, and durations of successful runs, of a window."""

    account_key: int
    account_name: str
    job: Job
    project_name: str | None
    environment_name: str | None
    last_runs: tuple[RunMark, ...]
    run_counts: Mapping[RunStatus, int]
    elapsed_p50: timedelta | None
    elapsed_p90: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedJob:
    """A job with the names of where it is."""

    account_key: int
    account_name: str
    job: Job
    project_name: str | None
    environment_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCount:
    """A segment of a bar: the runs of one status that stand in one span of time."""

    start: datetime
    status: RunStatus
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTotals:
    """The runs of one job and status since the beginning of what is kept, for metrics."""

    account_key: int
    job_id: int
    status: RunStatus
    runs: int
    elapsed: timedelta
    queued: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """A manifest without its nodes; `current_at` is when dbt last parsed exactly this."""

    account_key: int
    manifest_key: int
    project_id: int
    environment_id: int
    content: bytes
    dbt_version: str | None
    adapter_type: str | None
    project_name: str | None
    node_counts: Mapping[str, int]
    groups: tuple[Group, ...]
    first_seen_at: datetime
    current_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """What one manifest holds."""

    nodes: tuple[Node, ...]
    macros: tuple[Macro, ...]
    groups: tuple[Group, ...]
    keys_by_unique_id: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """A relation as the warehouse had it from `first_seen_at` to `last_seen_at`."""

    node_key: int
    table: CatalogTable
    invocation_id: str | None
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCounts:
    """How much is stored."""

    accounts: int
    projects: int
    environments: int
    jobs: int
    runs: int
    invocations: int
    executions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """An API token, without what would let it in; `prefix` is the beginning people know it by.

    `accounts` are those it has to do with alone, None for every one.
    """

    name: str
    role: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_by: str
    accounts: tuple[AccountAddress, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person. `issuer` and `subject` are of the OpenID provider that vouches for somebody without a password here.

    `accounts` as of a token.
    """

    name: str
    role: str
    has_password: bool
    issuer: str | None
    subject: str | None
    created_at: datetime
    password_set_at: datetime | None
    last_login_at: datetime | None
    disabled_at: datetime | None
    accounts: tuple[AccountAddress, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in; `proved_at` is when the person last proved who it is, `address` where it came from."""

    session_hash: bytes
    user: User
    address: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    proved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What somebody did that others must be able to find out; `link` chains it to the one before."""

    event_id: int
    happened_at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str
    link: bytes
