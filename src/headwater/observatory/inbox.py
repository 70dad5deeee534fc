"""Taking what the SDK sends: kept and answered at once, stored right after, by whichever process comes to it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import partial

from sqlalchemy import Connection

from headwater.collect import CollectedRun, CollectedTarget, decode
from headwater.errors import HeadwaterError, NotAllowed, StoreBusy
from headwater.model.account import AccountAddress
from headwater.observatory.background import repeating
from headwater.observatory.collecting import receive
from headwater.observatory.holder import Observatory
from headwater.observatory.inbox_reports import AcceptReport, InboxFault, InboxReport
from headwater.observatory.limits import Limit, is_within, name_limit
from headwater.store import inbox as stored

MOST_WAITING = 1_000
"""Bodies that may wait; the SDK keeps further ones on its own disk, and sends them later."""

_SHOWN = 20
_DIED = "The process that stored it ended on the way."


def accept(observatory: Observatory, body: bytes, *, only: Limit = None) -> AcceptReport:
    """Keep what the SDK collected, in one small transaction; it is stored afterwards.

    With `only` nothing but runs of these accounts.

    Raises:
        NotAllowed: it is of another account, or of none; nothing is kept.
        ArtifactUnreadable: it is neither a collected run nor a target folder; nothing is kept.
        StoreError: it could not be kept, or too much waits; the SDK sends it again later.
    """
    collected = decode(body)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        if only is not None:
            _check_account(tx, collected, only)
        if stored.count_bodies(tx) >= MOST_WAITING:
            raise StoreBusy(f"{MOST_WAITING:,} collected runs wait to be stored.", hint="Send it again later.")
        is_new = stored.add_body(tx, hashlib.sha256(body).digest(), body, _say_what(collected), now)
    observatory.accepted.set()
    run_id = collected.run.run_id if isinstance(collected, CollectedRun) else None
    return AcceptReport(run_id=run_id, is_new=is_new, accepted_at=now)


def store_accepted(observatory: Observatory) -> int:
    """Store everything that was accepted and that no other process stores; gives how much was.

    What cannot be stored stays, with the reason, and does not stop the rest.

    Raises:
        StoreError: the database cannot be asked.
    """
    count = 0
    while (claimed := _claim(observatory)) is not None:
        count += _store(observatory, claimed)
    if count:
        observatory.store.checkpoint()
    return count


def storing_accepted(observatory: Observatory) -> AbstractContextManager[None]:
    """Store in a thread what this process or another accepts, as long as the context lasts."""
    return repeating("inbox", partial(store_accepted, observatory), observatory.accepted, looks=True)


def describe_inbox(tx: Connection) -> InboxReport:
    """Say what waits, and what could not be stored."""
    failing = stored.list_failing_bodies(tx, _SHOWN)
    return InboxReport(
        waiting=stored.count_bodies(tx),
        faults=tuple(
            InboxFault(
                what=body.what,
                accepted_at=body.accepted_at,
                attempts=body.attempts,
                due_at=body.due_at,
                error=body.last_error or _DIED,
            )
            for body in failing
        ),
    )


def _claim(observatory: Observatory) -> stored.ClaimedBody | None:
    now = observatory.store.now()
    with observatory.store.read() as tx:
        if not stored.has_due_body(tx, now):
            return None
    with observatory.store.write() as tx:
        return stored.claim_body(tx, now)


def _store(observatory: Observatory, claimed: stored.ClaimedBody) -> bool:
    """Store a body and take it out; one that breaks us is noted, and must not stop those behind it."""
    try:
        receive(observatory, claimed.body, claimed.accepted_at)
    except HeadwaterError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever is in it, the others go on
        reason = f"It broke off ({type(error).__name__})."
    else:
        with observatory.store.write() as tx:
            stored.delete_body(tx, claimed.body_hash)
        return True
    with observatory.store.write() as tx:
        stored.note_body_error(tx, claimed.body_hash, reason)
    return False


def _check_account(tx: Connection, collected: CollectedRun | CollectedTarget, only: Collection[AccountAddress]) -> None:
    if isinstance(collected, CollectedTarget) or not is_within(tx, only, collected.address):
        named = ", ".join(name_limit(tx, tuple(only)) or ())
        raise NotAllowed(
            f"This token hands in runs of {named} only; this is {_say_what(collected)}.",
            hint="Make one for this account, or for all: 'headwater token create NAME --role ingest'.",
        )


def _say_what(collected: CollectedRun | CollectedTarget) -> str:
    if isinstance(collected, CollectedTarget):
        return "a dbt target folder"
    return f"run {collected.run.run_id} of account {collected.address.account_id} at {collected.address.origin}"
