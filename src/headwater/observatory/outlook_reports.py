"""What the first page says of what is coming: jobs that slow down, what runs next, how old the sources' data are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPace:
    """How long the successful runs of a job take now, and took before; nothing of before where too few are stored.

    `last_seconds` are the newest runs, newest last.
    """

    account: str
    job_id: int
    job_name: str
    project_name: str | None
    environment_name: str | None
    recent_seconds: float
    recent_runs: int
    earlier_seconds: float | None
    earlier_runs: int
    is_slowing: bool
    sentence: str
    last_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingRun:
    """When the schedule of a job starts it next. `is_overdue` where that is past and dbt Cloud told of no run."""

    account: str
    job_id: int
    job_name: str
    project_name: str | None
    environment_name: str | None
    cron: str
    starts_at: datetime
    is_overdue: bool
    usual_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAge:
    """The last freshness check of a source. The age is that of its newest row when it was checked."""

    unique_id: str
    name: str
    account: str
    project_id: int
    project_name: str | None
    environment_id: int
    environment_name: str | None
    status: str
    checked_at: datetime
    max_loaded_at: datetime | None
    age_seconds: float | None
    warn_after_seconds: float | None
    error_after_seconds: float | None
    run_id: int | None
