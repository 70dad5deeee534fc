"""How long the runs of a job take, and whether they take longer than they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

_RECENT_SHARE = 5
_LEAST_RECENT = 5
_LEAST_EARLIER = 8
_WELL_ABOVE = 1.25
_LEAST_MORE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The median of the newest runs, and of those before them, None where these are too few to compare with."""

    recent: timedelta
    recent_runs: int
    earlier: timedelta | None
    earlier_runs: int
    is_slowing: bool


def find_pace(spans: Sequence[timedelta]) -> Pace | None:
    """Compare the newest fifth of some runs, oldest first and five at least, with the runs before; None without any.

    A job is getting slower where the newest median is a quarter and ten seconds above the earlier one, and above what
    three of four earlier runs took: a job that does two different things is then not said to get slower every day.
    """
    if not spans:
        return None
    recent = spans[-max(_LEAST_RECENT, len(spans) // _RECENT_SHARE) :]
    earlier = spans[: len(spans) - len(recent)]
    now, before = _middle(recent), _middle(earlier) if len(earlier) >= _LEAST_EARLIER else None
    return Pace(
        recent=now,
        recent_runs=len(recent),
        earlier=before,
        earlier_runs=len(earlier),
        is_slowing=before is not None
        and now >= before * _WELL_ABOVE
        and now - before >= _LEAST_MORE
        and now > (find_quantile(earlier, 0.75) or now),
    )


def find_quantile(spans: Sequence[timedelta], share: float) -> timedelta | None:
    """Give the smallest of some spans that at least this share of them does not exceed; None without any."""
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _middle(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans))
