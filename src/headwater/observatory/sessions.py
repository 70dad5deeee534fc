"""One-time login links and sessions, kept as hashes only. A session has the role that its user has at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headwater.errors import WrongUse
from headwater.model.secret import Secret
from headwater.observatory.access import NOTE_AFTER, Caller, Role, hash_secret, make_secret, note_use
from headwater.observatory.audit import COMMAND_LINE, Actor, note
from headwater.observatory.limits import find_keys
from headwater.store import access as kept
from headwater.store import users as people

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from headwater.observatory.holder import Observatory
    from headwater.store.rows import User

LINK_LIFETIME = timedelta(minutes=15)
INVITATION_LIFETIME = timedelta(days=1)
SESSION_LIFETIME = timedelta(days=7)
SESSION_IDLE = timedelta(hours=12)
FRESH = timedelta(minutes=10)
"""How long after proving who one is one may change who may come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """Where somebody is logged in; `last_seen_at` is right to a minute."""

    began_at: datetime
    last_seen_at: datetime
    address: str
    is_this: bool


FIRST_ADMIN = "admin"
"""What the user is called whom the first login link creates."""


def create_login_link(observatory: Observatory, name: str | None = None, *, by: Actor = COMMAND_LINE) -> Secret:
    """Create a link that logs somebody in once, within a quarter of an hour, and give its secret.

    Without a name it is for the admin who is there longest; the first link of all creates that admin.

    Raises:
        NotKnown: there is no such user.
        WrongUse: the user is disabled.
    """
    return _create_link(observatory, name, LINK_LIFETIME, by)


def create_invitation(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> Secret:
    """Create a link for somebody who has no password yet: as a login link, but good for a day; raises the same."""
    return _create_link(observatory, name, INVITATION_LIFETIME, by)


def _create_link(observatory: Observatory, name: str | None, lifetime: timedelta, by: Actor) -> Secret:
    secret, now = make_secret(), observatory.store.now()
    with observatory.store.write() as tx:
        user = _get_first_admin(observatory, tx, now, by) if name is None else people.get_user(tx, name)
        if user.disabled_at is not None:
            raise WrongUse(f"{user.name} is disabled.", hint=f"Run 'headwater user enable {user.name}' first.")
        kept.save_login_link(tx, hash_secret(secret), user=user.name, now=now, expires_at=now + lifetime)
        note(observatory, tx, by, "login link created", user.name, now=now)
    return Secret(secret)


def _get_first_admin(observatory: Observatory, tx: Connection, now: datetime, by: Actor) -> User:
    people.lock_users(tx)
    user = people.find_first_admin(tx)
    if user is None:
        user = people.add_user(tx, FIRST_ADMIN, role=Role.ADMIN, now=now)
        note(observatory, tx, by, "user added", user.name, now=now, detail=user.role)
    return user


def needs_first_login(observatory: Observatory) -> bool:
    """Whether no admin can come in but by a link."""
    with observatory.store.read() as tx:
        users = people.list_users(tx)
    admins = (user for user in users if user.role == Role.ADMIN and user.disabled_at is None)
    return not any(user.has_password or user.issuer for user in admins)


def redeem_link(observatory: Observatory, secret: str, *, address: str = "", replaces: str = "") -> Secret | None:
    """Use a link up and give the secret of a new session; None where the link lets nobody in.

    `replaces` is the secret of the session there was before, which ends.
    """
    now = observatory.store.now()
    with observatory.store.write() as tx:
        name = kept.claim_login_link(tx, hash_secret(secret), now)
        user = None if name is None else people.find_user(tx, name)
        if user is None or user.disabled_at is not None:
            return None
        session = begin_session(tx, user.name, now=now, proved_at=now, address=address, replaces=replaces)
        note(observatory, tx, Actor(name=user.name, address=address), "logged in", user.name, now=now, detail="link")
    return session


def begin_session(
    tx: Connection, user: str, *, now: datetime, proved_at: datetime | None, address: str, replaces: str = ""
) -> Secret:
    """Begin a session and give its secret; the one it replaces ends."""
    session = make_secret()
    kept.delete_expired_access(tx, now)
    if replaces:
        kept.delete_session(tx, hash_secret(replaces))
    kept.save_session(
        tx,
        hash_secret(session),
        user=user,
        now=now,
        expires_at=now + SESSION_IDLE,
        proved_at=proved_at,
        address=address,
    )
    people.change_user(tx, user, last_login_at=now)
    return Secret(session)


def find_session(observatory: Observatory, secret: str) -> Caller | None:
    """Find who is logged in; a session ends when it was idle for long, and at the latest after a week."""
    now, session_hash = observatory.store.now(), hash_secret(secret)
    with observatory.store.read() as tx:
        session = kept.find_session(tx, session_hash, now)
        # What an admin administers is one whole: a limit sleeps while somebody is one.
        is_limited = session is not None and session.user.role != Role.ADMIN
        limit = session.user.accounts if session is not None and is_limited else None
        keys = find_keys(tx, limit)
    if session is None:
        return None
    if now - session.last_seen_at > NOTE_AFTER:
        expires_at = min(now + SESSION_IDLE, session.created_at + SESSION_LIFETIME)
        note_use(observatory, lambda tx: kept.note_session_use(tx, session_hash, now, expires_at))
    user = session.user
    return Caller(
        name=user.name,
        role=Role(user.role),
        is_person=True,
        is_fresh=session.proved_at is not None and now - session.proved_at <= FRESH,
        has_password=user.has_password,
        issuer=user.issuer,
        accounts=limit,
        account_keys=keys,
    )


def list_sessions(observatory: Observatory, name: str, secret: str = "") -> tuple[SessionSummary, ...]:
    """List where a user is logged in, the one used last first; `secret` is that of the session that asks.

    Raises:
        NotKnown: there is no such user.
    """
    now, asking = observatory.store.now(), hash_secret(secret)
    with observatory.store.read() as tx:
        sessions = kept.list_sessions(tx, people.get_user(tx, name), now)
    return tuple(
        SessionSummary(
            began_at=session.created_at,
            last_seen_at=session.last_seen_at,
            address=session.address,
            is_this=session.session_hash == asking,
        )
        for session in sessions
    )


def end_session(observatory: Observatory, secret: str, *, by: Actor) -> None:
    """End a session."""
    now = observatory.store.now()
    with observatory.store.write() as tx:
        kept.delete_session(tx, hash_secret(secret))
        note(observatory, tx, by, "logged out", by.name, now=now)


def end_sessions(observatory: Observatory, *, by: Actor) -> None:
    """Log somebody out everywhere, here too."""
    now = observatory.store.now()
    with observatory.store.write() as tx:
        people.delete_access_of(tx, by.name)
        note(observatory, tx, by, "logged out everywhere", by.name, now=now)
