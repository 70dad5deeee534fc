"""Whether a build is unlike those before it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from headwater.model.outcome import Outcome

_UNUSUAL = 6.0
_LEAST_HISTORY = 8
_LEAST_ROWS = 10.0
_LEAST_SECONDS = 60.0


def find_anomaly(builds: Sequence[Outcome]) -> str | None:
    """Say how the newest of the builds of a node, newest first, departs from those before it in rows or time.

    None where it does not, and where there are too few to compare with.
    """
    newest, before = builds[:1], builds[1:]
    if len(before) < _LEAST_HISTORY:
        return None
    rows = [build.rows for build in before if build.rows is not None]
    said = _compare("wrote", "rows", newest[0].rows, rows, _LEAST_ROWS)
    elapsed = newest[0].elapsed
    seconds = [build.elapsed.total_seconds() for build in before if build.elapsed is not None]
    return said or _compare("took", "seconds", elapsed.total_seconds() if elapsed else None, seconds, _LEAST_SECONDS)


def _compare(verb: str, unit: str, value: float | None, before: Sequence[float], least: float) -> str | None:
    """Compare with the median, in units of the median distance from it, never less than a tenth of it or `least`."""
    if value is None or len(before) < _LEAST_HISTORY:
        return None
    middle = median(before)
    spread = max(median(abs(other - middle) for other in before), abs(middle) / 10, least)
    if abs(value - middle) <= _UNUSUAL * spread:
        return None
    return f"Its last build {verb} {value:,.0f} {unit}; {middle:,.0f} are usual."
