"""Leases: who may do a thing for now. They save work that another does already; correctness never rests on them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store.schema import leases


def claim_lease(tx: Connection, name: str, holder: str, now: datetime, duration: timedelta) -> bool:
    """Win a lease that is free, expired or one's own, or do not."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    new = dialect.insert(leases).values(name=name, holder=holder, until=now + duration)
    free = or_(leases.c.until <= now, leases.c.holder == holder)
    changes = {"holder": new.excluded.holder, "until": new.excluded.until}
    claim = new.on_conflict_do_update(index_elements=["name"], set_=changes, where=free)
    return tx.execute(claim.returning(leases.c.holder)).first() is not None


def renew_lease(tx: Connection, name: str, holder: str, now: datetime, duration: timedelta) -> bool:
    """Hold a lease longer; False where it was lost to another in the meantime."""
    mine = (leases.c.name == name) & (leases.c.holder == holder)
    return tx.execute(update(leases).where(mine).values(until=now + duration)).rowcount == 1


def release_lease(tx: Connection, name: str, holder: str) -> None:
    """Give a lease back, if it is still one's own."""
    tx.execute(delete(leases).where((leases.c.name == name) & (leases.c.holder == holder)))


def find_lease_holder(tx: Connection, name: str, now: datetime) -> str | None:
    """Find who holds a lease now."""
    query = select(leases.c.holder).where((leases.c.name == name) & (leases.c.until > now))
    holder: str | None = tx.execute(query).scalar()
    return holder
