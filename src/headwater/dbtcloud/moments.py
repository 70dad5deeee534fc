"""Points in time as dbt Cloud writes them, in each of its forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(?:(Z|z)|([+-]\d\d):?(\d\d)?)?", re.ASCII
)
_LONGEST = 64


def read_moment(value: str | float | None) -> datetime | None:
    """Read a point in time as aware UTC: with a space or a T, with Z or an offset or neither, to the nanosecond.

    A number is the seconds since 1970, or the milli- or microseconds if it is too large for that.

    Raises:
        ValueError: it is none of these; the message repeats nothing of it.
    """
    if value is None or value == "":
        return None
    try:
        return _read_text(value) if isinstance(value, str) else _read_number(float(value))
    except (OverflowError, ValueError):
        pass
    raise ValueError("not a point in time")


def write_moment(moment: datetime) -> str:
    """Write a point in time as dbt Cloud takes it in a filter."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _read_text(text: str) -> datetime | None:
    found = _FORM.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return _read_number(float(text))
    day, clock, fraction, _, hours, minutes = found.groups()
    zone = f"{hours}:{minutes or '00'}" if hours else "+00:00"
    moment = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    moment += timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    # Go writes the year 1 where it has no time.
    return moment if moment.year > 1 else None


def _read_number(number: float) -> datetime:
    scale = 1.0 if abs(number) < 1e11 else 1e3 if abs(number) < 1e14 else 1e6
    return _EPOCH + timedelta(seconds=number / scale)
