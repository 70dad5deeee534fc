"""Saying how far the fetching of what an account lacks has come, and how long it still takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.model.sync import SyncProgress, SyncState
from headwater.sync.progress import WRITTEN_AT_ONCE, listed_share

_PATIENCE = timedelta(minutes=3)
_LEAST_REQUESTS = 2.0
"""A run takes no fewer: its detail and one artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """How far what an account lacks is fetched; see `SyncProgress`.

    `standing` is `waiting` before the first pass at it, `running`, `stopped` where nothing was fetched for a while, or
    `paused`. `share` never falls; it is an estimate while not `is_listed`. `seconds_left` is None until a rate is
    known, and where nobody is at work.
    """

    runs_done: int
    runs_found: int
    seconds_left: float | None
    share: float = 0.0
    standing: str = "running"
    is_listed: bool = True
    noted_at: datetime | None = None


def describe_progress(
    progress: SyncProgress | None, state: SyncState, *, is_paused: bool, per_minute: int, now: datetime
) -> BackfillProgress | None:
    """Say how far it has come; None where nothing is to be fetched."""
    if progress is None:
        standing = "paused" if is_paused else "waiting"
        waiting = BackfillProgress(runs_done=0, runs_found=0, seconds_left=None, standing=standing, is_listed=False)
        return None if state.is_backfilled else waiting
    per_run = _requests_of_a_run(progress, state)
    patience = max(_PATIENCE, timedelta(minutes=2 * WRITTEN_AT_ONCE * per_run / per_minute))
    is_at_work = not is_paused and now - progress.noted_at <= patience
    listed = listed_share(progress, state)
    return BackfillProgress(
        runs_done=progress.fetched,
        runs_found=progress.found,
        seconds_left=_left(progress, listed, per_run / per_minute) if is_at_work else None,
        share=progress.share,
        standing="running" if is_at_work else "paused" if is_paused else "stopped",
        is_listed=listed == 1.0,
        noted_at=progress.noted_at,
    )


def _requests_of_a_run(progress: SyncProgress, state: SyncState) -> float:
    sent = state.requests_total - progress.requests_before
    return max(sent / progress.fetched, _LEAST_REQUESTS) if progress.fetched else _LEAST_REQUESTS


def _left(progress: SyncProgress, listed: float, minutes_a_run: float) -> float | None:
    """Give the seconds left: what the pace so far says, or what the request budget allows, whichever is longer."""
    if not progress.fetched or not progress.worked or not listed:
        return None
    runs = progress.found / listed - progress.fetched
    return runs * max(progress.worked.total_seconds() / progress.fetched, minutes_a_run * 60)
