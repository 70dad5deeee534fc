"""Who may do what; API tokens, and what all secrets of ours have in common.

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

from headwater.errors import StoreError, WrongUse
from headwater.model.account import ANY_ORIGIN, AccountAddress
from headwater.model.secret import Secret
from headwater.observatory.audit import COMMAND_LINE, Actor, note
from headwater.observatory.limits import Limit, find_keys, name_limit, read_limit
from headwater.observatory.reports import TokenSummary
from headwater.store import access as kept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection

    from headwater.observatory.holder import Observatory
    from headwater.store.rows import ApiToken

NOTE_AFTER = timedelta(minutes=1)
"""Uses within this time of one another are noted once."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 32
_CHECK_LENGTH = 6
_TOKEN = re.compile(rf"(hw_[voai]_[0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECK_LENGTH}}})")
_PREFIX_LENGTH = 9
_LONGEST_NAME = 80


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
    """Who asks: an API token, or a person who is logged in.

    `is_fresh` is whether the person proved a moment ago who it is; `issuer` is the provider that vouches for it.
    `accounts` are those it has to do with alone, None for every one; `account_keys` are those of them that are known.
    """

    name: str
    role: Role
    is_person: bool = False
    is_fresh: bool = False
    has_password: bool = False
    issuer: str | None = None
    accounts: Limit = None
    account_keys: frozenset[int] | None = None


def create_token(
    observatory: Observatory,
    name: str,
    role: Role,
    *,
    lifetime: timedelta | None = None,
    accounts: Collection[str] | None = None,
    account_id: int | None = None,
    by: Actor = COMMAND_LINE,
) -> tuple[TokenSummary, Secret]:
    """Create an API token and give its secret, for the only time.

    With the names of `accounts` nothing is there for it but these. With an `account_id` it hands in runs of that dbt
    Cloud account only, connected or not.

    Raises:
        WrongUse: the name is none, a token that is not revoked has it, or such a token is not limited.
        NotKnown: there is no account of a name.
    """
    _check_limit(role, accounts, account_id)
    if not name.strip() or len(name) > _LONGEST_NAME or "/" in name:
        raise WrongUse("A token's name is up to 80 characters without a slash.", hint="Say what it is for: grafana.")
    secret, now = make_token(role), observatory.store.now()
    expires_at = now + lifetime if lifetime is not None else None
    prefix = secret[:_PREFIX_LENGTH]
    with observatory.store.write() as tx:
        limit: Limit = (AccountAddress(ANY_ORIGIN, account_id),) if account_id is not None else None
        if accounts is not None:
            limit = read_limit(tx, accounts)
        kept.save_api_token(
            tx,
            name,
            role=role,
            token_hash=hash_secret(secret),
            prefix=prefix,
            now=now,
            expires_at=expires_at,
            created_by=by.name,
            accounts=limit,
        )
        named = name_limit(tx, limit)
        detail = role if named is None else f"{role}, {', '.join(named)} only"
        note(observatory, tx, by, "token created", name, now=now, detail=detail)
    summary = TokenSummary(
        name=name,
        role=role,
        prefix=prefix,
        created_at=now,
        last_used_at=None,
        expires_at=expires_at,
        is_revoked=False,
        created_by=by.name,
        accounts=named,
    )
    return summary, Secret(secret)


def list_tokens(observatory: Observatory) -> tuple[TokenSummary, ...]:
    """List the API tokens by name, revoked ones included."""
    with observatory.store.read() as tx:
        return tuple(_summarise(tx, token) for token in kept.list_api_tokens(tx))


def revoke_token(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> None:
    """Let an API token in no more, from this moment.

    Raises:
        NotKnown: there is none of this name, or it was revoked before.
    """
    now = observatory.store.now()
    with observatory.store.write() as tx:
        kept.revoke_api_token(tx, name, now)
        note(observatory, tx, by, "token revoked", name, now=now)


def find_token(observatory: Observatory, secret: str) -> Caller | None:
    """Find who sends this API token; None where it lets nobody in."""
    if not is_token(secret):
        return None
    now = observatory.store.now()
    with observatory.store.read() as tx:
        token = kept.find_api_token(tx, hash_secret(secret), now)
        keys = find_keys(tx, token.accounts) if token is not None else None
    if token is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > NOTE_AFTER:
        note_use(observatory, lambda tx: kept.note_token_use(tx, token.name, now))
    return Caller(name=token.name, role=Role(token.role), accounts=token.accounts, account_keys=keys)


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


def note_use(observatory: Observatory, write: Callable[[Connection], None]) -> None:
    """Note a use. A database that cannot be written now is no reason to turn somebody away who may come in."""
    with suppress(StoreError), observatory.store.write() as tx:
        write(tx)


def _check_limit(role: Role, accounts: Collection[str] | None, account_id: int | None) -> None:
    if role is Role.ADMIN and accounts is not None:
        raise WrongUse("A token of the role admin is for every account.", hint="What it administers is one whole.")
    if account_id is not None and (role is not Role.INGEST or accounts is not None):
        raise WrongUse("The id of an account is for tokens of the role ingest.", hint="Name connected accounts.")


def _summarise(tx: Connection, token: ApiToken) -> TokenSummary:
    return TokenSummary(
        name=token.name,
        role=token.role,
        prefix=token.prefix,
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
        is_revoked=token.revoked_at is not None,
        created_by=token.created_by,
        accounts=name_limit(tx, token.accounts),
    )
