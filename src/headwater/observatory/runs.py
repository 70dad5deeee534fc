"""Questions about runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.timing import critical_path
from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.model.airflow import find_airflow_part
from headwater.model.artifact import ArtifactRecord
from headwater.model.chain import Chain
from headwater.model.node import local_name
from headwater.model.run import AirflowContext, RunStatus
from headwater.observatory.airflow import describe_airflow_part, summarise_observations, summarise_task
from headwater.observatory.chains import find_chains, list_attempt_summaries, summarise_chain
from headwater.observatory.changes import find_changes
from headwater.observatory.completeness import describe_completeness, is_complete
from headwater.observatory.holder import Observatory, read_account
from headwater.observatory.lineage import read_parents
from headwater.observatory.places import find_places
from headwater.observatory.reports import (
    AmendmentSummary,
    ArtifactSummary,
    ExecutionSummary,
    FreshnessSummary,
    RunReport,
    RunsReport,
    RunSummary,
    StepSummary,
)
from headwater.observatory.run_causes import read_run_causes
from headwater.observatory.run_contents import RunContents
from headwater.observatory.sentences import describe_run
from headwater.store import run_queries
from headwater.store.accounts import get_account as get_stored_account
from headwater.store.accounts import read_revisions
from headwater.store.rows import ExecutionRow, RunDetail, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are asked for; names or ids as a person writes them, None for all."""

    account: str | None = None
    project: str | None = None
    environment: str | None = None
    job: str | None = None
    status: str | None = None
    trigger: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    text: str | None = None


def list_runs(
    observatory: Observatory, wanted: RunFilter | None = None, *, limit: int | None = 50, offset: int = 0
) -> RunsReport:
    """List runs that fit a filter, newest first; no limit lists them all.

    Raises:
        NotKnown: the filter names an account, project, environment or job that is not there.
        WrongUse: it names a status that runs do not have.
    """
    asked = _read_filter(observatory, wanted or RunFilter())
    with observatory.store.read() as tx:
        page = run_queries.list_runs(tx, asked, limit=limit, offset=offset)
        listed = summarise_all(tx, page.runs)
    return RunsReport(total=page.total, runs=listed, as_of=observatory.store.now())


def get_run(observatory: Observatory, account: str | None, run_id: int, against: int | None = None) -> RunReport:
    """Get one run, whole, with what changed since another run: the last good one of its job where none is named.

    Raises:
        NotKnown: no run has the id.
        Ambiguous: runs of several accounts have it.
    """
    with observatory.store.read() as tx:
        account_key = read_account(tx, account).account_key if account else read_run_account(tx, run_id)
        key = (account_key, run_id, against, read_revisions(tx)[account_key])
        known = observatory.run_contents.find(key)
        detail = run_queries.get_run_detail(tx, account_key, run_id, known=None if known is None else known.rows)
        contents = known or _read_contents(observatory, tx, detail, against)
        chain = find_chains(tx, (detail.row,))[account_key, run_id]
        account_row = get_stored_account(tx, account_key)
    if known is None:
        observatory.run_contents.keep(key, contents)
    is_followed = account_row.has_token and not account_row.is_paused
    return _report(detail, contents, chain, observatory.store.now(), is_followed=is_followed)


def _read_contents(observatory: Observatory, tx: Connection, detail: RunDetail, against: int | None) -> RunContents:
    account_key, run = detail.row.account_key, detail.row.run
    parents: dict[str, tuple[str, ...]] = {}
    for manifest_key in {row.manifest_key for row in detail.invocations if row.manifest_key is not None}:
        parents |= read_parents(tx, observatory.lineage, account_key, manifest_key)
    path = _critical(detail.executions, parents)
    decisive = frozenset(path)
    return RunContents(
        rows=detail.executions,
        executions=tuple(_execution(row, is_critical=row.execution.unique_id in decisive) for row in detail.executions),
        critical_path=path,
        causes=read_run_causes(observatory, tx, detail),
        changes=find_changes(tx, account_key, run, against) if run.is_finished else None,
    )


def summarise_all(tx: Connection, rows: Sequence[RunRow]) -> tuple[RunSummary, ...]:
    """Give stored runs as rows of a report, with their attempt chains."""
    chains = find_chains(tx, rows)
    return tuple(summarise(row, chains[row.account_key, row.run.run_id]) for row in rows)


def summarise(row: RunRow, chain: Chain) -> RunSummary:
    """Give a stored run as a row of a report."""
    run = row.run
    return RunSummary(
        account=row.account_name,
        run_id=run.run_id,
        job_id=run.job_id,
        job_name=row.job_name,
        is_job_deleted=row.is_job_deleted,
        project_id=run.project_id,
        project_name=row.project_name,
        environment_id=run.environment_id,
        environment_name=row.environment_name,
        status=str(run.status),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        elapsed_seconds=seconds(run.elapsed),
        queued_seconds=seconds(run.queued_for),
        trigger=run.trigger.category if run.trigger is not None else None,
        retrying_run_id=run.retrying_run_id,
        observed_by=tuple(sorted(str(way) for way in row.observed_by)),
        nodes=dict(row.node_counts),
        chain=summarise_chain(chain, run.run_id),
    )


def seconds(span: timedelta | None) -> float | None:
    """Give a span as JSON does."""
    return span.total_seconds() if span is not None else None


