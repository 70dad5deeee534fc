"""What questions return: a report is a page's worth, a summary a row's worth.

One shape for every face: the template's context, the JSON document, the terminal's table. Field names are those of
the JSON, so spans are numbers that say `_seconds`; times are aware UTC datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from headwater.observatory.cause_reports import RunCauseSummary
from headwater.observatory.inbox_reports import InboxReport
from headwater.observatory.incident_reports import IncidentsReport
from headwater.observatory.node_reports import ChangesReport
from headwater.observatory.outlook_reports import JobPace, SourceAge, UpcomingRun
from headwater.observatory.progress import BackfillProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """An account and how it is doing. `sentence` says its status in words and what to do about it."""

    account: str
    origin: str
    account_id: int
    status: str
    sentence: str
    is_paused: bool
    token_hint: str | None
    token_set_at: datetime | None
    added_at: datetime
    last_success_at: datetime | None
    lag_seconds: float | None
    last_run_at: datetime | None
    last_run_status: str | None
    projects: int
    jobs: int
    runs: int
    open_runs: int
    runs_24h: int
    failures_24h: int
    requests: int
    rate_limited: int
    hours: tuple[int, ...] = ()
    backfill: BackfillProgress | None = None
    follows: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsReport:
    """Every account, and what is still to be stored under one of them."""

    accounts: tuple[AccountSummary, ...]
    as_of: datetime
    inbox: InboxReport = field(default_factory=InboxReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One line of a check; `ok` is None where it could not be told."""

    name: str
    ok: bool | None
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The lines of a check; `is_usable` where nothing that is needed is missing."""

    lines: tuple[CheckLine, ...]
    is_usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSummary:
    """The attempt chain of a run: `attempt` is the run's place in it, from 1; `outcome` is the last one's status."""

    first_run_id: int
    run_ids: tuple[int, ...]
    attempt: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSummary:
    """A run of an attempt chain; without a status where it is not stored."""

    run_id: int
    status: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as a row. `nodes` counts its executions by status; `observed_by` names the ways it arrived."""

    account: str
    run_id: int
    job_id: int | None
    job_name: str | None
    project_id: int | None
    project_name: str | None
    environment_id: int | None
    environment_name: str | None
    status: str
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    elapsed_seconds: float | None
    queued_seconds: float | None
    trigger: str | None
    retrying_run_id: int | None
    observed_by: tuple[str, ...]
    nodes: dict[str, int]
    chain: ChainSummary
    is_job_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun(RunSummary):
    """A run that is not over; `usual_seconds` is what the last successful ones of its job took."""

    usual_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsReport:
    """A page of runs, newest first; `total` counts all that fit the filter."""

    total: int
    runs: tuple[RunSummary, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSummary:
    """A run step; `log` is its last part."""

    index: int
    name: str
    status: str
    command: str | None
    started_at: datetime | None
    finished_at: datetime | None
    elapsed_seconds: float | None
    log: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSummary:
    """A node in one invocation of the run; times are None where it was skipped."""

    unique_id: str
    name: str
    resource_type: str
    step_index: int | None
    status: str
    started_at: datetime | None
    executing_at: datetime | None
    finished_at: datetime | None
    elapsed_seconds: float | None
    thread: str | None
    message: str | None
    failures: int | None
    rows_affected: int | None
    is_failed: bool
    is_critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessSummary:
    """A source check in the run."""

    unique_id: str
    name: str
    status: str
    max_loaded_at: datetime | None
    age_seconds: float | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSummary:
    """An artifact the run may have, and why it is not there if it is not."""

    step_index: int
    path: str
    state: str
    reason: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowSummary:
    """A try of an Airflow task that triggered or collected something; what is not known is null."""

    dag_id: str
    task_id: str | None
    dag_run_id: str | None
    try_number: int | None
    map_index: int | None
    logical_date: str | None
    owner: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationSummary:
    """When one way of arrival saw the run first; `airflow` says where it was collected, if in Airflow."""

    way: str
    first_seen_at: datetime
    airflow: str | None = None
    task: AirflowSummary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendmentSummary:
    """A status after the run's end that dbt Cloud replaced later."""

    from_status: str
    to_status: str
    way: str
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport(RunSummary):
    """A run, whole. `critical_path` lists the executions that decided how long it took, first to last.

    `causes` groups what failed by what caused it, what reaches the most first.
    """

    sentence: str
    status_message: str | None
    dbt_version: str | None
    git_branch: str | None
    git_sha: str | None
    cause: str | None
    airflow_sentence: str | None
    airflow: AirflowSummary | None
    pull_request_id: int | None
    href: str | None
    steps: tuple[StepSummary, ...]
    executions: tuple[ExecutionSummary, ...]
    critical_path: tuple[str, ...]
    freshness: tuple[FreshnessSummary, ...]
    artifacts: tuple[ArtifactSummary, ...]
    observations: tuple[ObservationSummary, ...]
    supplied_by: dict[str, tuple[str, ...]]
    attempts: tuple[AttemptSummary, ...]
    amendments: tuple[AmendmentSummary, ...]
    completeness: str
    is_complete: bool
    as_of: datetime
    changes: ChangesReport | None = None
    causes: tuple[RunCauseSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBar:
    """One bar of runs over time: counts by status of the runs created in the bucket."""

    starts_at: datetime
    runs: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewReport:
    """The first page: whether to worry, incidents, runs over time, accounts, what runs now, what failed last.

    `paces` are the jobs that get slower and the slowest, `upcoming` what did not start and what starts next, `sources`
    those with the oldest data for what they may have. The numbers count all of them, not only what is listed.
    """

    sentence: str
    days: int
    bucket_seconds: int
    bars: tuple[RunBar, ...]
    runs_by_status: dict[str, int]
    accounts: tuple[AccountSummary, ...]
    incidents: IncidentsReport
    in_progress: tuple[OpenRun, ...]
    failures: tuple[RunSummary, ...]
    revision: int
    as_of: datetime
    open_runs: int = 0
    paces: tuple[JobPace, ...] = ()
    jobs_slowing: int = 0
    upcoming: tuple[UpcomingRun, ...] = ()
    jobs_overdue: int = 0
    sources: tuple[SourceAge, ...] = ()
    sources_by_status: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync brought; `faults` has a sentence for each account, run or artifact that could not be read."""

    accounts: int
    accounts_failed: int
    runs_new: int
    runs_updated: int
    artifacts_stored: int
    requests: int
    seconds: float
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveReport:
    """What was stored of what the SDK sent: a run, or the invocations of a target folder.

    `run_id` is null where those belong to no run, or to several.
    """

    account: str
    run_id: int | None
    is_new: bool
    invocation_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationSummary:
    """One dbt command whose artifacts a target folder held; `status` is None where it executed nothing.

    `account` and `run_id` are those of the dbt Cloud run it was part of; else it is `local`'s and has no run.
    """

    account: str
    run_id: int | None
    invocation_id: str
    command: str
    status: str | None
    generated_at: datetime | None
    artifacts: tuple[str, ...]
    has_lineage: bool
    is_new: bool
    executions: dict[str, int]
    freshness: dict[str, int]
    airflow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What a dbt target folder held, and the invocations that wrote it, oldest first.

    Id, command and version are those of the invocation that ran something; the counts are over all of them.
    """

    invocation_id: str | None
    command: str | None
    dbt_version: str | None
    nodes: dict[str, int]
    edges: int
    dangling_edges: int
    executions: dict[str, int]
    freshness: dict[str, int]
    invocations: tuple[InvocationSummary, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """What the store holds, as the demo prints it."""

    accounts: int
    runs: dict[str, int]
    nodes: dict[str, int]
    executions: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSummary:
    """An API token; its secret is nowhere."""

    name: str
    role: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    is_revoked: bool
    created_by: str
    accounts: tuple[str, ...] | None
