"""Syncing accounts: one pass, or a whole backfill."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from headwater.errors import AccessDenied, DbtCloudError, HeadwaterError, Stopping, StoreError, TokenRejected, WrongUse
from headwater.model.account import AccountStatus
from headwater.model.sync import SyncPass
from headwater.observatory.audit import COMMAND_LINE, Actor, note
from headwater.observatory.evaluating import evaluate_account
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.reports import SyncReport
from headwater.store.accounts import list_accounts, raise_revision, save_connection
from headwater.store.leases import claim_lease, release_lease
from headwater.store.rows import Account
from headwater.store.sync_passes import log_pass
from headwater.store.sync_progress import delete_progress
from headwater.store.sync_states import add_requests, get_sync_state, save_sync_state
from headwater.sync.account import AccountSync, Collected, PassReport, sync_account
from headwater.sync.plan import widen_backfill

LEASE = timedelta(seconds=45)
"""How long an account stays claimed by a process that died."""

_COLLECTED_AT_ONCE = 40
_FAULTS_LOGGED = 3
Progress = Callable[[str, PassReport], None]
"""Called after each part of a sync with the account's name and what it has brought so far."""


def list_followed(observatory: Observatory) -> tuple[str, ...]:
    """List the names of the accounts that are to be synced."""
    with observatory.store.read() as tx:
        return tuple(account.name for account in list_accounts(tx) if account.has_token and not account.is_paused)


def sync_accounts(
    observatory: Observatory,
    *,
    account: str | None = None,
    days: int | None = None,
    progress: Progress | None = None,
) -> SyncReport:
    """Sync one account or all until nothing is left to collect; `days` widens the history to copy.

    An account that cannot be asked is a fault of the report and does not stop the others.

    Raises:
        NotKnown: there is no account of the name.
        WrongUse: the account that is named is paused.
    """
    names = (_get_unpaused(observatory, account),) if account else list_followed(observatory)
    began = observatory.store.now()
    total, requests, faults = PassReport(), 0, []
    synced = []
    for name in names:
        if days is not None:
            widen(observatory, name, days)
        before = observatory.traffic.total(name)[0]
        try:
            total += _sync_whole(observatory, name, progress)
            synced.append(name)
        except HeadwaterError as error:
            faults.append(f"{name}: {error}")
        requests += observatory.traffic.total(name)[0] - before
    observatory.store.update_statistics()
    for name in synced:
        evaluate_account(observatory, get_account(observatory, name).account_key)
    return SyncReport(
        accounts=len(names),
        accounts_failed=len(faults),
        runs_new=total.runs_new,
        runs_updated=total.runs_updated,
        artifacts_stored=total.artifacts_stored,
        requests=requests,
        seconds=round((observatory.store.now() - began).total_seconds(), 3),
        faults=(*faults, *total.faults),
    )


def _get_unpaused(observatory: Observatory, name: str) -> str:
    if get_account(observatory, name).is_paused:
        raise WrongUse(f"{name} is paused.", hint=f"Run 'headwater account resume {name}' first.")
    return name


def make_pass(observatory: Observatory, name: str) -> PassReport:
    """Make one pass over an account, note how it went, and evaluate what it brought for incidents.

    Raises:
        DbtCloudError, StoreError, SecretUnavailable: after noting why the account cannot be followed.
        WrongUse: another process syncs the account at the moment.
    """
    report = _copy(observatory, name)
    evaluate_account(observatory, get_account(observatory, name).account_key, has_more=report.has_more)
    return report


def _copy(observatory: Observatory, name: str) -> PassReport:
    account = get_account(observatory, name)

    def copy() -> PassReport:
        with _syncing(observatory, account) as sync:
            return sync_account(sync, collect_limit=_COLLECTED_AT_ONCE)

    with _claimed(observatory, account, "sync"):
        return _noting(observatory, account, copy)


def sync_now(observatory: Observatory, name: str, by: Actor) -> PassReport:
    """Make one pass over an account because somebody asked for it; raises as `make_pass`, and where it is paused."""
    _get_unpaused(observatory, name)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        note(observatory, tx, by, "sync asked for", name, now=now)
    return make_pass(observatory, name)


@contextmanager
def syncing_apart(observatory: Observatory, name: str, what: str) -> Iterator[AccountSync]:
    """Give what a smaller errand beside the passes over an account works with; `what` names its own claim.

    Only passes say how the account fares.

    Raises:
        WrongUse: another process does the same at the moment.
    """
    account = get_account(observatory, name)
    with _claimed(observatory, account, what), _syncing(observatory, account) as sync:
        yield sync


@contextmanager
def _syncing(observatory: Observatory, account: Account) -> Iterator[AccountSync]:
    with _fan_out(observatory) as fan_out:
        yield AccountSync(
            store=observatory.store,
            account_key=account.account_key,
            client=observatory.client(account),
            fan_out=fan_out,
        )


