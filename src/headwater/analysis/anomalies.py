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
    if not builds:
        return None
    elapsed = builds[0].elapsed
    seconds = [build.elapsed.total_seconds() for build in builds[1:] if build.elapsed is not None]
    return find_rows_anomaly(builds) or _compare(
        "took", "seconds", elapsed.total_seconds() if elapsed else None, seconds, _LEAST_SECONDS
    )


def find_rows_anomaly(builds: Sequence[Outcome]) -> str | None:
    """Say how the newest of the builds of a node, newest first, departs from those before it in rows alone."""
    rows = [build.rows for build in builds[1:] if build.rows is not None]
    return _compare("wrote", "rows", builds[0].rows, rows, _LEAST_ROWS) if builds else None


def _compare(verb: str, unit: str, value: float | None, before: Sequence[float], least: float) -> str | None:
    """Compare with the median, in units of the median distance from it, never less than a tenth of it or `least`."""
    if value is None or len(before) < _LEAST_HISTORY:
        return None
    middle = median(before)
    spread = max(median(abs(other - middle) for other in before), abs(middle) / 10, least)
    if abs(value - middle) <= _UNUSUAL * spread:
        return None
    return f"Its last build {verb} {value:,.0f} {unit}; {middle:,.0f} are usual."
