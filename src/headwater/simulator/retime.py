"""Recorded artifacts moved to the time of a simulated run, by bytes and not by JSON.

A recorded file is cut once at the places that differ between runs. Each run then fills these places
and joins: a manifest of 2 MB costs a join of a few thousand pieces.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headwater.simulator.times import from_micros, micros, read_moment

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?"
_NUMBER = rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_MOMENT = re.compile(rb'\s*"(' + _ISO + rb')"')
_SPAN = re.compile(rb"\s*(" + _NUMBER + rb")")
_SECOND = re.compile(rb"\s*(\d{9,10})(?=[.,}\s])")
_FRESHNESS = re.compile(
    rb'\s*"(?P<loaded>' + _ISO + rb')",\s*"snapshotted_at":\s*"(?P<snapshotted>' + _ISO
    + rb')",\s*"max_loaded_at_time_ago_in_s":\s*(?P<age>' + _NUMBER
    + rb')(?:,\s*"status":\s*"(?P<status>[a-z ]+)")?'
)  # fmt: skip
_MOMENT_KEYS = (
    b"generated_at",
    b"invocation_started_at",
    b"run_started_at",
    b"started_at",
    b"completed_at",
    b"snapshotted_at",
)
_SPAN_KEYS = (b"execution_time", b"elapsed_time")
WORDS = (
    b"__ACCOUNT_ID__",
    b"__PROJECT_ID__",
    b"__JOB_ID__",
    b"__ENVIRONMENT_ID__",
    b"__RUN_ID__",
    b"__RUN_REASON__",
    b"__RUN_REASON_CATEGORY__",
    b"__RUN_TRIGGER_CATEGORY__",
)
"""The placeholders that recordings carry."""
_INVOCATION = re.compile(rb'"invocation_id":\s*"([0-9a-f-]{36})"')
_LOG_TIME = re.compile(rb"(?m)^(?:\x1b\[0m)?(?P<clock>\d\d:\d\d:\d\d)(?P<fraction>\.\d{1,6})?")
_DAY_SECONDS = 86_400
_DAY = _DAY_SECONDS * 1_000_000


@dataclass(frozen=True, slots=True)
class Fill:
    """What one step of one run puts into the recorded files of that step."""

    recorded_at: int
    """When the recorded step began, in microseconds."""
    began_at: int
    stretch: float
    invocation_id: bytes
    words: Mapping[bytes, bytes]
    loaded_shift: int | None = None
    """How far the data of late sources is moved, when it is not with the step: no new data comes."""

    def at(self, recorded: int) -> int:
        """The simulated time of a recorded one; nothing of a step lies before its begin."""
        return self.began_at + max(0, round((recorded - self.recorded_at) * self.stretch))


class _Slot(Protocol):
    def render(self, fill: Fill) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Word:
    word: bytes

    def render(self, fill: Fill) -> bytes:
        return fill.words.get(self.word, self.word)


@dataclass(frozen=True, slots=True)
class _Invocation:
    def render(self, fill: Fill) -> bytes:
        return fill.invocation_id


@dataclass(frozen=True, slots=True)
class _Form:
    """How a time was written: its separator, digits of fraction and zone."""

    separator: str
    digits: int
    zone: str

    @classmethod
    def of(cls, text: bytes) -> "_Form":
        rest = text[19:].decode()
        zone = "Z" if rest.endswith("Z") else "+00:00" if rest[-6:-5] in ("+", "-") else ""
        return cls(text[10:11].decode(), len(rest.removesuffix(zone)), zone)

    def write(self, value: int) -> bytes:
        text = from_micros(value).isoformat(self.separator, "microseconds")[:26]
        return (text[: 19 + self.digits].ljust(19 + self.digits, "0") + self.zone).encode()


@dataclass(frozen=True, slots=True)
class _Moment:
    recorded: int
    form: _Form

    def render(self, fill: Fill) -> bytes:
        return self.form.write(fill.at(self.recorded))


@dataclass(frozen=True, slots=True)
class _Second:
    """The whole seconds of dbt's `created_at`; a fraction, which tells the nodes apart, stays."""

    recorded: int

    def render(self, fill: Fill) -> bytes:
        after = self.recorded - fill.recorded_at // 1_000_000
        # Recorders flatten it to one constant, far from the run: then it is the begin of the step.
        return b"%d" % (fill.began_at // 1_000_000 + (after if 0 <= after < _DAY_SECONDS else 1))


@dataclass(frozen=True, slots=True)
class _Span:
    seconds: float

    def render(self, fill: Fill) -> bytes:
        return repr(self.seconds * fill.stretch).encode()


@dataclass(frozen=True, slots=True)
class _Loaded:
    recorded: int
    snapshotted: int
    form: _Form
    is_late: bool

    def at(self, fill: Fill) -> int:
        if fill.loaded_shift is not None and self.is_late:
            return self.recorded + fill.loaded_shift
        return self.recorded + fill.at(self.snapshotted) - self.snapshotted

    def render(self, fill: Fill) -> bytes:
        return self.form.write(self.at(fill))


@dataclass(frozen=True, slots=True)
class _Age:
    loaded: _Loaded

    def render(self, fill: Fill) -> bytes:
        return repr((fill.at(self.loaded.snapshotted) - self.loaded.at(fill)) / 1_000_000).encode()


@dataclass(frozen=True, slots=True)
class _Clock:
    """The time of day at the head of a log line."""

    recorded: int
    digits: int

    def render(self, fill: Fill) -> bytes:
        moment = from_micros(fill.at(self.recorded))
        fraction = f".{moment.microsecond:06d}"[: self.digits + 1] if self.digits else ""
        return f"{moment:%H:%M:%S}{fraction}".encode()


@dataclass(frozen=True, slots=True)
class Template:
    """A recorded file cut at the places to fill."""

    parts: tuple[bytes | memoryview, ...]
    holes: tuple[tuple[_Slot, tuple[int, ...]], ...]

    def fill(self, fill: Fill) -> bytes:
        """The file as this run's step wrote it."""
        parts = list(self.parts)
        for slot, positions in self.holes:
            value = slot.render(fill)
            for position in positions:
                parts[position] = value
        return b"".join(parts)


class _Cutter:
    """Collects the constant pieces and the holes of one file."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._end = 0
        self._parts: list[bytes | memoryview] = []
        self._holes: dict[_Slot, list[int]] = {}

    def hole(self, span: tuple[int, int], slot: _Slot) -> None:
        self._parts += (self._data[self._end : span[0]], b"")
        self._holes.setdefault(slot, []).append(len(self._parts) - 1)
        self._end = span[1]

    def done(self) -> Template:
        self._parts.append(self._data[self._end :])
        return Template(tuple(self._parts), tuple((slot, tuple(at)) for slot, at in self._holes.items()))


def cut_artifact(view: memoryview) -> Template:
    """Cut a dbt artifact at its times, spans, invocation id and placeholders."""
    data = bytes(view)
    places: list[tuple[tuple[int, int], _Slot]] = []
    for key in _MOMENT_KEYS:
        places += ((m.span(1), _Moment(_micros(m[1]), _Form.of(m[1]))) for m in _values(data, key, _MOMENT))
    for key in _SPAN_KEYS:
        places += ((found.span(1), _Span(float(found[1]))) for found in _values(data, key, _SPAN))
    places += ((m.span(1), _Second(int(m[1]))) for m in _values(data, b"created_at", _SECOND))
    for found in _values(data, b"max_loaded_at", _FRESHNESS):
        text = found["loaded"]
        loaded = _Loaded(_micros(text), _micros(found["snapshotted"]), _Form.of(text), found["status"] == b"error")
        places += ((found.span("loaded"), loaded), (found.span("age"), _Age(loaded)))
    for word in WORDS:
        places += ((span, _Word(word)) for span in _spans(data, word))
    invocation = _INVOCATION.search(data)
    if invocation:
        places += ((span, _Invocation()) for span in _spans(data, invocation[1]))
    cutter = _Cutter(view)
    for span, slot in sorted(places, key=lambda place: place[0]):
        cutter.hole(span, slot)
    return cutter.done()


def _spans(data: bytes, literal: bytes) -> Iterator[tuple[int, int]]:
    """Where a literal stands; a plain search goes through a manifest a hundred times faster than a pattern."""
    begin = data.find(literal)
    while begin >= 0:
        end = begin + len(literal)
        yield begin, end
        begin = data.find(literal, end)


def _values(data: bytes, key: bytes, value: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """The values of a JSON key; the same text inside a string has its quotes escaped and is passed by."""
    for _begin, end in _spans(data, b'"' + key + b'":'):
        found = value.match(data, end)
        if found:
            yield found


def cut_log(data: memoryview, began_at: datetime) -> Template:
    """Cut a dbt log at the times of day that begin its lines; they count on from the step's begin."""
    start = micros(began_at)
    cutter = _Cutter(data)
    for found in _LOG_TIME.finditer(data):
        hours, minutes, seconds = (int(part) for part in found["clock"].split(b":"))
        fraction = found["fraction"] or b""
        of_day = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + int(fraction[1:].ljust(6, b"0") or 0)
        after = (of_day - start) % _DAY
        recorded = start + (after if after < _DAY // 2 else after - _DAY)
        # Whole seconds may lie up to one second before the step's own begin.
        end = found.end("fraction") if fraction else found.end("clock")
        cutter.hole((found.start("clock"), end), _Clock(max(recorded, start), max(0, len(fraction) - 1)))
    return cutter.done()


def _micros(text: bytes) -> int:
    return micros(read_moment(text.decode()))
