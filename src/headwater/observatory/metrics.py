"""What /metrics tells, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from headwater.model.incident import IncidentState
from headwater.observatory.accounts import list_accounts
from headwater.observatory.holder import Observatory
from headwater.observatory.inbox_reports import InboxReport
from headwater.observatory.reports import AccountSummary
from headwater.store.accounts import list_accounts as list_stored_accounts
from headwater.store.accounts import read_revisions
from headwater.store.incidents import count_open
from headwater.store.inventory import list_account_jobs, list_projects
from headwater.store.run_counts import list_run_totals
from headwater.store.run_queries import list_changed_runs
from headwater.store.runs import count_artifacts

_GOING_ON = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class JobPlace:
    """The labels of a job's metrics."""

    account: str
    project: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that is over, for the histograms."""

    place: JobPlace
    run_id: int
    finished_at: datetime
    elapsed_seconds: float | None
    queued_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsReport:
    """Everything that can be read at a moment; `artifacts` counts by account and state, `runs` by job and status,
    `incidents` those that go on by account and state.
    """

    accounts: tuple[AccountSummary, ...]
    runs: Mapping[tuple[JobPlace, str], int]
    artifacts: Mapping[tuple[str, str], int]
    requests: Mapping[tuple[str, str, str], int]
    incidents: Mapping[tuple[str, str], int]
    inbox: InboxReport = field(default_factory=InboxReport)


def read_metrics(observatory: Observatory) -> MetricsReport:
    """Read what can be read at this moment."""
    listed = list_accounts(observatory)
    runs: Counter[tuple[JobPlace, str]] = Counter()
    with observatory.store.read() as tx:
        names = {account.account_key: account.name for account in list_stored_accounts(tx)}
        places = _places(tx, names)
        for total in list_run_totals(tx):
            unnamed = JobPlace(names[total.account_key], "", str(total.job_id or ""))
            runs[places.get((total.account_key, total.job_id), unnamed), str(total.status)] += total.runs
        incidents = {(name, str(state)): 0 for name in names.values() for state in _GOING_ON}
        incidents |= {(names[key], state): count for (key, state), count in count_open(tx).items()}
        artifacts = {(names[key], state): count for (key, state), count in count_artifacts(tx).items()}
    return MetricsReport(
        accounts=listed.accounts,
        runs=runs,
        artifacts=artifacts,
        requests=observatory.traffic.counts(),
        incidents=incidents,
        inbox=listed.inbox,
    )


def read_revisions_now(observatory: Observatory) -> dict[int, int]:
    """Read where the changes of each account stand."""
    with observatory.store.read() as tx:
        return read_revisions(tx)


def list_finished_since(observatory: Observatory, since: Mapping[int, int]) -> tuple[FinishedRun, ...]:
    """List the finished runs that changed since some revisions."""
    with observatory.store.read() as tx:
        rows = list_changed_runs(tx, since)
    return tuple(
        FinishedRun(
            place=JobPlace(row.account_name, row.project_name or "", row.job_name or ""),
            run_id=row.run.run_id,
            finished_at=row.run.finished_at,
            elapsed_seconds=row.run.elapsed.total_seconds() if row.run.elapsed else None,
            queued_seconds=row.run.queued_for.total_seconds() if row.run.queued_for else None,
        )
        for row in rows
        if row.run.finished_at is not None
    )


def _places(tx: Connection, names: Mapping[int, str]) -> dict[tuple[int, int], JobPlace]:
    places = {}
    for key, account in names.items():
        projects = {project.project_id: project.name for project in list_projects(tx, key)}
        for job in list_account_jobs(tx, key):
            places[key, job.job_id] = JobPlace(account, projects.get(job.project_id or 0, ""), job.name)
    return places
