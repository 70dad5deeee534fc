"""How old the data of many nodes are, asked together: what `provenance` tells of each, with few questions of the past.

A relation is as old as the oldest it was made from; a seed, which seldom changes, counts only where nothing else is
known. So the ages of parents give that of a child, and each relation at each time is looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Held(NamedTuple):
    """What a node held at a time; `is_read` where a table read it then, and not who asks."""

    node: int
    at: datetime
    is_read: bool


class Age(NamedTuple):
    """When the oldest data are from, seeds apart; None where that is not known."""

    made: datetime | None = None
    seeded: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """Give when the data are from."""
        return self.made or self.seeded


@dataclass(frozen=True, slots=True)
class AgeGraph:
    """Nodes by number: parents, and which are views or described, sources, and seeds."""

    parents: Sequence[Sequence[int]]
    read_through: Collection[int]
    sources: Collection[int]
    seeds: Collection[int]


AskPast = Callable[[Sequence[tuple[int, datetime]]], Sequence[datetime | None]]
"""Gives for each node and time when it was built last then, or of a source the newest row it had then."""

_UNKNOWN = Age()


def find_ages(
    asked: Iterable[int],
    now: datetime,
    graph: AgeGraph,
    known: MutableMapping[Held, Age],
    *,
    built_at: AskPast,
    loaded_at: AskPast,
) -> list[datetime | None]:
    """Give when the data of some nodes are from; what is worked out on the way is added to `known`.

    The past is asked at most twice for each level of the graph, however many nodes there are.
    """
    wanted = [Held(node, now, is_read=False) for node in asked]
    made_from: dict[Held, list[Held]] = {}
    wave = wanted
    while wave:
        fresh = [held for held in dict.fromkeys(wave) if held not in known and held not in made_from]
        sources = [held for held in fresh if held.node in graph.sources]
        _know_sources(sources, known, loaded_at)
        tables = [held for held in fresh if held not in known and not _is_read_through(graph, held.node)]
        times = dict(zip(tables, built_at([(held.node, held.at) for held in tables]), strict=True)) if tables else {}
        wave = []
        for held in fresh:
            if held not in known:
                found = _open(graph, held, times.get(held), known)
                made_from[held] = found
                wave += found
    _settle(wanted, made_from, known)
    return [known[held].at for held in wanted]


def _is_read_through(graph: AgeGraph, node: int) -> bool:
    return node in graph.read_through and bool(graph.parents[node])


def _know_sources(sources: Sequence[Held], known: MutableMapping[Held, Age], loaded_at: AskPast) -> None:
    """Know how old what sources held is: their newest row, else at most as old as the table that read it."""
    if not sources:
        return
    for held, at in zip(sources, loaded_at([(held.node, held.at) for held in sources]), strict=True):
        known[held] = Age(at or (held.at if held.is_read else None))


def _open(graph: AgeGraph, held: Held, built_at: datetime | None, known: MutableMapping[Held, Age]) -> list[Held]:
    """Give what a node was made from: a table read its parents when it was built, a view shows what they hold."""
    parents = graph.parents[held.node]
    if _is_read_through(graph, held.node):
        return [held._replace(node=parent) for parent in parents]
    if built_at is None:
        known[held] = _UNKNOWN
    elif not parents:
        known[held] = Age(seeded=built_at) if held.node in graph.seeds else Age(built_at)
    else:
        return [Held(parent, built_at, is_read=True) for parent in parents]
    return []


def _settle(wanted: Sequence[Held], made_from: dict[Held, list[Held]], known: MutableMapping[Held, Age]) -> None:
    """Work out the ages from the beginnings on; what is made from itself adds nothing to its age."""
    waiting, begun = list(wanted), set[Held]()
    while waiting:
        held = waiting[-1]
        missing = [one for one in made_from.get(held, ()) if one not in known and one not in begun]
        if held in known or not missing:
            if held not in known:
                known[held] = _oldest(known[one] for one in made_from[held] if one in known)
            waiting.pop()
        else:
            begun.add(held)
            waiting += missing


def _oldest(ages: Iterable[Age]) -> Age:
    made, seeded = None, None
    for age in ages:
        if age.made is not None and (made is None or age.made < made):
            made = age.made
        if age.seeded is not None and (seeded is None or age.seeded < seeded):
            seeded = age.seeded
    return Age(made, seeded)
