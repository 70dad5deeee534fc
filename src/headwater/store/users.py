"""Users. What lets one in is kept as a hash, and is given to nobody but who checks it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from headwater.errors import NotKnown, WrongUse
from headwater.model.account import AccountAddress
from headwater.store.rows import User
from headwater.store.schema import login_links, sessions, users
from headwater.store.values import clean_key

_USER = [column for column in users.c if column.name != "password_hash"]
_HAS_PASSWORD = users.c.password_hash.is_not(None).label("has_password")


def lock_users(tx: Connection) -> None:
    """Let one transaction at a time change who is an admin; on SQLite the transaction has that already."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(1970496882)"))


def add_user(
    tx: Connection, name: str, *, role: str, now: datetime, issuer: str | None = None, subject: str | None = None
) -> User:
    """Keep a new user, whom nothing lets in yet, nor what let in somebody who had the name before.

    Raises:
        WrongUse: there is a user of this name.
    """
    if find_user(tx, name) is not None:
        raise WrongUse(f"There is a user {name} already.", hint="Take another name.")
    delete_access_of(tx, name)
    tx.execute(insert(users).values(name=name, role=role, issuer=issuer, subject=subject, created_at=now))
    return get_user(tx, name)


def find_user(tx: Connection, name: str) -> User | None:
    """Find a user by name."""
    return _first(tx, users.c.name == clean_key(name))


def find_user_of(tx: Connection, issuer: str, subject: str) -> User | None:
    """Find the user that a provider knows by this subject."""
    return _first(tx, (users.c.issuer == clean_key(issuer)) & (users.c.subject == clean_key(subject)))


def get_user(tx: Connection, name: str) -> User:
    """Get a user by name.

    Raises:
        NotKnown: there is none.
    """
    user = find_user(tx, name)
    if user is None:
        raise NotKnown(f"There is no user {name}.", hint="headwater user list shows them.")
    return user


def list_users(tx: Connection) -> list[User]:
    """List the users by name, disabled ones included."""
    return [_user(row) for row in tx.execute(select(*_USER, _HAS_PASSWORD).order_by(users.c.name))]


def find_password_hash(tx: Connection, name: str) -> str | None:
    """Find what is kept of a user's password; None where there is no user, or no password."""
    found: str | None = tx.execute(select(users.c.password_hash).where(users.c.name == clean_key(name))).scalar()
    return found


def change_user(tx: Connection, name: str, **facts: Any) -> None:
    """Change a user: role, password_hash, password_set_at, last_login_at, disabled_at, accounts as kept."""
    tx.execute(update(users).where(users.c.name == clean_key(name)).values(facts))


def delete_user(tx: Connection, name: str) -> None:
    """Forget a user with every session and link it had."""
    delete_access_of(tx, name)
    tx.execute(delete(users).where(users.c.name == clean_key(name)))


def delete_access_of(tx: Connection, name: str) -> None:
    """End every session of a user, and let no link in that was made for it."""
    tx.execute(delete(sessions).where(sessions.c.user_name == clean_key(name)))
    tx.execute(delete(login_links).where(login_links.c.user_name == clean_key(name)))


def count_admins(tx: Connection) -> int:
    """Count the admins who may come in."""
    here = (users.c.role == "admin") & users.c.disabled_at.is_(None)
    return int(tx.execute(select(func.count()).select_from(users).where(here)).scalar_one())


def find_first_admin(tx: Connection) -> User | None:
    """Find the admin who may come in and is there longest."""
    here = (users.c.role == "admin") & users.c.disabled_at.is_(None)
    row = tx.execute(select(*_USER, _HAS_PASSWORD).where(here).order_by(users.c.created_at, users.c.name)).first()
    return None if row is None else _user(row)


def _first(tx: Connection, here: Any) -> User | None:
    row = tx.execute(select(*_USER, _HAS_PASSWORD).where(here)).first()
    return None if row is None else _user(row)


def _user(row: Any) -> User:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return User(**{**facts, "accounts": read_accounts(facts["accounts"])})


def to_accounts(accounts: Collection[AccountAddress] | None) -> list[list[Any]] | None:
    """Give the accounts that somebody is limited to as they are kept."""
    return None if accounts is None else sorted([one.origin, one.account_id] for one in accounts)


def read_accounts(kept: list[list[Any]] | None) -> tuple[AccountAddress, ...] | None:
    """Read what `to_accounts` gave."""
    return None if kept is None else tuple(AccountAddress(origin, number) for origin, number in kept)
