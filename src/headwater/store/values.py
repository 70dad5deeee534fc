# ruff: noqa: ARG002 - the signatures are SQLAlchemy's
"""How Python values are kept in both databases alike: times, spans, text that any encoding can hold, JSON."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INT64 = 2**63
LONGEST_KEY = 500
"""Characters of a text that is part of a key."""


def to_micros(time: datetime | None) -> int | None:
    """Give a time as microseconds since 1970, UTC; a naive one counts as UTC."""
    if time is None:
        return None
    since = (time if time.tzinfo is not None else time.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int | None) -> datetime | None:
    """Give the time that `to_micros` was given."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def span_to_micros(span: timedelta | None) -> int | None:
    """Give a span as microseconds, None where 63 bits do not hold it."""
    return None if span is None else clean_number(span // _MICROSECOND)


def span_from_micros(micros: int | None) -> timedelta | None:
    """Give the span that `span_to_micros` was given."""
    return None if micros is None else timedelta(microseconds=micros)


def clean_text(text: str | None) -> str | None:
    """Replace what a database cannot hold, U+0000 and lone surrogates, with U+FFFD."""
    if text is None or text.isascii():
        return text if text is None or "\x00" not in text else text.replace("\x00", "\ufffd")
    return _UNSTORABLE.sub("\ufffd", text)


def clean_key(text: str) -> str:
    """Clean a text that is part of a key; a very long one ends in a hash, because an index has a longest entry."""
    cleaned = clean_text(text) or ""
    if len(cleaned) <= LONGEST_KEY:
        return cleaned
    return f"{cleaned[: LONGEST_KEY - 33]}#{hashlib.blake2b(cleaned.encode(), digest_size=16).hexdigest()}"


def clean_number(number: int | None) -> int | None:
    """Drop a number that 63 bits and a sign do not hold."""
    return number if number is None or -_INT64 <= number < _INT64 else None


def clean_deep(value: Any) -> Any:
    """Clean every text inside lists and dictionaries."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean_deep(inner) for key, inner in value.items()}
    return [clean_deep(inner) for inner in value] if isinstance(value, list | tuple) else value


def to_json(value: Any) -> str:
    """Write JSON that is the same for the same value, in ASCII."""
    return json.dumps(clean_deep(value), sort_keys=True, separators=(",", ":"))


class Instant(TypeDecorator[datetime]):
    """An aware time, as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Give what is stored."""
        return to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Give what was meant."""
        return from_micros(value)


class Span(TypeDecorator[timedelta]):
    """A span of time, as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Give what is stored."""
        return span_to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        """Give what was meant."""
        return span_from_micros(None if value is None else int(value))


class Number(TypeDecorator[int]):
    """A 64-bit number; one that does not fit is dropped."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Give what is stored."""
        return clean_number(value)


class Words(TypeDecorator[str]):
    """Text from elsewhere, without what a database cannot hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Give what is stored."""
        return clean_text(value)


class Key(TypeDecorator[str]):
    """Text that is part of a key or an index."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Give what is stored."""
        return None if value is None else clean_key(value)


class Json(TypeDecorator[Any]):
    """A small document that no query looks into."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Give what is stored."""
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Give what was meant."""
        return None if value is None else json.loads(value)
