"""Where the copying of an account stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """What the next pass over an account must know; kept in the store, one for each account.

    History is copied backwards from the moment of connection: everything created since `backfilled_to` has been
    listed, and `backfill_from` is how far back it shall go. `failures` counts the passes that failed in a row.
    `newest_run_id` is the highest id that was listed, `overlap_run_id` the lowest that the next listing repeats.
    """

    newest_run_id: int | None = None
    overlap_run_id: int | None = None
    backfill_from: datetime | None = None
    backfilled_to: datetime | None = None
    structure_read_at: datetime | None = None
    last_reconcile_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = None
    failures: int = 0
    requests_total: int = 0
    rate_limited_total: int = 0

    @property
    def is_backfilled(self) -> bool:
        """Whether history reaches as far back as was asked for."""
        if self.backfill_from is None:
            return True
        return self.backfilled_to is not None and self.backfilled_to <= self.backfill_from


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """How far the fetching of what an account lacks has come, over as many passes as it takes; kept until it is done.

    `found` grows while the history is still being listed, from `listed_from` backwards. `share`, from 0 to 1, never
    falls. `worked` leaves out the time in which nobody was at it; `requests_before` is the account's total of requests
    when it began.
    """

    began_at: datetime
    noted_at: datetime
    listed_from: datetime
    worked: timedelta = timedelta()
    fetched: int = 0
    found: int = 0
    share: float = 0.0
    requests_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPass:
    """What one pass over an account asked and brought, or several after one another that brought nothing."""

    began_at: datetime
    ended_at: datetime
    passes: int = 1
    requests: int = 0
    rate_limited: int = 0
    runs_new: int = 0
    runs_updated: int = 0
    artifacts_stored: int = 0
    error: str = ""

    @property
    def is_quiet(self) -> bool:
        """Whether it brought nothing."""
        return not (self.runs_new or self.runs_updated or self.artifacts_stored)
