"""The lineage: which node is made from which, as numbers and lists of numbers, so that 50,000 nodes are quick.

Bad graphs are answered, not refused: a parent that is no node is `dangling`, nodes that are made from themselves are
`cycles`, and every question ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from headwater.model.lineage import LineageNode, NodeAddress


class _Edges(NamedTuple):
    """Edges as two lists of numbers, which the garbage collector need not walk: the ends, and where each begins."""

    ends: list[int]
    begins: list[int]

    def of(self, place: int) -> list[int]:
        """Give the other ends of a place's edges."""
        return self.ends[self.begins[place] : self.begins[place + 1]]


@dataclass(frozen=True, slots=True)
class Lineage:
    """A graph of nodes in topological order: parents before children, nodes of one level by address.

    `dangling` has the pairs of a node and a parent it names that is none; `cycles` the nodes of each circle.
    """

    nodes: tuple[NodeAddress, ...]
    dangling: tuple[tuple[NodeAddress, NodeAddress], ...]
    cycles: tuple[tuple[NodeAddress, ...], ...]
    _places: dict[NodeAddress, int]
    _rank: list[int]
    _parents: _Edges
    _children: _Edges
    _is_ephemeral: bytes

    @classmethod
    def of(cls, nodes: Iterable[LineageNode]) -> Lineage:
        """Build the graph; of two nodes with one address the first counts, and a parent named twice counts once."""
        given: dict[NodeAddress, LineageNode] = {}
        for node in nodes:
            given.setdefault(node.address, node)
        places = dict(zip(given, range(len(given)), strict=True))
        parents, dangling = _link(given, places)
        children = _reverse(parents)
        levels, circles = _levels(parents, children)
        known = tuple(given)
        order = sorted(range(len(known)), key=known.__getitem__)
        order.sort(key=levels.__getitem__)
        rank = [0] * len(order)
        for place, old in enumerate(order):
            rank[old] = place
        return cls(
            nodes=tuple([known[place] for place in order]),
            dangling=tuple(sorted(dangling)),
            cycles=tuple(sorted(tuple(sorted(known[place] for place in circle)) for circle in circles)),
            _places=places,
            _rank=rank,
            _parents=parents,
            _children=children,
            _is_ephemeral=bytes([node.is_ephemeral for node in given.values()]),
        )

    def __contains__(self, node: NodeAddress) -> bool:
        return node in self._places

    def __len__(self) -> int:
        return len(self.nodes)

    def is_ephemeral(self, node: NodeAddress) -> bool:
        """Whether a node is an ephemeral model."""
        return bool(self._is_ephemeral[self._places[node]])

    def parents(self, node: NodeAddress, *, with_ephemeral: bool = True) -> tuple[NodeAddress, ...]:
        """Give what a node is directly made from; without ephemeral models, what those are made from in their place.

        All four questions raise KeyError for what is no node, and answer in topological order.
        """
        return self.upstream(node, depth=1, with_ephemeral=with_ephemeral)

    def children(self, node: NodeAddress, *, with_ephemeral: bool = True) -> tuple[NodeAddress, ...]:
        """Give what is directly made from a node; without ephemeral models, what is made from those in their place."""
        return self.downstream(node, depth=1, with_ephemeral=with_ephemeral)

    def upstream(
        self, node: NodeAddress, *, depth: int | None = None, with_ephemeral: bool = True
    ) -> tuple[NodeAddress, ...]:
        """Give all that a node is made from, without itself, up to so many steps away.

        Without ephemeral models they are passed through: they are not in the answer and count as no step.
        """
        return self._reach(self._parents, node, depth, with_ephemeral)

    def downstream(
        self, node: NodeAddress, *, depth: int | None = None, with_ephemeral: bool = True
    ) -> tuple[NodeAddress, ...]:
        """Give all that is made from a node, without itself, up to so many steps away."""
        return self._reach(self._children, node, depth, with_ephemeral)

    def below(self, nodes: Iterable[NodeAddress]) -> tuple[NodeAddress, ...]:
        """Give some nodes and all that is made from any of them, in topological order; what is no node is left out."""
        starts = [self._places[node] for node in dict.fromkeys(nodes) if node in self._places]
        rank = self._rank
        found = [*starts, *self._walk(self._children, starts, None, bytes(len(self.nodes)))]
        return tuple([self.nodes[place] for place in sorted([rank[place] for place in found])])

    def _reach(
        self, edges: _Edges, node: NodeAddress, depth: int | None, with_ephemeral: bool
    ) -> tuple[NodeAddress, ...]:
        hidden = bytes(len(self.nodes)) if with_ephemeral else self._is_ephemeral
        found = self._walk(edges, [self._places[node]], depth, hidden)
        rank = self._rank
        return tuple([self.nodes[place] for place in sorted([rank[place] for place in found])])

    def _walk(self, edges: _Edges, starts: list[int], depth: int | None, hidden: bytes) -> list[int]:
        """Give the places that are reached from some others, without those."""
        seen = bytearray(len(self.nodes))
        for start in starts:
            seen[start] = True
        found: list[int] = []
        frontier = list(starts)
        while frontier and (depth is None or depth > 0):
            reached: list[int] = []
            for place in frontier:  # an ephemeral model that is passed through is appended to what is walked over
                for other in edges.of(place):
                    if not seen[other]:
                        seen[other] = True
                        (frontier if hidden[other] else reached).append(other)
            found += reached
            frontier = reached
            depth = None if depth is None else depth - 1
        return found


