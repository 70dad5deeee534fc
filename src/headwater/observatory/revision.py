"""One number that tells open pages that what they show has changed."""

from __future__ import annotations

from sqlalchemy import Connection

from headwater.observatory.holder import Observatory
from headwater.store.accounts import read_revisions
from headwater.store.audit import count_events
from headwater.store.webhooks import list_heard


def get_revision(observatory: Observatory) -> int:
    """Give a number that is another one whenever runs, accounts, users, tokens or webhooks have changed."""
    with observatory.store.read() as tx:
        return read_revision(tx)


def read_revision(tx: Connection) -> int:
    """Read that number: what is stored of runs, what the audit log tells, and when webhooks were heard."""
    heard = sum(int(at.timestamp()) for at in list_heard(tx))
    return sum(read_revisions(tx).values()) + count_events(tx) + heard