def widen(observatory: Observatory, name: str, days: int, *, by: Actor = COMMAND_LINE) -> None:
    """Let an account's history reach back some days from now, if it did not yet."""
    account, now = get_account(observatory, name), observatory.store.now()
    with observatory.store.write() as tx:
        state = get_sync_state(tx, account.account_key)
        backfill_from = widen_backfill(state, now - timedelta(days=days))
        save_sync_state(tx, account.account_key, replace(state, backfill_from=backfill_from))
        if backfill_from != state.backfill_from:
            delete_progress(tx, account.account_key)
            raise_revision(tx, account.account_key)
            note(observatory, tx, by, "history widened", name, now=now, detail=f"{days} days")


def _sync_whole(observatory: Observatory, name: str, progress: Progress | None) -> PassReport:
    total = PassReport(has_more=True)
    while total.has_more:
        total += _copy(observatory, name)
        if progress is not None:
            progress(name, total)
    return total


@contextmanager
def _claimed(observatory: Observatory, account: Account, what: str) -> Iterator[None]:
    """Hold the account for this process; correctness does not hang on it, it only saves requests."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    lease = f"{what}:{account.account_key}"
    now = observatory.store.now()
    with observatory.store.write() as tx:
        is_mine = claim_lease(tx, lease, holder, now, LEASE)
    if not is_mine:
        raise WrongUse(f"Another process syncs {account.name} at the moment.", hint="Try again in a moment.")
    try:
        yield
    finally:
        with observatory.store.write() as tx:
            release_lease(tx, lease, holder)


def _noting(observatory: Observatory, account: Account, copy: Callable[[], PassReport]) -> PassReport:
    """Make a pass, and note in the store what it brought, whether it went well, and why not."""
    before, began_at = observatory.traffic.total(account.name), observatory.store.now()
    try:
        report = copy()
    except DbtCloudError as error:
        is_rejected = isinstance(error, TokenRejected | AccessDenied)
        status = AccountStatus.REJECTED if is_rejected else AccountStatus.FAILING
        _note(observatory, account, before, began_at, status, str(error))
        raise
    except (StoreError, Stopping):
        raise
    except HeadwaterError as error:
        _note(observatory, account, before, began_at, AccountStatus.FAILING, str(error))
        raise
    _note(observatory, account, before, began_at, AccountStatus.CONNECTED, "", report)
    return report


def note_failure(observatory: Observatory, name: str, reason: str) -> None:
    """Note that a pass over an account broke off, where the accounts page shows it."""
    account = get_account(observatory, name)
    now = observatory.store.now()
    _note(observatory, account, observatory.traffic.total(name), now, AccountStatus.FAILING, reason)


def _note(
    observatory: Observatory,
    account: Account,
    before: tuple[int, int],
    began_at: datetime,
    status: AccountStatus,
    error: str,
    report: PassReport | None = None,
) -> None:
    now = observatory.store.now()
    requests, limited = observatory.traffic.total(account.name)
    with observatory.store.write() as tx:
        state = get_sync_state(tx, account.account_key)
        state = replace(
            state,
            last_attempt_at=now,
            last_success_at=state.last_success_at if error else now,
            last_error=error or None,
            failures=state.failures + 1 if error else 0,
        )
        save_sync_state(tx, account.account_key, state)
        add_requests(tx, account.account_key, requests - before[0], limited - before[1])
        brought = report or PassReport()
        log_pass(
            tx,
            account.account_key,
            SyncPass(
                began_at=began_at,
                ended_at=now,
                requests=requests - before[0],
                rate_limited=limited - before[1],
                runs_new=brought.runs_new,
                runs_updated=brought.runs_updated,
                artifacts_stored=brought.artifacts_stored,
                error=error or " ".join(brought.faults[:_FAULTS_LOGGED]),
            ),
        )
        if account.status is not status or account.last_error != error:
            save_connection(tx, account.account_key, status, error, now)
        if report is not None and (report.runs_new or report.runs_updated or report.artifacts_stored):
            raise_revision(tx, account.account_key)


@contextmanager
def _fan_out(
    observatory: Observatory,
) -> Iterator[Callable[[Callable[[int], Collected], Iterable[int]], Iterator[Collected]]]:
    """Collect several runs at the same time, giving them back in order and never holding more than are worked on."""
    workers = observatory.settings.dbt_cloud.parallel_requests
    pool = ThreadPoolExecutor(workers, thread_name_prefix="collect")

    def spread(collect: Callable[[int], Collected], run_ids: Iterable[int]) -> Iterator[Collected]:
        waiting = iter(run_ids)
        working = [pool.submit(collect, run_id) for run_id in islice(waiting, workers + 1)]
        while working:
            collected = working.pop(0).result()
            working += [pool.submit(collect, run_id) for run_id in islice(waiting, 1)]
            yield collected

    try:
        yield spread
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
