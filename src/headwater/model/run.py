"""A run: one execution of a dbt Cloud job, its steps and its trigger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class RunStatus(StrEnum):
    """The states of a run and of a run step; UNKNOWN is a number dbt Cloud has not told anybody about."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_finished(self) -> bool:
        """Whether the run can no longer change by itself."""
        return self in _FINISHED


_FINISHED = frozenset({RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.CANCELLED})


class Way(StrEnum):
    """By which way an observation of a run arrived."""

    POLL = "poll"
    WEBHOOK = "webhook"
    SDK = "sdk"
    INGEST = "ingest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What caused a run: dbt Cloud's category (scheduled, api, ci, ui, rerun, …), the cause in words, and git."""

    category: str | None = None
    cause: str | None = None
    git_branch: str | None = None
    git_sha: str | None = None
    pull_request_id: int | None = None
    schema_override: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One command of a run, `index` from 1; `command` is the dbt command line, None where the step is not dbt's."""

    index: int
    name: str
    status: RunStatus
    command: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    log: str | None = None

    @property
    def elapsed(self) -> timedelta | None:
        """Give the time from start to finish, None while it is not finished."""
        return _between(self.started_at, self.finished_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job as one observation saw it; `steps` is empty where they were not asked for."""

    run_id: int
    status: RunStatus
    status_code: int | None = None
    status_message: str | None = None
    project_id: int | None = None
    environment_id: int | None = None
    job_id: int | None = None
    dbt_version: str | None = None
    git_branch: str | None = None
    git_sha: str | None = None
    trigger: Trigger | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    dequeued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retrying_run_id: int | None = None
    artifacts_saved: bool = False
    href: str | None = None
    steps: tuple[RunStep, ...] = field(default=())

    @property
    def is_finished(self) -> bool:
        """Whether the run can no longer change by itself."""
        return self.status.is_finished

    @property
    def elapsed(self) -> timedelta | None:
        """Give the time from start to finish, queueing left out."""
        return _between(self.started_at, self.finished_at)

    @property
    def queued_for(self) -> timedelta | None:
        """Give the time from creation to start."""
        return _between(self.created_at, self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowContext:
    """Where in Airflow a run was triggered or collected: a task of a DAG run, and which try of it.

    `map_index` is -1 where the task is not mapped, `started_at` (ISO-8601) when the try began, `url` the try's page
    in Airflow. What Airflow did not tell is None.
    """

    dag_id: str
    task_id: str | None = None
    dag_run_id: str | None = None
    try_number: int | None = None
    logical_date: str | None = None
    owner: str | None = None
    map_index: int | None = None
    started_at: str | None = None
    url: str | None = None


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return end - start if start is not None and end is not None else None
