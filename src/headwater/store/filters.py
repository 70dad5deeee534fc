"""Which runs of each account are followed, and what becomes of those that no longer are."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select, update

from headwater.model.artifact import ArtifactState
from headwater.model.filter import AccountFilter, Choice, Following
from headwater.model.run import Run, RunStatus, Trigger
from headwater.store.accounts import raise_revision
from headwater.store.schema import account_filters, jobs, run_artifacts, runs
from headwater.store.writing import chunks, lock_account, upsert

LEFT_OUT = "The account's filter leaves this run out."
_NOT_SETTLED = (ArtifactState.PENDING, ArtifactState.FAILED, ArtifactState.LEFT_OUT)


def get_filter(tx: Connection, account_key: int) -> AccountFilter:
    """Give an account's filter; one that was never set admits every run."""
    row = tx.execute(select(account_filters).where(account_filters.c.account_key == account_key)).first()
    if row is None:
        return AccountFilter()
    return AccountFilter(
        projects=Choice(ids=frozenset(row.project_ids), is_exclusion=row.excludes_projects),
        environments=Choice(ids=frozenset(row.environment_ids), is_exclusion=row.excludes_environments),
        jobs=Choice(ids=frozenset(row.job_ids), is_exclusion=row.excludes_jobs),
        with_ci=row.with_ci,
    )


def get_following(tx: Connection, account_key: int) -> Following:
    """Give an account's filter with the types of its jobs, where the filter asks for them."""
    chosen = get_filter(tx, account_key)
    if chosen.with_ci:
        return Following(filter=chosen)
    typed = tx.execute(select(jobs.c.job_id, jobs.c.job_type).where(jobs.c.account_key == account_key))
    return Following(filter=chosen, job_types={row.job_id: row.job_type for row in typed})


def save_filter(tx: Connection, account_key: int, chosen: AccountFilter) -> None:
    """Save an account's filter, and settle what is still to be collected of runs that are stored.

    What is to be asked for of a run that is no longer wanted is left out; what was left out of one that is wanted
    again is pending. Whatever was stored stays.
    """
    lock_account(tx, account_key)
    facts = {
        "project_ids": sorted(chosen.projects.ids),
        "excludes_projects": chosen.projects.is_exclusion,
        "environment_ids": sorted(chosen.environments.ids),
        "excludes_environments": chosen.environments.is_exclusion,
        "job_ids": sorted(chosen.jobs.ids),
        "excludes_jobs": chosen.jobs.is_exclusion,
        "with_ci": chosen.with_ci,
    }
    upsert(tx, account_filters, [{"account_key": account_key, **facts}])
    following = get_following(tx, account_key)
    settled: defaultdict[bool, list[int]] = defaultdict(list)
    for row in tx.execute(_unsettled(account_key)):
        settled[following.wants(_run(row))].append(row.run_id)
    _settle(tx, account_key, settled[True], from_left_out=True)
    _settle(tx, account_key, settled[False], from_left_out=False)
    raise_revision(tx, account_key)


def _unsettled(account_key: int) -> Any:
    columns = (
        runs.c.run_id,
        runs.c.status,
        runs.c.project_id,
        runs.c.environment_id,
        runs.c.job_id,
        runs.c.trigger_category,
        runs.c.trigger_pull_request_id,
    )
    joined = runs.join(
        run_artifacts,
        (run_artifacts.c.account_key == runs.c.account_key) & (run_artifacts.c.run_id == runs.c.run_id),
    )
    here = (run_artifacts.c.account_key == account_key) & run_artifacts.c.state.in_(_NOT_SETTLED)
    return select(*columns).select_from(joined).where(here).distinct()


def _run(row: Any) -> Run:
    return Run(
        run_id=row.run_id,
        status=RunStatus(row.status),
        project_id=row.project_id,
        environment_id=row.environment_id,
        job_id=row.job_id,
        trigger=Trigger(category=row.trigger_category, pull_request_id=row.trigger_pull_request_id),
    )


def _settle(tx: Connection, account_key: int, run_ids: list[int], *, from_left_out: bool) -> None:
    before = [ArtifactState.LEFT_OUT] if from_left_out else [ArtifactState.PENDING, ArtifactState.FAILED]
    after = ArtifactState.PENDING if from_left_out else ArtifactState.LEFT_OUT
    facts = {"state": after, "reason": "" if from_left_out else LEFT_OUT, "next_attempt_at": None}
    for some in chunks(run_ids):
        these = (run_artifacts.c.account_key == account_key) & run_artifacts.c.run_id.in_(some)
        tx.execute(update(run_artifacts).where(these & run_artifacts.c.state.in_(before)).values(facts))
