"""Repeatable chance: each decision has a stream of its own, named, so that adding one moves no other."""

import hashlib
import random
import uuid


def stream(seed: int, *names: object) -> random.Random:
    """A random stream that depends on the seed and the names alone."""
    return random.Random(digest(seed, *names))


def digest(seed: int, *names: object) -> bytes:
    """Thirty-two bytes that depend on the seed and the names alone."""
    text = "\x1f".join(str(name) for name in (seed, *names))
    return hashlib.sha256(text.encode()).digest()


def hex_of(length: int, seed: int, *names: object) -> str:
    """A hexadecimal string of at most 64 characters, as of a commit or a token."""
    return digest(seed, *names).hex()[:length]


def uuid_of(seed: int, *names: object) -> str:
    """A version-4-shaped UUID, as dbt gives to an invocation."""
    return str(uuid.UUID(bytes=digest(seed, *names)[:16], version=4))
