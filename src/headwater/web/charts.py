"""The geometry of the charts: from counts and times to shapes. Across in percent of the width, down in pixels.

Percent lets the server draw once for every width of window, without text that stretches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from headwater.observatory.sentences import say_span
from headwater.web.words import STACKING, look_of, say_count, say_day, say_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.observatory.reports import ExecutionSummary, RunBar, StepSummary

PLOT_HEIGHT = 144
LEAST_PIECE = 2.0
LANE_HEIGHT = 22
LEAST_WIDTH = 0.08
MOST_BLOCKS = 800
_ORDINARY_WIDTH = 960
_CHARACTER_WIDTH = 6.2
_Timed: TypeAlias = "tuple[ExecutionSummary, datetime, datetime]"
_STEPS = (3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 5 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The part of a bar that one status takes."""

    status: str
    count: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bucket; `title` is what hovering says. The last one may still be filling."""

    x: float
    width: float
    slot_x: float
    slot_width: float
    starts_at: datetime
    ends_at: datetime
    total: int
    counts: dict[str, int]
    title: str
    pieces: tuple[Piece, ...]
    is_filling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label on an axis, at its place."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Stacked bars over time with their axes."""

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    levels: tuple[Mark, ...]
    height: float = PLOT_HEIGHT


def draw_bars(buckets: Sequence[RunBar], bucket_seconds: int, now: datetime) -> Bars:
    """Draw runs over time: one bar a bucket, errors at the foot; a bucket that has not ended is marked."""
    if not buckets:
        return Bars(bars=(), marks=(), levels=())
    highest = max(sum(bucket.runs.values()) for bucket in buckets)
    top, step = _scale(highest)
    slot = 100 / len(buckets)
    span = timedelta(seconds=bucket_seconds)
    bars = tuple(
        _bar(bucket, bucket.starts_at + span, now, slot * index, slot, PLOT_HEIGHT / top)
        for index, bucket in enumerate(buckets)
    )
    first, last = buckets[0].starts_at, buckets[-1].starts_at + span
    levels = tuple(
        Mark(at=PLOT_HEIGHT * (1 - level / top), label=f"{level:,}") for level in range(0, top + 1, step) if highest
    )
    return Bars(bars=bars, marks=mark_times(first, last), levels=levels)


def _bar(bucket: RunBar, ends_at: datetime, now: datetime, x: float, slot: float, scale: float) -> Bar:
    pieces: list[Piece] = []
    foot = float(PLOT_HEIGHT)
    known = [status for status in STACKING if bucket.runs.get(status)]
    for status in (*known, *sorted(status for status, count in bucket.runs.items() if count and status not in known)):
        height = max(bucket.runs[status] * scale, LEAST_PIECE)
        foot -= height
        pieces.append(Piece(status=status, count=bucket.runs[status], y=round(foot, 2), height=round(height, 2)))
    total = sum(bucket.runs.values())
    is_filling = bucket.starts_at <= now < ends_at
    said = ", ".join(f"{piece.count:,} {piece.status}" for piece in pieces)
    title = f"{say_bucket(bucket.starts_at, ends_at)}: {say_count(total, 'run')}{': ' + said if said else ''}"
    return Bar(
        x=round(x + slot * 0.11, 3),
        width=round(slot * 0.78, 3),
        slot_x=round(x, 3),
        slot_width=round(slot, 3),
        starts_at=bucket.starts_at,
        ends_at=ends_at,
        total=total,
        counts=bucket.runs,
        title=f"{title}; still filling" if is_filling else title,
        pieces=tuple(pieces),
        is_filling=is_filling,
    )


def say_bucket(starts_at: datetime, ends_at: datetime) -> str:
    """Say a bucket of time: 20 Nov 06:00–12:00, or the day where it is a day."""
    start, end = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    if end - start == timedelta(days=1) and start.hour == start.minute == 0:
        return say_day(start)
    until = f"{end:%H:%M}" if end - start <= timedelta(days=1) else f"{say_day(end)} {end:%H:%M}"
    return f"{say_day(start)} {start:%H:%M}–{until}"


