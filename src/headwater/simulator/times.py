"""Points in time as dbt Cloud writes and reads them, in each of its forms."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_READABLE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?")


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The point in time so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=value)


def spaced(moment: datetime | None) -> str | None:
    """`2021-12-07 10:32:24.326116+00:00` (dbt Cloud API: runs, steps, v3 projects and connections)."""
    return moment.isoformat(" ") if moment else None


def iso(moment: datetime | None) -> str | None:
    """`2021-11-18T15:19:03.185668+00:00` (dbt Cloud API: jobs, accounts, environments)."""
    return moment.isoformat("T") if moment else None


def zulu(moment: datetime | None, digits: int = 0) -> str | None:
    """`2023-01-31T19:28:07Z`, with up to nine digits of fraction (dbt Cloud webhooks)."""
    if moment is None:
        return None
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def read_moment(text: str) -> datetime:
    """A point in time from any form that clients send; without a zone it is UTC."""
    found = _READABLE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a date or a time")
    day, clock, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "Z") else zone
    return datetime.fromisoformat(f"{day}T{clock or '00:00:00'}.{(fraction or '0'):0<6.6}{offset}").astimezone(UTC)


def clock_span(span: timedelta) -> str:
    """`00:01:50` (dbt Cloud API: durations)."""
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def humanized_span(span: timedelta) -> str:
    """`1 minute, 50 seconds` (dbt Cloud API: humanized durations); nothing is `0 minutes`."""
    seconds = max(0, int(span.total_seconds()))
    units = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    words = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(words[:2]) or "0 minutes"


def humanized_ago(moment: datetime | None, now: datetime) -> str | None:
    """`2 weeks, 1 day ago`."""
    return f"{humanized_span(now - moment)} ago" if moment else None
