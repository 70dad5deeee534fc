"""What every answer of dbt Cloud has in common: the envelope, pages, records of which any field may be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from headwater.errors import AnswerUnreadable

Noun = TypeVar("Noun")
Record = TypeVar("Record", bound=msgspec.Struct)

Faults = list[str]
Reader = Callable[[msgspec.Raw, Faults], Noun | None]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
NULL = msgspec.Raw(b"null")
_SURROGATE = re.compile(rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)", re.DOTALL)
"""An escaped backslash, a whole surrogate pair, or (in the group) half of one."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Noun]):
    """One page of a list: what could be read, how many `received`, and the `total` of the whole list if it is said."""

    records: tuple[Noun, ...]
    received: int
    total: int | None = None


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = NULL
    extra: msgspec.Raw = NULL


class _Pagination(msgspec.Struct):
    total_count: Int64 | None = None


class _Extra(msgspec.Struct):
    pagination: msgspec.Raw = NULL


def read_page(body: bytes, read: Reader[Noun], faults: Faults, *, may_be_null: bool = False) -> Page[Noun]:
    """Read a list, item by item.

    Raises:
        AnswerUnreadable: it is not dbt Cloud's JSON, or no item of a whole page can be read.
    """
    envelope = _read_envelope(body, faults)
    if may_be_null and is_null(envelope.data):
        return Page(records=(), received=0, total=0)
    try:
        items = msgspec.json.decode(envelope.data, type=list[msgspec.Raw])
    except UNREADABLE:
        raise AnswerUnreadable("The answer holds no list.", hint=_hint(body)) from None
    found = [record for item in items if (record := read(item, faults)) is not None]
    if items and not found:
        raise AnswerUnreadable(f"None of the answer's {len(items)} records can be read.", hint=" ".join(faults[:1]))
    return Page(records=tuple(found), received=len(items), total=_read_total(envelope.extra))


def read_one(body: bytes, read: Reader[Noun], faults: Faults) -> Noun:
    """Read a single record.

    Raises:
        AnswerUnreadable: it is not dbt Cloud's JSON, or not a record with an id.
    """
    record = read(_read_envelope(body, faults).data, faults)
    if record is None:
        raise AnswerUnreadable("The record of the answer cannot be read.", hint=" ".join(faults[-1:]) or _hint(body))
    return record


def read_message(body: bytes) -> str:
    """Read what dbt Cloud says about an error, in one short line; empty where it says nothing readable."""
    try:
        answer = msgspec.json.decode(body)
        status = answer.get("status")
        said = (status.get("user_message") if isinstance(status, dict) else None) or answer.get("detail")
    except (*UNREADABLE, AttributeError):
        return ""
    line = "".join(letter if letter.isprintable() else " " for letter in said) if isinstance(said, str) else ""
    return " ".join(line.split())[:200]


def is_web_page(body: bytes) -> bool:
    """Tell whether a body is HTML: a login page, or a proxy's word."""
    return body[:256].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def read_record(raw: msgspec.Raw, shape: type[Record], where: str, faults: Faults) -> Record | None:
    """Read a record at once or, if that fails, field by field; null is None, another thing than an object a fault."""
    if is_null(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=shape, strict=False)
    except UNREADABLE:
        pass
    try:
        values = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        faults.append(f"{where}: not an object that can be read.")
        return None
    known: dict[str, Any] = {}
    for item in msgspec.structs.fields(shape):
        if item.encode_name in values:
            try:
                known[item.name] = msgspec.json.decode(values[item.encode_name], type=item.type, strict=False)
            except UNREADABLE:
                faults.append(f"{where}: {item.encode_name} has a form that is not known.")
    return shape(**known)


def is_null(raw: msgspec.Raw) -> bool:
    """Tell whether a value is null, or was not there."""
    return bytes(memoryview(raw)[:4]) == b"null"


def _read_envelope(body: bytes, faults: Faults) -> _Envelope:
    if is_web_page(body):
        raise AnswerUnreadable("dbt Cloud answered with a web page instead of JSON.", hint=_hint(body))
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except UNREADABLE:
        pass
    # A log that was cut in the middle of an emoji would otherwise make a whole page unreadable.
    mended = _SURROGATE.sub(lambda found: rb"\ufffd" if found.group(1) else found.group(0), body)
    if mended != body:
        try:
            envelope = msgspec.json.decode(mended, type=_Envelope)
        except UNREADABLE:
            pass
        else:
            faults.append("An answer held half a character; a replacement character stands in its place.")
            return envelope
    what = "something unreadable" if body.strip() else "an empty body"
    raise AnswerUnreadable(f"dbt Cloud answered with {what} instead of JSON.", hint=_hint(body))


def _hint(body: bytes) -> str:
    return "Is the account URL the one that dbt Cloud shows in the account settings?" if is_web_page(body) else ""


def _read_total(extra: msgspec.Raw) -> int | None:
    outer = read_record(extra, _Extra, "", []) or _Extra()
    return (read_record(outer.pagination, _Pagination, "", []) or _Pagination()).total_count
