"""JSON that others wrote: take it apart as far as it goes, and note what could not be read."""

from __future__ import annotations

import gc
import json
import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar, get_type_hints

import msgspec
from msgspec import Raw

from headwater.errors import ArtifactUnreadable

Data: TypeAlias = bytes | bytearray | memoryview | mmap.mmap
"""The bytes of an artifact, in memory or mapped from a file."""

REFUSED: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What msgspec raises for JSON it will not take."""

NOTHING: Final = Raw()
"""A field that was not there."""

_LISTED_FAULTS = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONFLICT = re.compile(rb"^(?:<{7}|={7}|>{7})(?: |\r?$)", re.MULTILINE)

StructType = TypeVar("StructType", bound=msgspec.Struct)


class Faults:
    """Sentences about what could not be read: the first hundred, then how many more there were."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        """Note one fault."""
        if len(self._sentences) < _LISTED_FAULTS:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def listed(self) -> tuple[str, ...]:
        """Give the sentences, the last one saying how many were left out."""
        more = (f"{self._more} more faults are not listed.",) if self._more else ()
        return (*self._sentences, *more)


class Shape(Generic[StructType]):
    """The fields we read of one kind of JSON object; a field of another type than expected is noted and left out.

    `salvage` has for some fields what reads of such a field what can be read, with where it stands, and notes the rest.
    """

    def __init__(
        self, struct: type[StructType], salvage: Mapping[str, Callable[[Raw, str, Faults], object]] | None = None
    ) -> None:
        self._struct = struct
        self._salvage = salvage or {}
        hints = get_type_hints(struct)
        self._decode = msgspec.json.Decoder(struct).decode
        self._fields = {
            field.encode_name: (field.name, msgspec.json.Decoder(hints[field.name])) for field in _fields_of(struct)
        }

    def read(self, raw: Raw | Data, where: str, faults: Faults) -> StructType | None:
        """Give what could be read, or None (and a fault) where it is no JSON object at all."""
        try:
            return self._decode(raw)
        except REFUSED:
            return self._read_field_by_field(raw, where, faults)

    def _read_field_by_field(self, raw: Raw | Data, where: str, faults: Faults) -> StructType | None:
        try:
            found = split(raw)
        except REFUSED as refusal:
            faults.add(f"{where} could not be read and is left out: {refusal}.")
            return None
        kept: dict[str, Any] = {}
        for key, (name, decoder) in self._fields.items():
            if key not in found:
                continue
            try:
                kept[name] = decoder.decode(found[key])
            except REFUSED as refusal:
                if key in self._salvage:
                    kept[name] = self._salvage[key](found[key], where, faults)
                else:
                    faults.add(f"{where}: its {key} could not be read and is left out: {refusal}.")
        return self._struct(**kept)


def _fields_of(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


_split = msgspec.json.Decoder(dict[str, Raw]).decode
_split_list = msgspec.json.Decoder(list[Raw]).decode
_ABSENT = frozenset({b"", b"null"})


def split(raw: Raw | Data) -> dict[str, Raw]:
    """Take an object apart without decoding its values."""
    return _split(raw)


def section(raw: Raw, where: str, faults: Faults) -> dict[str, Raw]:
    """Give the entries of one object of an artifact; absent and null are empty, anything else is a fault."""
    if is_absent(raw):
        return {}
    try:
        return _split(raw)
    except REFUSED as refusal:
        faults.add(f"The section {where} could not be read and is left out: {refusal}.")
        return {}


def entries(raw: Raw, where: str, faults: Faults) -> list[Raw]:
    """Give the entries of one list of an artifact; absent and null are empty, anything else is a fault."""
    if is_absent(raw):
        return []
    try:
        return _split_list(raw)
    except REFUSED as refusal:
        faults.add(f"The list {where} could not be read and is left out: {refusal}.")
        return []


def is_absent(raw: Raw) -> bool:
    """Whether a field was not there or null."""
    return raw is NOTHING or (len(memoryview(raw)) <= 4 and bytes(raw) in _ABSENT)


def open_object(data: Data, called: str, faults: Faults) -> dict[str, Raw]:
    """Take a whole file apart into its top-level fields, or raise ArtifactUnreadable saying what it is instead.

    Half of a surrogate pair, which Python's json writes and msgspec refuses, is replaced and noted.
    """
    view: Data = data
    if bytes(data[:3]) == _BYTE_ORDER_MARK:
        view = memoryview(data)[3:]
    try:
        return _split(view)
    except REFUSED as refusal:
        return _split(_mend(bytes(view), called, refusal, faults))


def _mend(data: bytes, called: str, refusal: Exception, faults: Faults) -> bytes:
    """Write refused JSON again without half surrogates, or raise the reason why it cannot be read."""
    _refuse_what_is_no_json(data, called)
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as fault:
        _refuse_at(data, called, fault, len(text[: fault.pos].encode()))
    except _Constant as fault:
        at = _find_constant(data, str(fault))
        raise ArtifactUnreadable(
            f"The {called} holds {fault} at byte {at}, which is not JSON.",
            hint="Find the number that dbt wrote so (in a meta, a unit test or a seed) and make it a string or null.",
        ) from None
    except (RecursionError, ValueError) as fault:
        raise _unreadable(called, f"its nesting or its numbers go beyond any dbt file ({fault})") from None
    if not isinstance(value, dict):
        raise _unreadable(called, f"it holds a JSON {type(value).__name__}, not an object") from refusal
    faults.add("Characters that are half of a surrogate pair were replaced by a question mark.")
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


class _Constant(Exception):
    """NaN or an infinity stood where JSON wants a number."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Constant(name)


