"""Passwords: argon2id with the least cost that OWASP names, 19 MiB, two passes, one lane."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from headwater.errors import WrongUse

if TYPE_CHECKING:
    from headwater.model.secret import Secret

SHORTEST = 12
_LONGEST = 256
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: Secret, user: str) -> str:
    """Give what is kept of a password.

    Raises:
        WrongUse: it is too short, too long, or the user's name.
    """
    text = _normalise(password.reveal())
    if not SHORTEST <= len(text) <= _LONGEST:
        raise WrongUse(f"A password has {SHORTEST} to {_LONGEST} characters.", hint="Several words make a good one.")
    if user.casefold() in text.casefold() and len(text) < len(user) + SHORTEST:
        raise WrongUse("This password is mostly the user's name.", hint="Several words make a good one.")
    return _HASHER.hash(text)


def is_password(kept: str | None, password: str) -> bool:
    """Whether this is the password; where none is kept it takes as long to say no."""
    try:
        return _HASHER.verify(kept or _hash_of_nobody(), _normalise(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with another cost than today's."""
    return _HASHER.check_needs_rehash(kept)


def hash_again(password: str) -> str:
    """Give what is kept of a password that was just found to be right."""
    return _HASHER.hash(_normalise(password))


@cache
def _hash_of_nobody() -> str:
    return _HASHER.hash("the password of nobody")


def _normalise(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