def _read_filter(observatory: Observatory, wanted: RunFilter) -> run_queries.RunFilter:
    statuses = None
    if wanted.status:
        names = [name.strip().lower() for name in wanted.status.split(",") if name.strip()]
        unknown = [name for name in names if name not in set(RunStatus)]
        if unknown:
            raise WrongUse(f"Runs have no status {unknown[0]!r}.", hint=f"Statuses: {', '.join(RunStatus)}.")
        statuses = tuple(RunStatus(name) for name in names)
    places = find_places(
        observatory, account=wanted.account, project=wanted.project, environment=wanted.environment, job=wanted.job
    )
    return run_queries.RunFilter(
        account_keys=places.account_keys,
        project_id=places.project_id,
        environment_id=places.environment_id,
        job_id=places.job_id,
        statuses=statuses,
        trigger_category=wanted.trigger or None,
        created_from=wanted.created_from,
        created_until=wanted.created_to,
        text=wanted.text or None,
    )


def read_run_account(tx: Connection, run_id: int) -> int:
    """Find the key of the account that has a run.

    Raises:
        NotKnown: none has.
        Ambiguous: several have.
    """
    keys = run_queries.find_run_accounts(tx, run_id)
    names = tuple(get_stored_account(tx, key).name for key in keys)
    if not keys:
        raise NotKnown(f"There is no run {run_id}.", hint="See 'headwater runs'; it may not have been synced yet.")
    if len(keys) > 1:
        raise Ambiguous(f"Run {run_id} is in several accounts.", candidates=names, hint="Add --account NAME.")
    return keys[0]


def _critical(executions: tuple[ExecutionRow, ...], parents: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Chain the critical paths of the run's steps, which follow one another."""
    steps: defaultdict[int, list[ExecutionRow]] = defaultdict(list)
    for row in executions:
        steps[row.step_index or 0].append(row)
    paths = (critical_path((row.execution for row in steps[index]), parents) for index in sorted(steps))
    return tuple(dict.fromkeys(unique_id for path in paths for unique_id in path))


def _report(detail: RunDetail, contents: RunContents, chain: Chain, now: datetime, *, is_followed: bool) -> RunReport:
    run, row = detail.row.run, summarise(detail.row, chain)
    trigger = run.trigger
    part = find_airflow_part(trigger.cause if trigger else None, run.created_at, _contexts(detail))
    return RunReport(
        **{name: getattr(row, name) for name in RunSummary.__dataclass_fields__},
        sentence=describe_run(detail, now),
        status_message=run.status_message,
        dbt_version=run.dbt_version,
        git_branch=run.git_branch or (trigger.git_branch if trigger else None),
        git_sha=run.git_sha or (trigger.git_sha if trigger else None),
        cause=trigger.cause if trigger else None,
        airflow_sentence=describe_airflow_part(part),
        airflow=None if part is None else summarise_task(part.task),
        pull_request_id=trigger.pull_request_id if trigger else None,
        href=run.href,
        steps=tuple(
            StepSummary(
                index=step.index,
                name=step.name,
                status=str(step.status),
                command=step.command,
                started_at=step.started_at,
                finished_at=step.finished_at,
                elapsed_seconds=seconds(step.elapsed),
                log=step.log,
            )
            for step in run.steps
        ),
        executions=contents.executions,
        critical_path=contents.critical_path,
        causes=contents.causes,
        changes=contents.changes,
        freshness=_freshness(detail),
        artifacts=tuple(_artifact(record) for record in detail.artifacts if record.step_index > 0),
        observations=summarise_observations(detail.observations),
        supplied_by=_supplied_by(detail),
        attempts=list_attempt_summaries(chain),
        amendments=_amendments(detail),
        completeness=describe_completeness(run, detail.artifacts, now, is_followed=is_followed),
        is_complete=is_complete(run, detail.artifacts),
        as_of=now,
    )


def _contexts(detail: RunDetail) -> Iterator[AirflowContext]:
    return (seen.context for seen in detail.observations if seen.context is not None)


def _execution(row: ExecutionRow, *, is_critical: bool) -> ExecutionSummary:
    execution = row.execution
    return ExecutionSummary(
        unique_id=execution.unique_id,
        name=local_name(execution.unique_id),
        resource_type=row.resource_type,
        step_index=row.step_index,
        status=execution.status,
        started_at=execution.started_at,
        executing_at=execution.executing_at,
        finished_at=execution.finished_at,
        elapsed_seconds=seconds(execution.elapsed),
        thread=execution.thread,
        message=execution.message,
        failures=execution.failures,
        rows_affected=execution.rows_affected,
        is_failed=execution.is_failed,
        is_critical=is_critical,
    )


def _freshness(detail: RunDetail) -> tuple[FreshnessSummary, ...]:
    return tuple(
        FreshnessSummary(
            unique_id=row.freshness.unique_id,
            name=local_name(row.freshness.unique_id),
            status=row.freshness.status,
            max_loaded_at=row.freshness.max_loaded_at,
            age_seconds=seconds(row.freshness.age),
            message=row.freshness.message,
        )
        for row in detail.freshness
    )


def _supplied_by(detail: RunDetail) -> dict[str, tuple[str, ...]]:
    """Name the fields each way supplied: the run's in order, then its steps."""
    return {
        str(way): (
            *sorted(name for name in names if isinstance(name, str)),
            *(f"step {name}" for name in sorted(name for name in names if isinstance(name, int))),
        )
        for way, names in detail.supplied_by.items()
    }


def _amendments(detail: RunDetail) -> tuple[AmendmentSummary, ...]:
    return tuple(
        AmendmentSummary(
            from_status=str(note.from_status),
            to_status=str(note.to_status),
            way=str(note.way),
            noticed_at=note.noticed_at,
        )
        for note in detail.amendments
    )


def _artifact(record: ArtifactRecord) -> ArtifactSummary:
    return ArtifactSummary(
        step_index=record.step_index,
        path=record.path,
        state=str(record.state),
        reason=record.reason,
        size_bytes=record.size_bytes,
    )
