"""When jobs run by themselves: the few schedules that the simulated jobs have."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Cadence:
    """Certain hours of every day, or of one day of the week, at a minute; no hours: never by itself."""

    cron: str
    hours: tuple[int, ...] = ()
    minute: int = 0
    weekday: int | None = None
    """0 is Monday."""

    def ticks(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The times in `(after, until]` at which a job of this cadence is due."""
        day = after.replace(hour=0, minute=0, second=0, microsecond=0)
        while day <= until:
            if self.weekday in (None, day.weekday()):
                for hour in self.hours:
                    tick = day + timedelta(hours=hour, minutes=self.minute)
                    if after < tick <= until:
                        yield tick
            day += timedelta(days=1)

    def next_after(self, moment: datetime) -> datetime | None:
        """The next time, at most eight days ahead."""
        return next(self.ticks(moment, moment + timedelta(days=8)), None)

    def humanized(self) -> str:
        """The schedule in words (dbt Cloud API: `cron_humanized`)."""
        at = f"{self.minute:02d} minutes past the hour"
        if self.weekday is not None:
            return f"At {self.hours[0]:02d}:{self.minute:02d}, only on Sunday"
        if len(self.hours) == 1:
            return f"At {self.hours[0]:02d}:{self.minute:02d}"
        return f"At {at}, every {24 // len(self.hours)} hours" if self.hours else f"At {at}"


def _every(hours: int, minute: int) -> Cadence:
    return Cadence(f"{minute} */{hours} * * *", tuple(range(0, 24, hours)), minute)


def _daily(hour: int, minute: int) -> Cadence:
    return Cadence(f"{minute} {hour} * * *", (hour,), minute)


_NEVER = Cadence("0 */12 * * *")
_CADENCES = {
    ("storefront", "nightly"): _daily(3, 0),
    ("storefront", "hourly"): _every(2, 10),
    ("storefront", "freshness"): _every(3, 40),
    ("finance", "nightly"): _daily(5, 0),
    ("finance", "metrics_hourly"): _every(6, 25),
    ("roastery", "nightly"): _daily(2, 15),
    ("roastery", "hourly"): _every(6, 5),
    ("roastery", "freshness"): _every(12, 35),
}
_BY_NAME = {
    "nightly": _daily(4, 0),
    "hourly": _every(3, 15),
    "freshness": _every(4, 45),
    "weekly": Cadence("30 5 * * 0", (5,), 30, weekday=6),
    "ci": _NEVER,
}


def cadence_of(project: str, job: str) -> Cadence:
    """How often a recorded job runs; a job unknown here runs once a day."""
    return _CADENCES.get((project, job)) or _BY_NAME.get(job) or _daily(6, 20)