def _link(
    given: dict[NodeAddress, LineageNode], places: dict[NodeAddress, int]
) -> tuple[_Edges, list[tuple[NodeAddress, NodeAddress]]]:
    ends: list[int] = []
    begins = [0]
    dangling = []
    place_of = places.get
    for address, node in given.items():
        if node.parents:
            found = [place_of(parent, -1) for parent in node.parents]
            if -1 in found:
                dangling += [(address, parent) for parent in dict.fromkeys(node.parents) if parent not in places]
                found = [place for place in found if place >= 0]
            ends += found if len(found) < 2 else dict.fromkeys(found)
        begins.append(len(ends))
    return _Edges(ends, begins), dangling


def _reverse(edges: _Edges) -> _Edges:
    counts = [0] * len(edges.begins)
    for end in edges.ends:
        counts[end + 1] += 1
    begins = list(accumulate(counts))
    free = begins[:]
    ends = [0] * len(edges.ends)
    for place in range(len(begins) - 1):
        for end in edges.of(place):
            ends[free[end]] = place
            free[end] += 1
    return _Edges(ends, begins)


def _levels(parents: _Edges, children: _Edges) -> tuple[list[int], list[list[int]]]:
    """Give how many steps each node is away from the beginnings at most, and the circles; a circle is on one level."""
    begins = parents.begins
    waits_for = [begins[place + 1] - begins[place] for place in range(len(begins) - 1)]
    levels = [0] * len(waits_for)
    ready = [place for place, count in enumerate(waits_for) if not count]
    for place in ready:
        below = levels[place] + 1
        for child in children.of(place):
            levels[child] = max(levels[child], below)
            waits_for[child] -= 1
            if not waits_for[child]:
                ready.append(child)
    circles = []
    for group in _groups([place for place, count in enumerate(waits_for) if count], parents):
        above = {parent for place in group for parent in parents.of(place)}.difference(group)
        level = max((levels[parent] + 1 for parent in above), default=0)
        for place in group:
            levels[place] = level
        if len(group) > 1 or group[0] in parents.of(group[0]):
            circles.append(group)
    return levels, circles


def _groups(places: Iterable[int], parents: _Edges) -> Iterator[list[int]]:
    """Give the strongly connected groups (Tarjan, without recursion), those of parents before those of children."""
    left = set(places)
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in sorted(left):
        walks = [] if root in number else [(root, iter(parents.of(root)))]
        while walks:
            place, others = walks[-1]
            if place not in number:
                number[place] = lowest[place] = len(number)
                path.append(place)
                on_path.add(place)
            for other in others:
                if other not in left:
                    continue
                if other not in number:
                    walks.append((other, iter(parents.of(other))))
                    break
                if other in on_path:
                    lowest[place] = min(lowest[place], number[other])
            else:
                walks.pop()
                if walks:
                    above = walks[-1][0]
                    lowest[above] = min(lowest[above], lowest[place])
                if lowest[place] == number[place]:
                    group = [path.pop()]
                    while group[-1] != place:
                        group.append(path.pop())
                    on_path.difference_update(group)
                    yield group