def _scale(highest: int) -> tuple[int, int]:
    """Give the top of an axis and the step of its levels, whole and round, in three steps at most."""
    if highest <= 0:
        return 1, 1
    step = next(factor * 10**power for power in range(20) for factor in (1, 2, 5) if highest <= 3 * factor * 10**power)
    return -(-highest // step) * step, step


def mark_times(first: datetime, last: datetime, most: int = 7) -> tuple[Mark, ...]:
    """Mark whole hours or days between two times."""
    whole = (last - first).total_seconds()
    if whole <= 0:
        return ()
    step = next((step for step in _STEPS if whole / step <= most), _STEPS[-1])
    at = -(-first.timestamp() // step) * step
    marks: list[Mark] = []
    while at < last.timestamp():
        moment = datetime.fromtimestamp(at, tz=UTC)
        label = f"{moment:%H:%M}" if step < 86_400 and moment.hour else say_day(moment)
        marks.append(Mark(at=round((at - first.timestamp()) / whole * 100, 3), label=label))
        at += step
    return tuple(marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An execution on its lane; `wait` is the hollow part before it executed, in percent of the block."""

    x: float
    y: float
    width: float
    wait: float
    look: str
    label: str
    title: str
    is_critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """The executions of a step on a time axis: one lane a thread. `hidden` counts the shortest, left out of a crowd.

    `said` is how many threads there were and how much of the time they had something to do.
    """

    title: str
    said: str
    lanes: tuple[Mark, ...]
    blocks: tuple[Block, ...]
    marks: tuple[Mark, ...]
    height: float
    hidden: int


def draw_gantts(
    executions: Sequence[ExecutionSummary], steps: Sequence[StepSummary], now: datetime
) -> tuple[Gantt, ...]:
    """Draw the executions of each step that has some with a time; what runs still ends now."""
    names = {step.index: f"Step {step.index}: {step.name}" for step in steps}
    timed: dict[int | None, list[_Timed]] = {}
    for item in executions:
        if item.started_at is not None:
            timed.setdefault(item.step_index, []).append((item, item.started_at, item.finished_at or now))
    ordered = sorted(timed, key=lambda index: min(start for _, start, _ in timed[index]))
    return tuple(_gantt(names.get(index or 0, "Executions"), timed[index]) for index in ordered)


def _gantt(title: str, timed: list[_Timed]) -> Gantt:
    first = min(start for _, start, _ in timed)
    whole = max((max(end for _, _, end in timed) - first).total_seconds(), 0.001)
    threads = sorted({item.thread or "" for item, _, _ in timed}, key=_natural)
    rows = {thread: LANE_HEIGHT * index for index, thread in enumerate(threads)}
    kept = sorted(timed, key=lambda entry: (entry[0].is_critical, entry[2] - entry[1]), reverse=True)[:MOST_BLOCKS]
    kept.sort(key=lambda entry: (entry[0].is_critical, entry[1]))
    busy = sum((end - start).total_seconds() for _, start, end in timed) / (whole * len(threads))
    return Gantt(
        title=title,
        said=f"{say_count(len(threads), 'thread')}, busy {say_share(min(busy, 1.0))} of {say_span(whole)}",
        lanes=tuple(Mark(at=rows[thread], label=thread or "no thread") for thread in threads),
        blocks=tuple(_block(entry, first, whole, rows[entry[0].thread or ""]) for entry in kept),
        marks=_mark_spans(whole),
        height=LANE_HEIGHT * len(threads),
        hidden=len(timed) - len(kept),
    )


def _block(entry: _Timed, first: datetime, whole: float, lane: float) -> Block:
    item, start, end = entry
    took = max((end - start).total_seconds(), 0.001)
    waited = max((item.executing_at - start).total_seconds(), 0.0) if item.executing_at is not None else 0.0
    width = round(max(took / whole * 100, LEAST_WIDTH), 3)
    said = f"{item.name}: {item.status}, {say_span(item.elapsed_seconds or took)}"
    wait = min(waited / took, 1.0)
    return Block(
        x=round((start - first).total_seconds() / whole * 100, 3),
        y=lane,
        width=width,
        wait=round(wait * 100, 1),
        look="error" if item.is_failed else look_of(item.status),
        label=fit(item.name, width * (1 - wait)),
        title=f"{said}; on the critical path" if item.is_critical else said,
        is_critical=item.is_critical,
    )


def fit(label: str, width: float) -> str:
    """Cut a label to what a shape holds that takes this much of a chart of ordinary width, in percent."""
    room = int((width / 100 * _ORDINARY_WIDTH - 8) / _CHARACTER_WIDTH)
    if len(label) <= room:
        return label
    return label[: room - 1] + "…" if room >= 5 else ""


def _mark_spans(whole: float) -> tuple[Mark, ...]:
    """Mark seconds, minutes or hours since the start."""
    sizes = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400)
    step = next((size for size in sizes if whole / size <= 6), max(sizes[-1], whole / 6))
    return tuple(
        Mark(at=round(index * step / whole * 100, 3), label=_since(index * step))
        for index in range(int(whole / step) + 1)
    )


def _since(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d}" if hours else f"{minutes}:{rest:02d}"


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Order names as people do: 2 before 10."""
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]{1,18})", name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One of a row of small bars, in pixels."""

    x: float
    y: float
    height: float
    look: str


def draw_strip(statuses: Sequence[str], height: int = 20) -> tuple[Tick, ...]:
    """Draw the last runs of a job, newest right: bad ones reach the full height, so that shape tells too."""
    shares = {"error": 1.0, "warn": 0.8, "success": 0.6, "unknown": 0.6, "skipped": 0.4, "running": 0.6, "queued": 0.4}
    return tuple(
        Tick(x=index * 6, y=round(height * (1 - shares[look]), 1), height=round(height * shares[look], 1), look=look)
        for index, look in enumerate(look_of(status) for status in statuses)
    )


def draw_spark(counts: Sequence[int], height: int = 20) -> tuple[Tick, ...]:
    """Draw counts as small bars on one scale; nothing stands where nothing was."""
    highest = max(counts, default=0)
    tall = [max(count / highest * height, 2) if count else 0 for count in counts]
    return tuple(
        Tick(x=index * 4, y=round(height - value, 1), height=round(value, 1), look="quiet")
        for index, value in enumerate(tall)
    )
