"""What a query string asks for: a filter of runs and a page of them; and the way back, for links."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from headwater.errors import WrongUse
from headwater.observatory.runs import RunFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOWS = (1, 7, 30)
PAGE_SIZE = 50
MOST_ROWS = 500
_TIMES = ("created_from", "created_to")
_NAMES = tuple(field.name for field in fields(RunFilter))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsQuestion:
    """A filter and the page of what fits it; `given` holds what was asked as it was written."""

    runs: RunFilter
    limit: int
    offset: int
    given: dict[str, str]

    def link(self, **changes: str | int | None) -> str:
        """Give the address of this question with some of it changed; None takes a part out."""
        asked = {**self.given, **({"limit": self.limit} if self.limit != PAGE_SIZE else {}), **changes}
        return runs_link(**asked)


def runs_link(**asked: str | int | None) -> str:
    """Give the address of the runs that fit."""
    query = urlencode({name: value for name, value in asked.items() if value not in {None, ""}})
    return f"/runs?{query}" if query else "/runs"


def job_link(account: str, job_id: int) -> str:
    """Give the address of the page of a job."""
    return f"/jobs/{quote(account, safe='')}/{job_id}"


def read_runs_question(query: Mapping[str, str]) -> RunsQuestion:
    """Read what a query string asks of the runs; what a form left empty was not asked.

    Raises:
        WrongUse: a part of it cannot be read.
    """
    given = {name: query[name].strip() for name in _NAMES if query.get(name, "").strip()}
    times = {name: read_time(name, given[name]) for name in _TIMES if name in given}
    return RunsQuestion(
        runs=RunFilter(**{**given, **times}),  # type: ignore[arg-type]
        limit=read_whole(query, "limit", PAGE_SIZE, 1, MOST_ROWS),
        offset=read_whole(query, "offset", 0, 0, 10**9),
        given=given,
    )


def read_days(query: Mapping[str, str]) -> int:
    """Read the window of days a page is about: a week where nothing is said.

    Raises:
        WrongUse: it is not a number of days, or is too many.
    """
    return read_whole(query, "days", 7, 1, 90)


def read_job_days(query: Mapping[str, str]) -> int:
    """Read the window of days that the page of a job is about: 30 where nothing is said.

    Raises:
        WrongUse: it is not a number of days, or is too many.
    """
    return read_whole(query, "days", 30, 1, 90)


def read_number(text: str) -> int | None:
    """Read a run's or a job's id in an address; None where it is none."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(text) <= 20 else None


def read_time(name: str, text: str) -> datetime:
    """Read an ISO-8601 time; one without an offset is in UTC, as the pages are.

    Raises:
        WrongUse: it is not a time.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongUse(f"{name} is not a time.", hint="Write it as 2026-03-01T06:00, in UTC.") from None


def read_whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Read a whole number of a query, the default where it is not there.

    Raises:
        WrongUse: it is not a whole number between the least and the most.
    """
    text = query.get(name, "").strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise WrongUse(f"{name} is not a whole number from {least:,} to {most:,}.")
