"""Users: who they are, what they may do, and how they come in."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headwater.errors import TooManyTries, WrongUse
from headwater.observatory.access import Role
from headwater.observatory.audit import COMMAND_LINE, NOBODY, Actor, note
from headwater.observatory.limits import name_limit, read_limit
from headwater.observatory.passwords import hash_again, hash_password, is_outdated, is_password
from headwater.observatory.sessions import begin_session
from headwater.store import access as kept
from headwater.store import users as people

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

    from headwater.model.secret import Secret
    from headwater.observatory.holder import Observatory
    from headwater.store.rows import User

TRIES_OF_ONE = 5
"""Times a minute a password may be tried from an address for a name."""

TRIES_OF_ADDRESS = 30
"""Times a minute a password may be tried from an address for any name."""

_WINDOW = timedelta(minutes=1)
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,79}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSummary:
    """A user; `signs_in_with` is `password`, the address of an OpenID provider, or `link` where there is neither.

    `tokens` are the API tokens it created that still let in, by name; `accounts` those it sees alone, None for all.
    """

    name: str
    role: str
    signs_in_with: str
    created_at: datetime
    last_login_at: datetime | None
    sessions: int
    is_disabled: bool
    tokens: tuple[str, ...]
    accounts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersReport:
    """Every user, by name."""

    users: tuple[UserSummary, ...]
    as_of: datetime


def read_name(text: str) -> str:
    """Read a user's name; capital letters mean the same as small ones.

    Raises:
        WrongUse: it is none.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise WrongUse(
            "A user's name is up to 80 letters a to z, digits and . _ @ + -, and begins with a letter or digit.",
            hint="A mail address will do.",
        )
    return name


def list_users(observatory: Observatory) -> UsersReport:
    """List the users by name, disabled ones included."""
    now = observatory.store.now()
    with observatory.store.read() as tx:
        users = tuple(_summarise(tx, user, now) for user in people.list_users(tx))
    return UsersReport(users=users, as_of=now)


def add_user(
    observatory: Observatory,
    name: str,
    role: Role,
    password: Secret | None = None,
    *,
    accounts: Collection[str] | None = None,
    by: Actor = COMMAND_LINE,
) -> UserSummary:
    """Add a user; without a password only an invitation lets it in, with `accounts` it sees those of these names alone.

    Raises:
        WrongUse: the name is taken or is none, the role is none of a person or is not limited, or the password is no
            good.
        NotKnown: there is no account of a name.
    """
    name, now = read_name(name), observatory.store.now()
    _check_role(role)
    password_hash = None if password is None else hash_password(password, name)
    with observatory.store.write() as tx:
        people.add_user(tx, name, role=role, now=now)
        if password_hash is not None:
            people.change_user(tx, name, password_hash=password_hash, password_set_at=now)
        note(observatory, tx, by, "user added", name, now=now, detail=role)
        if accounts is not None:
            _limit(observatory, tx, people.get_user(tx, name), accounts, by, now)
        return _summarise(tx, people.get_user(tx, name), now)


def set_role(observatory: Observatory, name: str, role: Role, *, by: Actor = COMMAND_LINE) -> None:
    """Give a user another role, and log it out everywhere.

    Raises:
        NotKnown: there is no such user.
        WrongUse: it is the last admin, its groups decide, or the role is none of a person.
    """
    _check_role(role)
    with _changing(observatory, name) as (tx, user, now):
        if user.issuer is not None:
            raise WrongUse(f"The role of {user.name} comes from its groups.", hint=f"Change them at {user.issuer}.")
        people.change_user(tx, user.name, role=role)
        people.delete_access_of(tx, user.name)
        note(observatory, tx, by, "role changed", user.name, now=now, detail=f"{user.role} to {role}")


def set_accounts(
    observatory: Observatory, name: str, accounts: Collection[str] | None, *, by: Actor = COMMAND_LINE
) -> None:
    """Limit a user to the accounts of these names, or to none with None, and log it out everywhere.

    Raises:
        NotKnown: there is no such user, or no account of a name.
        WrongUse: no account is named, or it is an admin, who sees every one.
    """
    with _changing(observatory, name) as (tx, user, now):
        _limit(observatory, tx, user, accounts, by, now)
        people.delete_access_of(tx, user.name)


def _limit(
    observatory: Observatory, tx: Connection, user: User, accounts: Collection[str] | None, by: Actor, now: datetime
) -> None:
    if user.role == Role.ADMIN and accounts is not None:
        raise WrongUse(f"{user.name} is an admin, who sees every account.", hint="Give it another role first.")
    limit = None if accounts is None else read_limit(tx, accounts)
    people.change_user(tx, user.name, accounts=people.to_accounts(limit))
    named = name_limit(tx, limit)
    detail = "every account" if named is None else ", ".join(named)
    note(observatory, tx, by, "accounts changed", user.name, now=now, detail=detail)


