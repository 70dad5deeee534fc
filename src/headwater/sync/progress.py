"""Noting how far the fetching of what an account lacks has come, so that any process can say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.model.sync import SyncProgress, SyncState
from headwater.store.accounts import raise_revision
from headwater.store.database import Store
from headwater.store.runs import count_runs_to_collect
from headwater.store.sync_progress import delete_progress, find_progress, save_progress
from headwater.store.sync_states import get_sync_state
from headwater.store.writing import lock_account

WRITTEN_AT_ONCE = 8
"""Runs of one transaction; so few are not worth noting how far they are."""

_LONGEST_STEP = timedelta(minutes=1)
"""Between two notes nobody was at work for longer."""


def begin_progress(state: SyncState, now: datetime) -> SyncProgress:
    """Give the progress of a fetching that begins now."""
    listed_from = state.backfilled_to or now
    return SyncProgress(began_at=now, noted_at=now, listed_from=listed_from, requests_before=state.requests_total)


def listed_share(progress: SyncProgress, state: SyncState) -> float:
    """Give which share of the history that is wanted was listed, from 0 to 1."""
    if state.is_backfilled or state.backfill_from is None or progress.listed_from <= state.backfill_from:
        return 1.0
    listed = progress.listed_from - (state.backfilled_to or progress.listed_from)
    return min(max(listed / (progress.listed_from - state.backfill_from), 0.0), 1.0)


def advance(
    progress: SyncProgress, state: SyncState, now: datetime, *, fetched: int = 0, waiting: int | None = None
) -> SyncProgress:
    """Give the progress after some more runs were `fetched`; `waiting` says anew how many are left.

    While the history is still being listed the share is that of the runs that a history as dense throughout would
    hold. It stands still rather than fall when more is found.
    """
    done = progress.fetched + fetched
    found = max(progress.found if waiting is None else done + waiting, done)
    share = listed_share(progress, state) * done / found if found else 0.0
    return replace(
        progress,
        noted_at=max(now, progress.noted_at),
        worked=progress.worked + min(max(now - progress.noted_at, timedelta()), _LONGEST_STEP),
        fetched=done,
        found=found,
        share=max(progress.share, share),
    )


def note_begun(store: Store, account_key: int) -> None:
    """Note that fetching begins, where history is to be listed and it did not begin before."""
    now = store.now()
    with store.write() as tx:
        lock_account(tx, account_key)
        state = get_sync_state(tx, account_key)
        if not state.is_backfilled and find_progress(tx, account_key) is None:
            save_progress(tx, account_key, begin_progress(state, now))
            raise_revision(tx, account_key)


def note_found(store: Store, account_key: int) -> None:
    """Note how many runs wait to be fetched; a few that one write takes do not begin anything."""
    now = store.now()
    with store.read() as tx:
        waiting, known = count_runs_to_collect(tx, account_key, now), find_progress(tx, account_key)
    if known is None and waiting <= WRITTEN_AT_ONCE:
        return
    with store.write() as tx:
        lock_account(tx, account_key)
        state = get_sync_state(tx, account_key)
        progress = find_progress(tx, account_key) or begin_progress(state, now)
        save_progress(tx, account_key, advance(progress, state, now, waiting=waiting))


def count_fetched(tx: Connection, account_key: int, fetched: int, now: datetime) -> None:
    """Count runs that this transaction stores, where something is being fetched."""
    progress = find_progress(tx, account_key)
    if progress is not None:
        state = get_sync_state(tx, account_key)
        save_progress(tx, account_key, advance(progress, state, now, fetched=fetched))


def note_done(store: Store, account_key: int) -> None:
    """Note that nothing is left to fetch."""
    with store.read() as tx:
        known = find_progress(tx, account_key)
    if known is None:
        return
    with store.write() as tx:
        lock_account(tx, account_key)
        if delete_progress(tx, account_key):
            raise_revision(tx, account_key)
