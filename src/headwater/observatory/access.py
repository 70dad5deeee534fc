"""Who may do what: API tokens, one-time login links, sessions.

A secret is shown once and kept only as its SHA-256: it has 190 bits and more, so that a slow hash would add nothing.
An API token reads `hw_v_…`: the letter of its role, 32 random characters, and 6 that check the rest, so that programs
that look for leaked secrets tell it from noise without asking us.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from headwater.errors import StoreError
from headwater.model.secret import Secret
from headwater.observatory.reports import TokenSummary
from headwater.store import access as kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from headwater.observatory.holder import Observatory
    from headwater.store.rows import ApiToken

LINK_LIFETIME = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(days=7)
SESSION_IDLE = timedelta(hours=12)
_NOTE_AFTER = timedelta(minutes=1)
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 32
_CHECK_LENGTH = 6
_TOKEN = re.compile(rf"(hw_[voai]_[0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECK_LENGTH}}})")
_PREFIX_LENGTH = 9
_LINK_NAME = "login link"


class Role(StrEnum):
    """What a caller may do: read, also act, also administer; `ingest` hands in observations and reads nothing."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    INGEST = "ingest"

    def includes(self, least: Role) -> bool:
        """Whether somebody with this role may do what asks for `least`."""
        if Role.INGEST in {self, least}:
            return self is least
        return _LADDER.index(self) >= _LADDER.index(least)


_LADDER = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the name of a token or of whoever logged in, and the role."""

    name: str
    role: Role


def create_token(
    observatory: Observatory, name: str, role: Role, *, lifetime: timedelta | None = None
) -> tuple[TokenSummary, Secret]:
    """Create an API token and give its secret, for the only time.

    Raises:
        WrongUse: a token that is not revoked has this name.
    """
    secret, now = make_token(role), observatory.store.now()
    expires_at = now + lifetime if lifetime is not None else None
    prefix = secret[:_PREFIX_LENGTH]
    with observatory.store.write() as tx:
        kept.save_api_token(
            tx, name, role=role, token_hash=hash_secret(secret), prefix=prefix, now=now, expires_at=expires_at
        )
    summary = TokenSummary(
        name=name,
        role=role,
        prefix=prefix,
        created_at=now,
        last_used_at=None,
        expires_at=expires_at,
        is_revoked=False,
    )
    return summary, Secret(secret)


def list_tokens(observatory: Observatory) -> tuple[TokenSummary, ...]:
    """List the API tokens by name, revoked ones included."""
    with observatory.store.read() as tx:
        return tuple(_summarise(token) for token in kept.list_api_tokens(tx))


def revoke_token(observatory: Observatory, name: str) -> None:
    """Let an API token in no more, from this moment.

    Raises:
        NotKnown: there is none of this name, or it was revoked before.
    """
    now = observatory.store.now()
    with observatory.store.write() as tx:
        kept.revoke_api_token(tx, name, now)


def find_token(observatory: Observatory, secret: str) -> Caller | None:
    """Find who sends this API token; None where it lets nobody in."""
    if not is_token(secret):
        return None
    now = observatory.store.now()
    with observatory.store.read() as tx:
        token = kept.find_api_token(tx, hash_secret(secret), now)
    if token is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > _NOTE_AFTER:
        _note(observatory, lambda tx: kept.note_token_use(tx, token.name, now))
    return Caller(name=token.name, role=Role(token.role))


def create_login_link(observatory: Observatory, role: Role = Role.ADMIN) -> Secret:
    """Create a login link that works once, within a quarter of an hour, and give its secret."""
    secret, now = make_secret(), observatory.store.now()
    with observatory.store.write() as tx:
        kept.save_login_link(tx, hash_secret(secret), role=role, now=now, expires_at=now + LINK_LIFETIME)
    return Secret(secret)


def redeem_link(observatory: Observatory, secret: str) -> Secret | None:
    """Use a login link up and give the secret of a new session; None where the link lets nobody in."""
    session, now = make_secret(), observatory.store.now()
    with observatory.store.write() as tx:
        role = kept.claim_login_link(tx, hash_secret(secret), now)
        if role is None:
            return None
        kept.delete_expired_access(tx, now)
        expires_at = now + SESSION_IDLE
        kept.save_session(tx, hash_secret(session), role=role, name=_LINK_NAME, now=now, expires_at=expires_at)
    return Secret(session)


def find_session(observatory: Observatory, secret: str) -> Caller | None:
    """Find who is logged in; a session ends when it was idle for long, and at the latest after a week."""
    now, session_hash = observatory.store.now(), hash_secret(secret)
    with observatory.store.read() as tx:
        session = kept.find_session(tx, session_hash, now)
    if session is None:
        return None
    if now - session.last_seen_at > _NOTE_AFTER:
        expires_at = min(now + SESSION_IDLE, session.created_at + SESSION_LIFETIME)
        _note(observatory, lambda tx: kept.note_session_use(tx, session_hash, now, expires_at))
    return Caller(name=session.name, role=Role(session.role))


def end_session(observatory: Observatory, secret: str) -> None:
    """End a session."""
    with observatory.store.write() as tx:
        kept.delete_session(tx, hash_secret(secret))


def make_token(role: Role) -> str:
    """Make the secret of an API token."""
    body = f"hw_{role[0]}_{''.join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))}"
    return body + _check(body)


def is_token(text: str) -> bool:
    """Whether a text can be an API token at all: its shape and its check characters are right."""
    match = _TOKEN.fullmatch(text)
    return match is not None and _check(match[1]) == match[2]


def make_secret() -> str:
    """Make the secret of a login link or a session: 256 bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Give what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _check(body: str) -> str:
    number, characters = zlib.crc32(body.encode("ascii")), []
    for _ in range(_CHECK_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(reversed(characters))


def _note(observatory: Observatory, write: Callable[[Connection], None]) -> None:
    """Note a use. A database that cannot be written now is no reason to turn somebody away who may come in."""
    with suppress(StoreError), observatory.store.write() as tx:
        write(tx)


def _summarise(token: ApiToken) -> TokenSummary:
    return TokenSummary(
        name=token.name,
        role=token.role,
        prefix=token.prefix,
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
        is_revoked=token.revoked_at is not None,
    )
