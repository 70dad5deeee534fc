"""Single values of dbt's JSON: times, spans, numbers, texts. A value that makes no sense is None and a fault."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Raw

from headwater.artifacts._json import REFUSED, Faults, is_absent

TEXT_CAP_BYTES: Final = 64 * 1024
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_LONGEST_SECONDS = 1000 * 365 * 86400.0
_INTEGER_LIMIT = 2**63


def read_time(text: str | None, faults: Faults, *where: str) -> datetime | None:
    """Read an ISO time with any offset or none (then UTC) and any number of decimals; `where` is named in a fault."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        faults.add(f"{': '.join(where)} is not a time: {text[:40]!r}.")
        return None
    return believable_time(at, faults, *where)


def believable_time(at: datetime, faults: Faults, *where: str) -> datetime | None:
    """Give a time in UTC, which one without an offset is in; None (and a fault) where no dbt can have run then."""
    try:
        told = at if at.tzinfo is UTC else at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        told = None
    if told is None or not _FIRST_YEAR <= told.year <= _LAST_YEAR:
        faults.add(f"{': '.join(where)} is not a believable time: {at.isoformat()}.")
        return None
    return told


def read_span(seconds: float | None, faults: Faults, *where: str) -> timedelta | None:
    """Read a number of seconds that may not be negative; `where` is named in a fault."""
    if seconds is None:
        return None
    if not 0 <= seconds <= _LONGEST_SECONDS:
        faults.add(f"{': '.join(where)} is not a believable number of seconds: {seconds!r:.40}.")
        return None
    return timedelta(seconds=seconds)


def as_integer(value: Any) -> int | None:
    """Give an integer written as number or as text; None for anything else and for what no database holds."""
    if isinstance(value, str):
        try:
            value = int(value.replace(",", "")) if len(value) <= 30 else None
        except ValueError:
            return None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _INTEGER_LIMIT:
        return None
    return value


def read_integer(raw: Raw, where: str, faults: Faults) -> int | None:
    """Read an integer written as number or as text."""
    if is_absent(raw):
        return None
    number = as_integer(read_any(raw))
    if number is None:
        faults.add(f"{where} is not a number: {bytes(raw)[:40].decode('utf-8', 'replace')}.")
    return number


def read_any(raw: Raw) -> Any:
    """Read any JSON value; None where it is absent or cannot be read."""
    if is_absent(raw):
        return None
    try:
        return msgspec.json.decode(raw)
    except REFUSED:
        return None


def read_text(raw: Raw) -> str | None:
    """Read a text; another value is given as its JSON, so that it can be named in a fault."""
    value = read_any(raw)
    return value if value is None or isinstance(value, str) else bytes(raw).decode("utf-8", "replace")


def capped(text: str | None) -> str | None:
    """Cut a text at 64 KiB of UTF-8, with a mark that says how much is missing."""
    if text is None or len(text) <= TEXT_CAP_BYTES // 4:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= TEXT_CAP_BYTES:
        return text
    mark = f"\n… ({len(encoded):,} bytes; the rest is left out)"
    kept = TEXT_CAP_BYTES - len(mark.encode())
    return encoded[:kept].decode("utf-8", "ignore") + mark
