"""Whether to ask again, and when: pure, so that every combination can be tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

LONGEST_RETRY_AFTER = 900.0
"""Seconds: a Retry-After beyond this is not believed."""

COOL_DOWN = 300.0
"""Seconds dbt Cloud says that an exceeded limit lasts; it is waited where a 429 comes without a Retry-After."""

REPEATABLE = frozenset({408, 429, 500, 502, 503, 504})
"""The HTTP statuses after which the same request may succeed."""

_DIGITS = re.compile(r"[+-]?\d+(\.\d*)?")


class Failure(StrEnum):
    """How a request came to no answer. Before the connection stood, nothing can have had an effect."""

    NAME = "name"
    ADDRESS = "address"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"

    @property
    def is_before_sending(self) -> bool:
        """Whether dbt Cloud certainly saw nothing of the request."""
        return self in {Failure.NAME, Failure.ADDRESS, Failure.CONNECT, Failure.TLS}

    @property
    def is_passing(self) -> bool:
        """Whether the next try may do better: a wrong name or a wrong certificate stays wrong."""
        return self in {Failure.CONNECT, Failure.TIMEOUT, Failure.RESET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one try ended: a status or a failure; `number` counts from 1, `elapsed` seconds from the first."""

    number: int
    elapsed: float
    status: int | None = None
    failure: Failure | None = None
    retry_after: float | None = None
    has_effect: bool = False
    """Whether the request changes something (POST), so that a repetition might do it twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient to be, in seconds: waits double from `base` to `longest`; after `patience` the error is raised."""

    patience: float = 120.0
    base: float = 0.5
    longest: float = 30.0


NO_RETRY = RetryPolicy(patience=0.0)


def earliest_return(attempt: Attempt) -> float | None:
    """Give the seconds for which nobody may ask this account again, None where nothing forbids it."""
    if attempt.retry_after is not None:
        return attempt.retry_after
    return COOL_DOWN if attempt.status == 429 else None


def next_wait(attempt: Attempt, policy: RetryPolicy, chance: float) -> float | None:
    """Give the seconds to wait before the next try, or None to give up; `chance` is a random number in [0, 1).

    Full jitter on an exponential back-off, on top of what Retry-After demands; the deadline ends it, not a count.
    """
    if not _may_repeat(attempt):
        return None
    backoff = min(policy.longest, policy.base * 2.0 ** min(attempt.number - 1, 32))
    # A tenth is always waited: with bad luck in the draw the tries would otherwise follow each other at once.
    wait = backoff * (0.1 + 0.9 * chance) + (earliest_return(attempt) or 0.0)
    return wait if attempt.elapsed + wait <= policy.patience else None


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read Retry-After as seconds from now: seconds, an HTTP date, in the past, absurd; None where it says nothing.

    A date is measured by the answer's own Date as well, and the longer wait is taken: our clock may be ahead.
    """
    value = headers.get("retry-after", headers.get("x-rate-limit-retry-after-seconds", "")).strip()
    if _DIGITS.fullmatch(value):
        return _clamp(float(value[:20]))
    moment = _read_http_date(value)
    if moment is None:
        return None
    there = _read_http_date(headers.get("date", "")) or now
    return _clamp(max((moment - now).total_seconds(), (moment - there).total_seconds()))


def _may_repeat(attempt: Attempt) -> bool:
    if attempt.failure is not None:
        return attempt.failure.is_passing and (not attempt.has_effect or attempt.failure.is_before_sending)
    # A 429 is an answer given before anything was done; a 5xx may come after the deed.
    return attempt.status == 429 or (attempt.status in REPEATABLE and not attempt.has_effect)


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _read_http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