def disable_user(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> None:
    """Let a user in no more, from this moment; raises NotKnown, and WrongUse for the last admin."""
    with _changing(observatory, name) as (tx, user, now):
        people.change_user(tx, user.name, disabled_at=now)
        people.delete_access_of(tx, user.name)
        note(observatory, tx, by, "user disabled", user.name, now=now)


def enable_user(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> None:
    """Let a user in again; raises NotKnown."""
    with _changing(observatory, name) as (tx, user, now):
        people.change_user(tx, user.name, disabled_at=None)
        note(observatory, tx, by, "user enabled", user.name, now=now)


def remove_user(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> UserSummary:
    """Remove a user, whose sessions and links end; gives what it was.

    API tokens it created stay, since programs use them, and the audit log keeps its name. Whom an OpenID provider
    vouches for is added anew when it comes again: disable it instead.

    Raises:
        NotKnown: there is no such user.
        WrongUse: it is the last admin.
    """
    with _changing(observatory, name) as (tx, user, now):
        removed = _summarise(tx, user, now)
        people.delete_user(tx, user.name)
        note(observatory, tx, by, "user removed", user.name, now=now, detail=user.role)
    return removed


def set_password(observatory: Observatory, name: str, password: Secret, *, by: Actor = COMMAND_LINE) -> None:
    """Set a user's password, and log it out everywhere.

    Raises:
        NotKnown: there is no such user.
        WrongUse: the password is no good, or a provider vouches for the user.
    """
    name = read_name(name)
    password_hash = hash_password(password, name)
    with _changing(observatory, name) as (tx, user, now):
        if user.issuer is not None:
            raise WrongUse(f"{user.name} signs in at {user.issuer}.", hint="It has no password here.")
        people.change_user(tx, user.name, password_hash=password_hash, password_set_at=now)
        people.delete_access_of(tx, user.name)
        note(observatory, tx, by, "password set", user.name, now=now)


def change_password(observatory: Observatory, name: str, so_far: str, password: Secret, *, by: Actor) -> Secret:
    """Set one's own password against the one there is, if there is one; gives the secret of the one session left.

    Raises:
        WrongUse: the password so far is not right, or the new one is no good.
        TooManyTries: it was tried too often.
    """
    password_hash, now = hash_password(password, name), observatory.store.now()
    _count(observatory, name, by.address, now)
    with observatory.store.read() as tx:
        kept_hash = people.find_password_hash(tx, name)
    if kept_hash is not None and not is_password(kept_hash, so_far):
        raise WrongUse("The password so far is not right.")
    with _changing(observatory, name) as (tx, user, _):
        people.change_user(tx, user.name, password_hash=password_hash, password_set_at=now)
        people.delete_access_of(tx, user.name)
        session = begin_session(tx, user.name, now=now, proved_at=now, address=by.address)
        note(observatory, tx, by, "password set", user.name, now=now)
    return session


def log_in(
    observatory: Observatory, name: str, password: str, *, address: str = "", replaces: str = ""
) -> Secret | None:
    """Give the secret of a new session for a name and a password; None where they let nobody in.

    It takes as long for a name that nobody has. `replaces` is the secret of the session there was before.

    Raises:
        TooManyTries: there were too many from this address, for this name or in all.
    """
    name, now = name.strip().lower(), observatory.store.now()
    _count(observatory, name, address, now)
    with observatory.store.read() as tx:
        user, password_hash = people.find_user(tx, name), people.find_password_hash(tx, name)
    is_right = is_password(password_hash, password)
    with observatory.store.write() as tx:
        if not is_right or user is None or user.disabled_at is not None:
            known = user.name if user is not None else "a name nobody has"  # it may be a password in the wrong field
            note(observatory, tx, Actor(name=NOBODY, address=address), "login refused", known, now=now)
            return None
        kept.forget_tries(tx, _tries_of(address, name))
        if password_hash is not None and is_outdated(password_hash):
            people.change_user(tx, name, password_hash=hash_again(password))
        session = begin_session(tx, name, now=now, proved_at=now, address=address, replaces=replaces)
        note(observatory, tx, Actor(name=name, address=address), "logged in", name, now=now, detail="password")
    return session


def _count(observatory: Observatory, name: str, address: str, now: datetime) -> None:
    with observatory.store.write() as tx:
        of_one = kept.count_try(tx, _tries_of(address, name), now, _WINDOW)
        of_address = kept.count_try(tx, _tries_of(address), now, _WINDOW)
        if of_one == TRIES_OF_ONE + 1 or of_address == TRIES_OF_ADDRESS + 1:
            note(observatory, tx, Actor(name=NOBODY, address=address), "too many tries to log in", now=now)
    if of_one > TRIES_OF_ONE or of_address > TRIES_OF_ADDRESS:
        raise TooManyTries("Too many tries to log in.", hint="Wait a minute, then try again.")


def _tries_of(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).digest()


@contextmanager
def _changing(observatory: Observatory, name: str) -> Iterator[tuple[Connection, User, datetime]]:
    """Change a user in a transaction; it is undone where no admin who may come in would be left.

    Raises:
        NotKnown: there is no such user.
        WrongUse: it was the last admin.
    """
    now = observatory.store.now()
    with observatory.store.write() as tx:
        people.lock_users(tx)
        had = people.count_admins(tx)
        user = people.get_user(tx, read_name(name))
        yield tx, user, now
        if had and not people.count_admins(tx):
            raise WrongUse(f"{user.name} is the last admin.", hint="Make somebody else an admin first.")


def _check_role(role: Role) -> None:
    if role is Role.INGEST:
        raise WrongUse("The role ingest is for API tokens.", hint="People are viewer, operator or admin.")


def _summarise(tx: Connection, user: User, now: datetime) -> UserSummary:
    return UserSummary(
        name=user.name,
        role=user.role,
        signs_in_with=user.issuer or ("password" if user.has_password else "link"),
        created_at=user.created_at,
        last_login_at=user.last_login_at,
        sessions=kept.count_sessions(tx, user.name, now),
        is_disabled=user.disabled_at is not None,
        tokens=tuple(kept.list_tokens_of(tx, user.name, now)),
        accounts=None if user.role == Role.ADMIN else name_limit(tx, user.accounts),
    )
