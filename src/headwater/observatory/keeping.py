"""Retention: what is old goes, in small transactions."""

from __future__ import annotations

from datetime import timedelta

from headwater.observatory.holder import Observatory
from headwater.store.accounts import list_accounts
from headwater.store.inbox import delete_bodies_before
from headwater.store.retention import delete_before
from headwater.store.webhooks import delete_events_before

_AT_ONCE = 200
_EVENTS_KEPT = timedelta(days=2)
"""dbt Cloud repeats a delivery for some hours; one that is repeated later only lets its run be read again."""

_BODIES_KEPT = timedelta(days=30)
"""What could not be stored for a month will not be, whatever is put right meanwhile."""


def delete_expired(observatory: Observatory) -> int:
    """Delete finished runs older than `retention.runs_days`, old announcements and what could never be stored.

    Gives how many runs; what is left is told to the database's planner.
    """
    before = observatory.store.now() - timedelta(days=observatory.settings.retention.runs_days)
    with observatory.store.read() as tx:
        accounts = list_accounts(tx)
    with observatory.store.write() as tx:
        delete_events_before(tx, observatory.store.now() - _EVENTS_KEPT)
        delete_bodies_before(tx, observatory.store.now() - _BODIES_KEPT)
    total = 0
    for account in accounts:
        while True:
            with observatory.store.write() as tx:
                deleted = delete_before(tx, account.account_key, before, _AT_ONCE)
            total += deleted.runs
            if not deleted:
                break
    observatory.store.update_statistics()
    return total
