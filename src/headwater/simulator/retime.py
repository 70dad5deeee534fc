"""Recorded artifacts moved to the time of a simulated run, by bytes and not by JSON.

A recorded file is cut once at the places that differ between runs. Each run then fills these places
and joins: a manifest of 2 MB costs a join of a few thousand pieces.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headwater.simulator.times import from_micros, micros, read_moment

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?"
_NUMBER = rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_MOMENT_KEYS = rb"generated_at|invocation_started_at|run_started_at|started_at|completed_at|snapshotted_at"
_PLACES = (
    rb'"max_loaded_at":\s*"(?P<loaded>' + _ISO + rb')",\s*"snapshotted_at":\s*"(?P<snapshotted>' + _ISO
    + rb')",\s*"max_loaded_at_time_ago_in_s":\s*(?P<age>' + _NUMBER + rb")"
    rb'|"(?:' + _MOMENT_KEYS + rb')":\s*"(?P<moment>' + _ISO + rb')"'
    rb'|"created_at":\s*(?P<second>\d{9,10})(?=[.,}\s])'
    rb'|"(?:execution_time|elapsed_time)":\s*(?P<span>' + _NUMBER + rb")"
    rb"|(?P<word>__[A-Z_]+?__)"
)  # fmt: skip
_INVOCATION = re.compile(rb'"invocation_id":\s*"([0-9a-f-]{36})"')
_LOG_TIME = re.compile(rb"(?m)^(?:\x1b\[0m)?(?P<clock>\d\d:\d\d:\d\d)(?P<fraction>\.\d{1,6})?")
_DAY = 86_400_000_000


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
    """How far sources' data is moved, when it is not with the step: a source that stays stale."""

    def at(self, recorded: int) -> int:
        """The simulated time of a recorded one."""
        return self.began_at + round((recorded - self.recorded_at) * self.stretch)


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
class _Moment:
    recorded: int
    like: bytes

    def render(self, fill: Fill) -> bytes:
        return _written(fill.at(self.recorded), self.like)


@dataclass(frozen=True, slots=True)
class _Second:
    """The whole seconds of dbt's `created_at`; its fraction, which tells the nodes apart, stays."""

    recorded: int

    def render(self, fill: Fill) -> bytes:
        return b"%d" % (self.recorded + (fill.began_at - fill.recorded_at) // 1_000_000)


@dataclass(frozen=True, slots=True)
class _Span:
    seconds: float

    def render(self, fill: Fill) -> bytes:
        return repr(self.seconds * fill.stretch).encode()


@dataclass(frozen=True, slots=True)
class _Loaded:
    recorded: int
    snapshotted: int
    like: bytes

    def at(self, fill: Fill) -> int:
        if fill.loaded_shift is not None:
            return self.recorded + fill.loaded_shift
        return self.recorded + fill.at(self.snapshotted) - self.snapshotted

    def render(self, fill: Fill) -> bytes:
        return _written(self.at(fill), self.like)


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


def cut_artifact(data: memoryview) -> Template:
    """Cut a dbt artifact at its times, spans, invocation id and placeholders."""
    invocation = _INVOCATION.search(data)
    places = _PLACES + (rb"|(?P<invocation>" + invocation.group(1) + rb")" if invocation else b"")
    cutter = _Cutter(data)
    for found in re.finditer(places, data):
        kind = found.lastgroup
        if kind == "age":
            loaded = _Loaded(_micros(found["loaded"]), _micros(found["snapshotted"]), found["loaded"])
            cutter.hole(found.span("loaded"), loaded)
            cutter.hole(found.span("snapshotted"), _Moment(loaded.snapshotted, found["snapshotted"]))
            cutter.hole(found.span("age"), _Age(loaded))
        elif kind == "moment":
            cutter.hole(found.span("moment"), _Moment(_micros(found["moment"]), found["moment"]))
        elif kind == "second":
            cutter.hole(found.span("second"), _Second(int(found["second"])))
        elif kind == "span":
            cutter.hole(found.span("span"), _Span(float(found["span"])))
        elif kind == "word":
            cutter.hole(found.span("word"), _Word(found["word"]))
        else:
            cutter.hole(found.span(), _Invocation())
    return cutter.done()


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


def _written(value: int, like: bytes) -> bytes:
    """A time in the form of another: the same separator, digits of fraction and zone."""
    moment = from_micros(value)
    separator = like[10:11].decode()
    rest = like[19:]
    zone = "Z" if rest.endswith(b"Z") else "+00:00" if rest[-6:-5] in (b"+", b"-") else ""
    digits = len(rest.removesuffix(zone.encode())) - 1
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits > 0 else ""
    return f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}{fraction}{zone}".encode()
