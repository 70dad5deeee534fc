"""How a history reaches Headwater: runs as the SDK collects them, with what dbt Cloud says of run, job and place."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from jobs import ACCOUNT_ID, ENVIRONMENT_IDS, PROJECT_IDS, Job
from records import CANCELLED, ERROR, QUEUED, RUNNING, SUCCESS, RunRecord, StepRecord

from headwater.collect import CollectedArtifact, CollectedRun, encode
from headwater.model import account
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import Run, RunStatus, RunStep, Trigger
from headwater.model.sync import SyncState
from headwater.observatory.collecting import receive
from headwater.observatory.evaluating import evaluate_account, evaluate_stored
from headwater.observatory.holder import Observatory
from headwater.store.accounts import list_accounts
from headwater.store.sync_states import save_sync_state

ADDRESS = AccountAddress("https://cloud.example", ACCOUNT_ID)
_CODES = {QUEUED: 1, RUNNING: 3, SUCCESS: 10, ERROR: 20, CANCELLED: 30}
_UPDATED = timedelta(seconds=1)


def tell(observatory: Observatory, record: RunRecord) -> None:
    """Hand a run to Headwater's door for collected runs, and evaluate it, as the server's thread does behind it."""
    receive(observatory, encode(collect(record)), observatory.store.now())
    evaluate_stored(observatory)


def tell_of_poll(observatory: Observatory) -> None:
    """Let Headwater know that dbt Cloud was asked for new runs and had none but those it was told of.

    A run that did not start is only missing once somebody asked for it.
    """
    now = observatory.store.now()
    with observatory.store.write() as tx:
        (account_row,) = list_accounts(tx)
        save_sync_state(tx, account_row.account_key, SyncState(last_attempt_at=now, last_success_at=now))
    evaluate_account(observatory, account_row.account_key)


def collect(record: RunRecord) -> CollectedRun:
    """Give a run as the SDK collects it."""
    job = record.job
    artifacts = tuple(
        CollectedArtifact(step_index=index, path=path, state=ArtifactState.STORED, body=body)
        for index, step in enumerate(record.steps, 1)
        for path, body in step.artifacts.items()
    )
    return CollectedRun(
        address=ADDRESS,
        run=_run(record),
        artifacts=artifacts,
        collected_at=record.ends_at + _UPDATED,
        job=_job(job, record),
        project=account.Project(project_id=PROJECT_IDS[job.project], name=job.project.capitalize()),
        environment=account.Environment(
            environment_id=ENVIRONMENT_IDS[job.project], project_id=PROJECT_IDS[job.project], name="Production",
            deployment_type="production", kind="deployment",
        ),
    )  # fmt: skip


def title_of(job: Job) -> str:
    """Give the name of a job in dbt Cloud."""
    return f"{job.project.capitalize()} {job.name}"


def _job(job: Job, record: RunRecord) -> account.Job:
    is_ci = record.pull_request_id is not None
    return account.Job(
        job_id=job.job_id, project_id=PROJECT_IDS[job.project], environment_id=ENVIRONMENT_IDS[job.project],
        name=title_of(job), commands=record.job_commands or job.commands,
        cron=job.cron if job.hours and not is_ci else None, job_type="ci" if is_ci else "scheduled",
    )  # fmt: skip


def _run(record: RunRecord) -> Run:
    sha = hashlib.sha1(f"{record.job.project}{record.revision}".encode(), usedforsecurity=False).hexdigest()
    return Run(
        run_id=record.run_id,
        status=RunStatus(record.status),
        status_code=_CODES[record.status],
        status_message=record.message,
        project_id=PROJECT_IDS[record.job.project],
        environment_id=ENVIRONMENT_IDS[record.job.project],
        job_id=record.job.job_id,
        dbt_version="1.11.0",
        git_branch="main",
        git_sha=sha,
        trigger=Trigger(
            category="ci" if record.pull_request_id else "scheduled", git_branch="main", git_sha=sha,
            pull_request_id=record.pull_request_id,
        ),
        created_at=record.created_at,
        dequeued_at=record.started_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        updated_at=record.ends_at + _UPDATED,
        retrying_run_id=record.retrying_run_id,
        artifacts_saved=any(step.artifacts for step in record.steps),
        steps=tuple(_step(index, step) for index, step in enumerate(record.steps, 1)),
    )  # fmt: skip


def _step(index: int, step: StepRecord) -> RunStep:
    return RunStep(
        index=index, name=step.name, status=RunStatus(step.status), command=step.command, started_at=step.started_at,
        finished_at=step.finished_at, log=step.log or None,
    )  # fmt: skip
