"""Who may come in: API tokens, one-time login links, sessions. Only hashes are kept of what lets somebody in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headwater.errors import NotKnown, WrongUse
from headwater.model.account import AccountAddress
from headwater.store.rows import ApiToken, Session, User
from headwater.store.schema import api_tokens, login_links, login_tries, sessions
from headwater.store.users import find_user, read_accounts, to_accounts
from headwater.store.values import clean_key

_TOKEN = [column for column in api_tokens.c if column.name != "token_hash"]
_DAY = timedelta(days=1)


def save_api_token(
    tx: Connection,
    name: str,
    *,
    role: str,
    token_hash: bytes,
    prefix: str,
    now: datetime,
    expires_at: datetime | None = None,
    created_by: str = "",
    accounts: Collection[AccountAddress] | None = None,
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
    facts |= {"expires_at": expires_at, "created_by": created_by, "accounts": to_accounts(accounts)}
    tx.execute(insert(api_tokens).values(**facts))


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


def list_tokens_of(tx: Connection, creator: str, now: datetime) -> list[str]:
    """List the names of the tokens that somebody created and that let in now."""
    here = (api_tokens.c.created_by == clean_key(creator)) & api_tokens.c.revoked_at.is_(None)
    found = select(api_tokens.c.name).where(here & _before(now, api_tokens.c.expires_at)).order_by(api_tokens.c.name)
    return list(tx.execute(found).scalars())


def revoke_api_token(tx: Connection, name: str, now: datetime) -> None:
    """Let a token in no more.

    Raises:
        NotKnown: there is none of this name, or it was revoked before.
    """
    here = (api_tokens.c.name == clean_key(name)) & api_tokens.c.revoked_at.is_(None)
    if tx.execute(update(api_tokens).where(here).values(revoked_at=now)).rowcount == 0:
        raise NotKnown(f"There is no token {name} to revoke.", hint="headwater token list shows them.")


def save_login_link(tx: Connection, link_hash: bytes, *, user: str, now: datetime, expires_at: datetime) -> None:
    """Keep a link that lets one person in once."""
    tx.execute(insert(login_links).values(link_hash=link_hash, user_name=user, created_at=now, expires_at=expires_at))


def claim_login_link(tx: Connection, link_hash: bytes, now: datetime) -> str | None:
    """Use a link up and give whom it lets in; None where it was used, has expired or never was."""
    links = login_links.c
    usable = (links.link_hash == link_hash) & links.used_at.is_(None) & (links.expires_at > now)
    claimed = update(login_links).where(usable).values(used_at=now).returning(links.user_name)
    user: str | None = tx.execute(claimed).scalar()
    return user


def save_session(
    tx: Connection,
    session_hash: bytes,
    *,
    user: str,
    now: datetime,
    expires_at: datetime,
    proved_at: datetime | None,
    address: str = "",
) -> None:
    """Keep a new session."""
    facts = {"session_hash": session_hash, "user_name": user, "created_at": now, "last_seen_at": now}
    facts["address"] = address
    tx.execute(insert(sessions).values(**facts, expires_at=expires_at, proved_at=proved_at))


def find_session(tx: Connection, session_hash: bytes, now: datetime) -> Session | None:
    """Find a session that has not expired, of somebody who may come in, with the role of this moment."""
    here = (sessions.c.session_hash == session_hash) & (sessions.c.expires_at > now)
    row = tx.execute(select(sessions).where(here)).first()
    user = None if row is None else find_user(tx, row.user_name)
    if row is None or user is None or user.disabled_at is not None:
        return None
    return _session(row, user)


def list_sessions(tx: Connection, user: User, now: datetime) -> list[Session]:
    """List where a user is logged in, the one used last first."""
    here = (sessions.c.user_name == clean_key(user.name)) & (sessions.c.expires_at > now)
    newest_first = sessions.c.last_seen_at.desc(), sessions.c.created_at.desc(), sessions.c.session_hash
    return [_session(row, user) for row in tx.execute(select(sessions).where(here).order_by(*newest_first))]


def note_session_use(tx: Connection, session_hash: bytes, now: datetime, expires_at: datetime) -> None:
    """Note that a session was used, and until when it lasts now."""
    here = sessions.c.session_hash == session_hash
    tx.execute(update(sessions).where(here).values(last_seen_at=now, expires_at=expires_at))


def delete_session(tx: Connection, session_hash: bytes) -> None:
    """End a session."""
    tx.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


def count_sessions(tx: Connection, user: str, now: datetime) -> int:
    """Count where a user is logged in."""
    here = (sessions.c.user_name == clean_key(user)) & (sessions.c.expires_at > now)
    return int(tx.execute(select(func.count()).select_from(sessions).where(here)).scalar_one())


def count_try(tx: Connection, tries_of: bytes, now: datetime, window: timedelta) -> int:
    """Count one more try to log in and give how many there were since the window began, this one included."""
    new = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(login_tries)
    is_over = login_tries.c.began_at <= now - window
    counted = new.values(tries_of=tries_of, began_at=now, tries=1).on_conflict_do_update(
        index_elements=["tries_of"],
        set_={
            "tries": case((is_over, 1), else_=login_tries.c.tries + 1),
            "began_at": case((is_over, new.excluded.began_at), else_=login_tries.c.began_at),
        },
    )
    return int(tx.execute(counted.returning(login_tries.c.tries)).scalar_one())


def forget_tries(tx: Connection, tries_of: bytes) -> None:
    """Begin to count anew, because somebody got in."""
    tx.execute(delete(login_tries).where(login_tries.c.tries_of == tries_of))


def delete_expired_access(tx: Connection, now: datetime) -> None:
    """Forget links and sessions that let nobody in any more, and tries of yesterday."""
    tx.execute(delete(sessions).where(sessions.c.expires_at <= now))
    tx.execute(delete(login_links).where(login_links.c.expires_at <= now))
    tx.execute(delete(login_tries).where(login_tries.c.began_at <= now - _DAY))


def _before(now: datetime, end: Any) -> ColumnElement[bool]:
    return or_(end.is_(None), end > now)


def _session(row: Any, user: User) -> Session:
    return Session(
        session_hash=row.session_hash,
        user=user,
        address=row.address,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        proved_at=row.proved_at,
    )


def _token(row: Any) -> ApiToken:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return ApiToken(**{**facts, "accounts": read_accounts(facts["accounts"])})
