"""When a job's schedule says that it runs next, and whether it ran when it should have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

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


_WAITED = timedelta(hours=1)
_MOST_MOMENTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How a schedule was kept between two times: how many runs it asked for, and the moments without one."""

    since: datetime
    moments: int
    missed: tuple[datetime, ...]


def find_kept(cron: str | None, created: Sequence[datetime], since: datetime, until: datetime) -> Kept | None:
    """Hold the moments of a schedule against when runs were created, in order of time.

    A moment has its run where one was created within an hour of it and before the next moment; a run counts once.
    Only moments that this much time has passed since are held against, the newest thousand. None without a schedule
    that can be read.
    """
    if not cron:
        return None
    try:
        gaps = CronSim(cron, until)
        first, second = next(gaps, None), next(gaps, None)
        if first is None or second is None:
            return None
        begin = max(since, until - (second - first) * _MOST_MOMENTS)
        wait = min(_WAITED, second - first)
        moments = list(takewhile(lambda at: at <= until - wait, CronSim(cron, begin - timedelta(minutes=1))))
    except CronSimError:
        return None
    waiting = iter(sorted(created))
    run = next(waiting, None)
    missed = []
    for moment in moments[-_MOST_MOMENTS:]:
        while run is not None and run < moment - _ALREADY_STARTED:
            run = next(waiting, None)
        if run is None or run >= moment + wait:
            missed.append(moment)
        else:
            run = next(waiting, None)
    return Kept(since=begin, moments=len(moments[-_MOST_MOMENTS:]), missed=tuple(missed))
