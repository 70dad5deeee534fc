"""When a job's schedule says that it runs next."""

from __future__ import annotations

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

_ALREADY_STARTED = timedelta(minutes=2)
"""A run is created a moment before or after its minute; that minute has then had its run."""


def next_run_at(cron: str | None, after: datetime) -> datetime | None:
    """Give when a schedule (five fields, in UTC, as dbt Cloud keeps it) starts the run after the one created at a time.

    None without a schedule, and where it cannot be read or never comes.
    """
    if not cron:
        return None
    try:
        return next(CronSim(cron, after + _ALREADY_STARTED), None)
    except CronSimError:
        return None
