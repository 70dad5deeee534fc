"""What happened to a node at a moment: an execution or a freshness check, placed in its run and its job."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from headwater.model.invocation import FAILED

GOOD = frozenset({"success", "pass", "warn", "no-op", "reused"})
"""The statuses after which a node stands as dbt wants it; a warning is for people."""


class Outcome(Struct, frozen=True, gc=False, kw_only=True):
    """One execution or freshness check of a node: its status and numbers, and the run, job and invocation it was in.

    `at` is when it began; `compiled` the hash of the SQL it ran.
    """

    unique_id: str
    status: str
    at: datetime
    invocation_key: int
    run_id: int | None = None
    job_id: int | None = None
    manifest_key: int | None = None
    elapsed: timedelta | None = None
    failures: int | None = None
    rows: int | None = None
    message: str | None = None
    max_loaded_at: datetime | None = None
    compiled: bytes | None = None

    @property
    def is_failed(self) -> bool:
        """Whether it is bad news by itself; a skipped node only passes on another's."""
        return self.status in FAILED

    @property
    def is_good(self) -> bool:
        """Whether the node stands as dbt wants it."""
        return self.status in GOOD
