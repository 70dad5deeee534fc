"""Who may come in: API tokens, one-time login links, sessions. Only hashes are kept of what lets somebody in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update

from headwater.errors import NotKnown, WrongUse
from headwater.store.rows import ApiToken, Session
from headwater.store.schema import api_tokens, login_links, sessions
from headwater.store.values import clean_key

_TOKEN = [column for column in api_tokens.c if column.name != "token_hash"]
_SESSION = [column for column in sessions.c if column.name != "session_hash"]


def save_api_token(
    tx: Connection,
    name: str,
    *,
    role: str,
    token_hash: bytes,
    prefix: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Keep a new API token.

    Raises:
        WrongUse: a token that is not revoked has this name.
    """
    known = api_tokens.c.name == clean_key(name)
    tx.execute(delete(api_tokens).where(known & api_tokens.c.revoked_at.is_not(None)))
    if tx.execute(select(api_tokens.c.name).where(known)).first() is not None:
        raise WrongUse(f"There is a token {name} already.", hint="Take another name, or revoke it first.")
    facts = {"name": name, "role": role, "token_hash": token_hash, "prefix": prefix, "created_at": now}
    tx.execute(insert(api_tokens).values(**facts, expires_at=expires_at))


def find_api_token(tx: Connection, token_hash: bytes, now: datetime) -> ApiToken | None:
    """Find the token with this hash, if it lets in now."""
    valid = api_tokens.c.revoked_at.is_(None) & _before(now, api_tokens.c.expires_at)
    row = tx.execute(select(*_TOKEN).where((api_tokens.c.token_hash == token_hash) & valid)).first()
    return None if row is None else _token(row)


def note_token_use(tx: Connection, name: str, now: datetime) -> None:
    """Note that a token was used."""
    tx.execute(update(api_tokens).where(api_tokens.c.name == clean_key(name)).values(last_used_at=now))


def list_api_tokens(tx: Connection) -> list[ApiToken]:
    """List the tokens by name, revoked ones included."""
    return [_token(row) for row in tx.execute(select(*_TOKEN).order_by(api_tokens.c.name))]


def revoke_api_token(tx: Connection, name: str, now: datetime) -> None:
    """Let a token in no more.

    Raises:
        NotKnown: there is none of this name, or it was revoked before.
    """
    here = (api_tokens.c.name == clean_key(name)) & api_tokens.c.revoked_at.is_(None)
    if tx.execute(update(api_tokens).where(here).values(revoked_at=now)).rowcount == 0:
        raise NotKnown(f"There is no token {name} to revoke.", hint="headwater token list shows them.")


def save_login_link(tx: Connection, link_hash: bytes, *, role: str, now: datetime, expires_at: datetime) -> None:
    """Keep a link that lets one person in once."""
    tx.execute(insert(login_links).values(link_hash=link_hash, role=role, created_at=now, expires_at=expires_at))


def claim_login_link(tx: Connection, link_hash: bytes, now: datetime) -> str | None:
    """Use a link up and give its role; None where it was used, has expired or never was."""
    links = login_links.c
    usable = (links.link_hash == link_hash) & links.used_at.is_(None) & (links.expires_at > now)
    claimed = update(login_links).where(usable).values(used_at=now).returning(links.role)
    role: str | None = tx.execute(claimed).scalar()
    return role


def save_session(
    tx: Connection, session_hash: bytes, *, role: str, name: str, now: datetime, expires_at: datetime
) -> None:
    """Keep a new session."""
    facts = {"session_hash": session_hash, "role": role, "name": name, "created_at": now, "last_seen_at": now}
    tx.execute(insert(sessions).values(**facts, expires_at=expires_at))


def find_session(tx: Connection, session_hash: bytes, now: datetime) -> Session | None:
    """Find a session that has not expired."""
    here = (sessions.c.session_hash == session_hash) & (sessions.c.expires_at > now)
    row = tx.execute(select(*_SESSION).where(here)).first()
    return None if row is None else Session(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def note_session_use(tx: Connection, session_hash: bytes, now: datetime, expires_at: datetime) -> None:
    """Note that a session was used, and until when it lasts now."""
    here = sessions.c.session_hash == session_hash
    tx.execute(update(sessions).where(here).values(last_seen_at=now, expires_at=expires_at))


def delete_session(tx: Connection, session_hash: bytes) -> None:
    """End a session."""
    tx.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


def delete_expired_access(tx: Connection, now: datetime) -> None:
    """Forget links and sessions that let nobody in any more."""
    tx.execute(delete(sessions).where(sessions.c.expires_at <= now))
    tx.execute(delete(login_links).where(login_links.c.expires_at <= now))


def _before(now: datetime, end: Any) -> ColumnElement[bool]:
    return or_(end.is_(None), end > now)


def _token(row: Any) -> ApiToken:
    return ApiToken(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
