"""Starting runs in dbt Cloud: a job, a run again, or the rest of a run that failed. Each is noted in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from headwater.dbtcloud.client import Client
from headwater.dbtcloud.connection import PATIENCE
from headwater.errors import AccessDenied, DbtCloudError, NotAllowed, NotKnown, NotVisible, WrongUse
from headwater.model.run import Run, Way
from headwater.observatory.audit import Actor, note
from headwater.observatory.holder import Observatory, get_account
from headwater.store.inventory import list_account_jobs
from headwater.store.rows import Account
from headwater.store.run_queries import get_run_detail
from headwater.store.runs import save_run

_PERMISSION = "Give it a permission set that may run jobs, as Job Admin is, or start it in dbt Cloud."


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run that dbt Cloud began because somebody asked for it here."""

    account: str
    run_id: int
    job_id: int | None
    status: str
    retrying_run_id: int | None
    sentence: str
    as_of: datetime


def rerun(observatory: Observatory, account: str, run_id: int, by: Actor) -> StartedRun:
    """Start the job of a run once more, from its beginning.

    Raises:
        NotKnown: there is no such account or run, or the account has no token.
        WrongUse: the run belongs to no job of dbt Cloud's.
        NotAllowed: the token may not start jobs.
        DbtCloudError: dbt Cloud refuses, or does not answer.
    """
    found = get_account(observatory, account)
    with observatory.store.read() as tx:
        run = get_run_detail(tx, found.account_key, run_id).row.run
    if run.job_id is None or run.job_id <= 0:
        raise WrongUse(f"Run {run_id} belongs to no job of dbt Cloud.", hint="Run dbt again where it ran.")
    job_id, cause = run.job_id, f"Run {run_id} again, asked for in Headwater by {by.name}"
    return _start(observatory, found, by, f"run {run_id}", "rerun", lambda client: client.trigger_job(job_id, cause))


def retry(observatory: Observatory, account: str, run_id: int, by: Actor) -> StartedRun:
    """Start a run again from where it failed; dbt Cloud says itself where it would not. Raises as `rerun`."""
    found = get_account(observatory, account)
    with observatory.store.read() as tx:
        get_run_detail(tx, found.account_key, run_id)
    return _start(observatory, found, by, f"run {run_id}", "retry", lambda client: client.retry_run(run_id))


def start_job(observatory: Observatory, account: str, job_id: int, by: Actor) -> StartedRun:
    """Start a job. Raises as `rerun`."""
    found = get_account(observatory, account)
    with observatory.store.read() as tx:
        job = next((job for job in list_account_jobs(tx, found.account_key) if job.job_id == job_id), None)
    if job is None or job.is_deleted:
        raise NotKnown(f"{account} has no job {job_id}.", hint="headwater jobs lists what there is.")
    cause = f"Asked for in Headwater by {by.name}"
    return _start(observatory, found, by, f"job {job_id}", "run", lambda client: client.trigger_job(job_id, cause))


def _start(
    observatory: Observatory, account: Account, by: Actor, subject: str, what: str, ask: Callable[[Client], Run]
) -> StartedRun:
    """Ask dbt Cloud, store the run it began, and note who asked; a refusal is noted too."""
    try:
        run = ask(observatory.client(account).with_policy(PATIENCE))
    except DbtCloudError as error:
        _note(observatory, account, by, f"{what} refused", subject, error.message)
        if isinstance(error, AccessDenied | NotVisible):
            raise NotAllowed(f"{account.name}'s token may not do this. {error.message}", hint=_PERMISSION) from None
        raise
    now = observatory.store.now()
    with observatory.store.write() as tx:
        save_run(tx, account.account_key, run, Way.POLL, now)
        note(
            observatory, tx, by, f"{what} asked for", f"{account.name}, {subject}", now=now, detail=f"run {run.run_id}"
        )
    observatory.stored.set()
    return StartedRun(
        account=account.name,
        run_id=run.run_id,
        job_id=run.job_id,
        status=str(run.status),
        retrying_run_id=run.retrying_run_id,
        sentence=f"dbt Cloud began run {run.run_id}.",
        as_of=now,
    )


def _note(observatory: Observatory, account: Account, by: Actor, action: str, subject: str, detail: str) -> None:
    now = observatory.store.now()
    with observatory.store.write() as tx:
        note(observatory, tx, by, action, f"{account.name}, {subject}", now=now, detail=detail)