def _find_constant(data: bytes, name: str) -> int:
    found = re.search(rb"[:\[,]\s*" + re.escape(name.encode()) + rb"\b", data)
    return found.end() - len(name) if found else 0


def _refuse_what_is_no_json(data: bytes, called: str) -> None:
    """Raise where the first bytes already say what stands there instead of JSON."""
    start = data[:512].lstrip()
    if not start:
        what = "it is empty" if not data else "it holds nothing but white space"
        raise _unreadable(called, what, "dbt was stopped before it wrote the file; run the command again.")
    if start[:1] == b"<" and not start.startswith(b"<<<<<<<"):
        raise _unreadable(
            called, f"at byte 0 there is an HTML or XML page ({_shown(start)})", "Look for a proxy or a login page."
        )
    if start[:2] == b"\x1f\x8b":
        raise _unreadable(called, "it is compressed by gzip", "Unpack it first.")
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _unreadable(called, "it is UTF-16 text", "Save it as UTF-8.")


def _refuse_at(data: bytes, called: str, fault: json.JSONDecodeError, at: int) -> NoReturn:
    """Raise for JSON that breaks off or breaks at a byte."""
    conflict = _CONFLICT.search(data)
    if conflict:
        raise _unreadable(
            called, f"at byte {conflict.start()} there is a merge conflict marker", "Let dbt write the file again."
        ) from fault
    rest = data[at:].rstrip()
    if "Unterminated" in fault.msg or any(word.startswith(rest) for word in (b"null", b"true", b"false", b"-")):
        raise _unreadable(
            called, f"it breaks off at byte {len(data)}", "Fetch it again, or run the dbt command again."
        ) from fault
    raise _unreadable(called, f"it is not JSON at byte {at}, near {_shown(data[at : at + 40])}: {fault.msg}") from fault


def _unreadable(called: str, what: str, hint: str = "") -> ArtifactUnreadable:
    return ArtifactUnreadable(f"The {called} cannot be read: {what}.", hint=hint or "Let dbt write the file again.")


def _shown(data: bytes) -> str:
    return repr(data[:40].decode("utf-8", "replace"))


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking what is being built (half of the time otherwise); put it back as it was."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
