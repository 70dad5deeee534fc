"""The cheapest way back: what dbt should build again, and how long that should take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush

from headwater.model.lineage import NodeAddress

Edges = Mapping[NodeAddress, Sequence[NodeAddress]]

_LONGEST_LIST = 40
"""So many names are still a command that people can read; beyond, a selection with `+` is given though it is wider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Nodes for dbt's `--select` and `--exclude`: `with_below` as `name+`, `alone` and `excluded` by name."""

    with_below: tuple[NodeAddress, ...] = ()
    alone: tuple[NodeAddress, ...] = ()
    excluded: tuple[NodeAddress, ...] = ()


def select_rerun(
    wanted: Sequence[NodeAddress], below: Sequence[NodeAddress], parents: Edges, harmless: frozenset[NodeAddress]
) -> Selection:
    """Select what has to be built again in one project, and as little else as a short command can.

    `wanted` and `below` (all that is made from those, with themselves) are in topological order; `harmless` may be
    built or not, as views that only show what others hold.
    """
    chosen = set(wanted)
    has_above = _find_below(below, parents, chosen)
    first = [address for address in wanted if address not in has_above]
    has_below = {parent for address in has_above for parent in _above(address, parents, set(below))}
    extra = [address for address in below if address not in chosen and address not in harmless]
    if len(extra) > len(chosen) and len(chosen) <= _LONGEST_LIST:
        return Selection(alone=tuple(wanted))
    if len(extra) > _LONGEST_LIST:
        extra = []
    return Selection(
        with_below=tuple(address for address in first if address in has_below),
        alone=tuple(address for address in first if address not in has_below),
        excluded=tuple(extra),
    )


def estimate_time(
    nodes: Sequence[NodeAddress], parents: Edges, spans: Mapping[NodeAddress, timedelta], threads: int
) -> timedelta | None:
    """Estimate how long some nodes take, each after its parents, on so many threads; None where no span is known.

    `nodes` are in topological order. A node whose span is not known takes no time. A circle waits for nothing.
    """
    if not any(address in spans for address in nodes):
        return None
    place = {address: number for number, address in enumerate(nodes)}
    free = [0.0] * max(1, threads)
    ended: dict[NodeAddress, float] = {}
    for address in nodes:
        known = [ended[parent] for parent in parents.get(address, ()) if parent in place and parent in ended]
        start = max(heappop(free), *known) if known else heappop(free)
        ended[address] = start + (spans[address].total_seconds() if address in spans else 0.0)
        heappush(free, ended[address])
    return timedelta(seconds=max(ended.values()))


def _find_below(below: Iterable[NodeAddress], parents: Edges, chosen: set[NodeAddress]) -> set[NodeAddress]:
    """Find what of some nodes, in topological order, has a chosen one above it."""
    found: set[NodeAddress] = set()
    for address in below:
        if any(parent in chosen or parent in found for parent in parents.get(address, ())):
            found.add(address)
    return found


def _above(address: NodeAddress, parents: Edges, among: set[NodeAddress]) -> Iterable[NodeAddress]:
    return (parent for parent in parents.get(address, ()) if parent in among)
