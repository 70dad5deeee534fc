"""What questions about builds return; field names are those of the JSON, as in `reports`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSummary:
    """A relation that a build read: the build of it that was there then, or of a source its newest row, where known."""

    unique_id: str
    built_at: datetime | None
    run_id: int | None
    loaded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSummary:
    """A build of a relation, and what it read; views among its parents are opened to what is behind them."""

    at: datetime
    run_id: int | None
    job_id: int | None
    rows: int | None
    reads: tuple[ReadingSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAgeSummary:
    """How old the data are that come from one beginning: `basis` is loaded, built or unknown.

    `loaded` is the newest row by a freshness check, `built` when `read_by` was built from it.
    """

    unique_id: str
    basis: str
    at: datetime | None
    read_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAsOfSummary:
    """How old the data of a relation are, followed to the sources through the builds really used.

    `at` is the oldest that is known, `rests_on` of what; `ages` has each beginning, the oldest first.
    """

    sentence: str
    at: datetime | None
    rests_on: str | None
    basis: str | None
    ages: tuple[DataAgeSummary, ...]
