"""How observations of one run merge, and who supplied which field; pure, and the same in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater.model.run import Run, RunStep, Trigger, Way

Told = str | int
"""What a source supplies: a field of the run, a field of its trigger (`trigger_cause`), or a step by its index."""

_PLAIN = tuple(one.name for one in fields(Run) if one.name not in {"run_id", "trigger", "steps"})
_TRIGGER = tuple(one.name for one in fields(Trigger))
_RANK = {way: rank for rank, way in enumerate((Way.INGEST, Way.SDK, Way.WEBHOOK, Way.POLL))}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO = -(10**18)
_REST = "*"


@dataclass(frozen=True, slots=True)
class Source:
    """Who supplied a field: by which way, at which update of dbt Cloud's, and whether the run was over by then."""

    way: Way
    micros: int | None
    is_finished: bool


_NOBODY = Source(Way.POLL, None, False)


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A run as one or several observations have it, and the source of everything that is known of it."""

    run: Run
    sources: Mapping[Told, Source] = field(default_factory=dict)


def observe(run: Run, way: Way) -> ObservedRun:
    """Give what one observation tells; its time is dbt Cloud's time of update, else that of the run's end."""
    moment = run.updated_at or (run.finished_at if run.is_finished else None)
    micros = None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
    source = Source(way, micros, run.is_finished)
    told: dict[Told, Any] = {}
    for step in run.steps:
        known = told.get(step.index)
        told[step.index] = step if known is None else _later(step.index, (step, source), (known, source))[0]
    told |= _values(replace(run, steps=()))
    return ObservedRun(_build(run.run_id, told), dict.fromkeys(told, source))


def merge_runs(one: ObservedRun, other: ObservedRun) -> ObservedRun:
    """Merge what is known of one run; commutative, associative and idempotent.

    Each field is that of the observation which dbt Cloud updated last among those that tell it. At the same update a
    finished state goes before an open one, then poll before webhook before sdk before ingest. So a terminal status
    gives way only to one that dbt Cloud updated later. Of a step's logs the longest is kept.
    """
    mine, others = _values(one.run), _values(other.run)
    told: dict[Told, Any] = {}
    sources: dict[Told, Source] = {}
    for name in mine.keys() | others.keys():
        if name not in others:
            told[name], sources[name] = mine[name], one.sources[name]
        elif name not in mine:
            told[name], sources[name] = others[name], other.sources[name]
        else:
            told[name], sources[name] = _later(
                name, (mine[name], one.sources[name]), (others[name], other.sources[name])
            )
    return ObservedRun(_build(one.run.run_id, told), sources)


def pack_sources(sources: Mapping[Told, Source]) -> dict[str, list[Told]]:
    """Pack who supplied what: the source of most fields says `*`, the others name theirs; steps are always named."""
    by_source: dict[Source, list[Told]] = {}
    for name, source in sources.items():
        by_source.setdefault(source, []).append(name)
    most = max(by_source, key=lambda source: (_count_fields(by_source[source]), _rank(source)), default=None)
    packed: dict[str, list[Told]] = {}
    for source in sorted(by_source, key=_rank):
        names = by_source[source]
        steps = sorted(name for name in names if isinstance(name, int))
        words = [_REST] if source == most else sorted(name for name in names if isinstance(name, str))
        packed[f"{source.way} {'' if source.micros is None else source.micros} {source.is_finished:d}"] = [
            *words,
            *steps,
        ]
    return packed


def unpack_sources(packed: Mapping[str, list[Told]], run: Run) -> dict[Told, Source]:
    """Give who supplied what, from what `pack_sources` gave for this run.

    What stands there without a source, from before sources were kept, gives way to anything.
    """
    sources: dict[Told, Source] = {}
    rest = _NOBODY
    for text, names in packed.items():
        way, micros, is_finished = text.split(" ")
        source = Source(Way(way), int(micros) if micros else None, is_finished == "1")
        rest = source if _REST in names else rest
        sources |= {name: source for name in names if name != _REST}
    for name in _values(run):
        sources.setdefault(name, rest if isinstance(name, str) else _NOBODY)
    return sources


def _count_fields(names: list[Told]) -> int:
    return sum(isinstance(name, str) for name in names)


def _values(run: Run) -> dict[Told, Any]:
    """Give what is told: nothing that is None, and artifacts_saved only where it is so."""
    told: dict[Told, Any] = {}
    for name in _PLAIN:
        value = getattr(run, name)
        if value is not None and value is not False:
            told[name] = value
    if run.trigger is not None:
        for name in _TRIGGER:
            value = getattr(run.trigger, name)
            if value is not None:
                told[f"trigger_{name}"] = value
    for step in run.steps:
        told[step.index] = step
    return told


def _build(run_id: int, told: Mapping[Told, Any]) -> Run:
    trigger = {name: told[f"trigger_{name}"] for name in _TRIGGER if f"trigger_{name}" in told}
    steps = tuple(told[index] for index in sorted(name for name in told if isinstance(name, int)))
    plain = {name: told[name] for name in _PLAIN if name in told}
    return Run(run_id=run_id, trigger=Trigger(**trigger) if trigger else None, steps=steps, **plain)


def _later(name: Told, one: tuple[Any, Source], other: tuple[Any, Source]) -> tuple[Any, Source]:
    if isinstance(name, str):
        return max(one, other, key=lambda told: (*_rank(told[1]), told[0]))
    step, source = max(one, other, key=_step_rank)
    log = max(one[0].log, other[0].log, key=lambda text: (len(text or ""), text or ""))
    return (step if step.log == log else replace(step, log=log)), source


def _rank(source: Source) -> tuple[int, bool, int]:
    return (_LONG_AGO if source.micros is None else source.micros, source.is_finished, _RANK[source.way])


def _step_rank(told: tuple[RunStep, Source]) -> tuple[Any, ...]:
    step, source = told
    micros, is_finished, way = _rank(source)
    times = tuple((at is not None, at or _EPOCH) for at in (step.started_at, step.finished_at))
    return (micros, step.status.is_finished, is_finished, way, times, step.status, step.name, step.command or "")
