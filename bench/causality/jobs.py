"""The jobs of the demo projects as dbt Cloud would have them, and when their runs are due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ACCOUNT_ID = 70_001
BEGAN = datetime(2026, 11, 2, tzinfo=UTC)
"""The first day of every history, a Monday."""

PREFIX_DAYS = 4
PREFIX_END = BEGAN + timedelta(days=PREFIX_DAYS)


BUILD = "dbt build --exclude resource_type:unit_test resource_type:saved_query"


@dataclass(frozen=True)
class Job:
    """A job: its commands in order, and at which hours, and how many minutes past them, it is due."""

    job_id: int
    project: str
    name: str
    commands: tuple[str, ...]
    hours: tuple[int, ...]
    minute: int

    @property
    def key(self) -> str:
        """Name the job among those of all projects."""
        return f"{self.project}/{self.name}"

    @property
    def cron(self) -> str:
        """Write the schedule as dbt Cloud keeps it."""
        return f"{self.minute} {','.join(map(str, self.hours))} * * *"

    @property
    def builds_all(self) -> bool:
        """Whether it builds the whole project."""
        return BUILD in self.commands


_EACH_FOUR = (0, 4, 8, 12, 16, 20)
_EACH_SIX = (1, 7, 13, 19)
_TAGGED = ("dbt run --select tag:hourly", "dbt test --select tag:hourly")
_FRESHNESS = ("dbt source freshness",)

JOBS = (
    Job(101, "storefront", "nightly", ("dbt source freshness", BUILD), (2,), 0),
    Job(102, "storefront", "hourly", _TAGGED, _EACH_FOUR, 20),
    Job(103, "storefront", "freshness", _FRESHNESS, _EACH_SIX, 0),
    Job(201, "finance", "nightly", (BUILD,), (3,), 0),
    Job(202, "finance", "metrics_hourly", _TAGGED, _EACH_FOUR, 40),
    Job(301, "roastery", "nightly", ("dbt source freshness", BUILD), (2,), 30),
    Job(302, "roastery", "hourly", _TAGGED, _EACH_FOUR, 10),
    Job(303, "roastery", "freshness", _FRESHNESS, _EACH_SIX, 5),
)
BY_KEY = {job.key: job for job in JOBS}
PROJECT_IDS = {"storefront": 10, "finance": 20, "roastery": 30}
ENVIRONMENT_IDS = {"storefront": 11, "finance": 21, "roastery": 31}
WAREHOUSES = {"storefront": "fernhill", "finance": "fernhill", "roastery": "roastery"}
UPSTREAM = {"finance": "storefront"}
"""The project whose models a project builds on."""


@dataclass(frozen=True)
class Slot:
    """A time at which a run of a job is due."""

    job: Job
    at: datetime


def each_slot(after: datetime, until: datetime) -> Iterator[Slot]:
    """Give the due times of all jobs after one moment and up to another, in their order."""
    days = (until.date() - after.date()).days + 1
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    found = [
        Slot(job, midnight + timedelta(days=day, hours=hour, minutes=job.minute))
        for day in range(days)
        for job in JOBS
        for hour in job.hours
    ]
    return iter(sorted((slot for slot in found if after < slot.at <= until), key=lambda slot: (slot.at, slot.job.key)))


def run_id_at(slot_at: datetime, job: Job, attempt: int = 0) -> int:
    """Give the id of a run: higher for later ones."""
    return 1_000_000 + int((slot_at - BEGAN).total_seconds()) * 10 + job.job_id % 10 + attempt
