"""The geometry of a job's durations: a dot for each run, and by day the median on a band of most runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headwater.observatory.sentences import say_span
from headwater.web.charts import PLOT_HEIGHT, Mark, mark_times
from headwater.web.words import look_of, say_day

if TYPE_CHECKING:
    from headwater.observatory.job_reports import JobDay, JobReport

_LEVELS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A run at its time and duration; across in percent, down in pixels."""

    x: float
    y: float
    look: str
    title: str
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The median of a span of time, and from where to where most of its runs lie."""

    x: float
    width: float
    top: float
    height: float
    middle: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Dots and bands with their axes."""

    dots: tuple[Dot, ...]
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    levels: tuple[Mark, ...]
    height: float = PLOT_HEIGHT


def draw_durations(report: JobReport) -> Durations | None:
    """Draw how long the runs of a job took; None where none of the window took any time."""
    taken = [mark.elapsed_seconds for mark in report.marks if mark.elapsed_seconds is not None]
    if not taken or not report.by_day:
        return None
    bucket = timedelta(seconds=report.bucket_seconds)
    first, last = report.by_day[0].starts_at, report.by_day[-1].starts_at + bucket
    step = next((level for level in _LEVELS if max(taken) <= 3 * level), _LEVELS[-1] * (max(taken) // 86_400 + 1))
    top = step * max(1, -(-max(taken) // step))
    scale = PLOT_HEIGHT / top

    def across(moment: datetime) -> float:
        return round((moment - first) / (last - first) * 100, 3)

    slot = 100 / len(report.by_day)
    return Durations(
        dots=tuple(
            Dot(
                x=across(mark.at),
                y=round(PLOT_HEIGHT - mark.elapsed_seconds * scale, 1),
                look=look_of(mark.status),
                title=f"{say_day(mark.at)} {mark.at:%H:%M}: {mark.status}, {say_span(mark.elapsed_seconds)}",
                run_id=mark.run_id,
            )
            for mark in report.marks
            if mark.elapsed_seconds is not None
        ),
        bands=tuple(
            band
            for place, day in enumerate(report.by_day)
            if (band := _band(day, slot * place, slot, scale)) is not None
        ),
        marks=mark_times(first, last),
        levels=tuple(
            Mark(at=PLOT_HEIGHT - level * step * scale, label=say_span(level * step))
            for level in range(round(top / step) + 1)
        ),
    )


def _band(day: JobDay, x: float, slot: float, scale: float) -> Band | None:
    low, middle, high = day.elapsed_seconds_p10, day.elapsed_seconds_p50, day.elapsed_seconds_p90
    if low is None or middle is None or high is None:
        return None
    return Band(
        x=round(x, 3),
        width=round(slot, 3),
        top=round(PLOT_HEIGHT - high * scale, 1),
        height=round(max((high - low) * scale, 1.0), 1),
        middle=round(PLOT_HEIGHT - middle * scale, 1),
        title=f"{say_day(day.starts_at)}: median {say_span(middle)}, most within {say_span(low)} to {say_span(high)}",
    )
