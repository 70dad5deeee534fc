"""Which part of a lineage is drawn: levels around a node, one direction, what somebody opened; and groups as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from headwater.model.lineage import Direction


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of numbered nodes; what is not in `shown` is passed over, with its edges."""

    parents: Sequence[Sequence[int]]
    children: Sequence[Sequence[int]]
    shown: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is asked for: all where there is no focus; `more` are nodes whose neighbours are wanted too.

    `always` are nodes that are wanted however far away, as those of a cause path. No depth means all levels.
    """

    focus: int | None = None
    direction: Direction = Direction.BOTH
    depth: int | None = None
    more: frozenset[int] = frozenset()
    always: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What is drawn: nodes, or groups of them, each with its members; edges between them by their numbers here.

    `group_names` has None for a node that stands alone. `hidden_parents` and `hidden_children` count neighbours of a
    node that are not drawn.
    """

    members: tuple[tuple[int, ...], ...]
    group_names: tuple[str | None, ...]
    sources: tuple[int, ...]
    targets: tuple[int, ...]
    hidden_parents: tuple[int, ...]
    hidden_children: tuple[int, ...]


def reverse(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """Give the children of each node from the parents of each."""
    children: list[list[int]] = [[] for _ in parents]
    for node, others in enumerate(parents):
        for other in others:
            children[other].append(node)
    return children


def choose(graph: Graph, cut: Cut) -> list[int]:
    """Give the nodes that are wanted, in their order."""
    if cut.focus is None:
        return [node for node, is_shown in enumerate(graph.shown) if is_shown]
    chosen = {cut.focus}
    if cut.direction.is_up:
        chosen |= reach(graph.parents, graph.shown, cut.focus, cut.depth)
    if cut.direction.is_down:
        chosen |= reach(graph.children, graph.shown, cut.focus, cut.depth)
    for node in cut.more:
        chosen |= {node, *graph.parents[node], *graph.children[node]}
    return sorted(node for node in chosen | cut.always if graph.shown[node] or node == cut.focus)


def reach(near: Sequence[Sequence[int]], shown: Sequence[int], start: int, depth: int | None) -> set[int]:
    """Give what is so many steps or fewer away in one direction, without the start."""
    found = {start}
    frontier = [start]
    while frontier and (depth is None or depth > 0):
        frontier = [other for other in {*chain.from_iterable(near[node] for node in frontier)} if shown[other]]
        frontier = [other for other in frontier if other not in found]
        found.update(frontier)
        depth = None if depth is None else depth - 1
    return found - {start}


def gather(graph: Graph, chosen: Iterable[int], group_of: Mapping[int, str]) -> Excerpt:
    """Draw the chosen nodes; those that `group_of` names a group for are drawn as one with the rest of the group."""
    things: dict[int | str, list[int]] = {}
    for node in chosen:
        things.setdefault(group_of.get(node, node), []).append(node)
    if group_of:  # a group stands where its nodes stand on the average
        things = dict(sorted(things.items(), key=lambda thing: sum(thing[1]) / len(thing[1])))
    number = [-1] * len(graph.parents)
    for place, members in enumerate(things.values()):
        for node in members:
            number[node] = place
    edges: dict[tuple[int, int], None] = {}
    for place, members in enumerate(things.values()):
        for node in members:
            for parent in graph.parents[node]:
                source = number[parent]
                if source >= 0 and source != place:
                    edges[source, place] = None
    is_hidden = bytes([is_shown and at < 0 for is_shown, at in zip(graph.shown, number, strict=True)])
    return Excerpt(
        members=tuple(map(tuple, things.values())),
        group_names=tuple(key if isinstance(key, str) else None for key in things),
        sources=tuple(source for source, _ in edges),
        targets=tuple(target for _, target in edges),
        hidden_parents=_count_hidden(graph.parents, things, is_hidden),
        hidden_children=_count_hidden(graph.children, things, is_hidden),
    )


def _count_hidden(
    near: Sequence[Sequence[int]], things: Mapping[int | str, Sequence[int]], is_hidden: bytes
) -> tuple[int, ...]:
    if not any(is_hidden):
        return (0,) * len(things)
    return tuple(
        0 if isinstance(key, str) else sum([is_hidden[other] for other in {*near[members[0]]}])
        for key, members in things.items()
    )
