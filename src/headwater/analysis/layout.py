"""Where the nodes of a graph are drawn: layer by layer from left to right, so that 50,000 nodes are quick.

The way is Sugiyama's: circles are broken, longest paths give the layers, each node is moved to the middle of its
neighbours to lessen crossings, and then so far up or down that lines run straight. What is long is led through the
layers between, as long as the graph is small enough for anybody to follow a line. The same graph is always drawn alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from headwater.analysis.lineage import each_strong_group

WIDTH = 208
"""How wide a node is drawn, in pixels."""
PITCH = 264
"""From one layer to the next."""
GAP = 10
"""Between two nodes of a layer."""

_LEAD_MOST = 4000
_BEND_HEIGHT = 4
_SWEEPS = ((400, 24), (2_000, 10), (6_000, 5), (20_000, 4), (10**9, 2))
"""How often nodes are moved to the middle of their neighbours, by how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Each node's layer and its left upper corner, in whole pixels from 0.

    `bends` has, for nodes with lines that pass over layers, the heights at which those cross the layers that follow.
    """

    layers: list[int]
    x: list[int]
    y: list[int]
    bends: Mapping[int, tuple[int, ...]]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Mesh:
    """Nodes and the points where long lines cross layers, all numbered; `before` and `after` are their neighbours."""

    layers: list[list[int]]
    before: list[list[int]]
    after: list[list[int]]
    heights: list[int]
    leads: Mapping[int, list[int]]


def lay_out(heights: Sequence[int], sources: Sequence[int], targets: Sequence[int]) -> Layout:
    """Lay out nodes, given by their heights, and the edges from `sources` to `targets`, given by numbers of nodes.

    An edge leads to a layer further right; of those that close a circle, some lead back, by the order of the nodes. No
    two nodes overlap. Nodes without any edge stand in rows under the others.
    """
    before, after = _link(len(heights), sources, targets)
    _break_circles(before, after)
    levels = _levels(before, after)
    linked = [node for node in range(len(heights)) if before[node] or after[node]]
    alone = [node for node in range(len(heights)) if not (before[node] or after[node])]
    mesh = _mesh(linked, levels, before, after, heights)
    tops = _place(mesh, len(linked))
    lowest = min((tops[node] for layer in mesh.layers for node in layer), default=0)
    y = [top - lowest for top in tops[: len(heights)]]
    foot = max((y[node] + heights[node] for node in linked), default=-GAP)
    columns = max(len(mesh.layers), 1 if len(alone) < 4 else min(5, len(alone)))
    _put_alone(alone, columns, levels, y, heights, foot + (3 * GAP if linked else GAP))
    return Layout(
        layers=levels,
        x=[level * PITCH for level in levels],
        y=y,
        bends={node: tuple(tops[point] - lowest for point in lead) for node, lead in mesh.leads.items()},
        width=max(levels, default=0) * PITCH + (WIDTH if heights else 0),
        height=max((top + height for top, height in zip(y, heights, strict=True)), default=0),
    )


def _link(count: int, sources: Sequence[int], targets: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys(zip(sources, targets, strict=True)):
        if source != target:
            after[source].append(target)
            before[target].append(source)
    return before, after


def _break_circles(before: list[list[int]], after: list[list[int]]) -> None:
    """Take out, of the edges that close circles, those that lead back in the order in which the nodes are given."""
    waits = [len(others) for others in before]
    ready = [node for node, count in enumerate(waits) if not count]
    for node in ready:
        for other in after[node]:
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    left = [node for node, count in enumerate(waits) if count]
    circle_of: dict[int, int] = {}
    for number, circle in enumerate(each_strong_group(left, before.__getitem__)):
        circle_of |= dict.fromkeys(circle, number)
    for node in left:
        back = [other for other in before[node] if other > node and circle_of.get(other) == circle_of[node]]
        for other in back:
            before[node].remove(other)
            after[other].remove(node)


def _levels(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """Give how far right each node stands: behind what it is made from; a beginning stands close to what it feeds."""
    levels = [0] * len(before)
    waits = [len(others) for others in before]
    ready = [node for node, count in enumerate(waits) if not count]
    for node in ready:
        following = levels[node] + 1
        for other in after[node]:
            levels[other] = max(levels[other], following)
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    for node, others in enumerate(before):
        if not others and after[node]:
            levels[node] = min(levels[other] for other in after[node]) - 1
    return levels


def _mesh(
    linked: Sequence[int],
    levels: Sequence[int],
    before: list[list[int]],
    after: list[list[int]],
    heights: Sequence[int],
) -> _Mesh:
    """Sort nodes into layers; long edges of a small graph are led through the layers between, one line a node."""
    layers: list[list[int]] = [[] for _ in range(max((levels[node] for node in linked), default=-1) + 1)]
    for node in _neighbours_together(linked, before, after):
        layers[levels[node]].append(node)
    lengths = {node: max(levels[other] for other in after[node]) - levels[node] - 1 for node in linked if after[node]}
    if sum(lengths.values()) + len(linked) > _LEAD_MOST:
        return _Mesh(layers, before, after, list(heights), {})
    sizes, leads = list(heights), {}
    into: list[list[int]] = [[] for _ in before]
    out: list[list[int]] = [[] for _ in before]
    for node, length in lengths.items():
        lead = list(range(len(sizes), len(sizes) + length))
        sizes += [_BEND_HEIGHT] * length
        into += [[] for _ in lead]
        out += [[] for _ in lead]
        steps = [node, *lead]
        for here, there in pairwise(steps):
            out[here].append(there)
            into[there].append(here)
        for other in after[node]:
            here = steps[levels[other] - levels[node] - 1]
            out[here].append(other)
            into[other].append(here)
        for distance, point in enumerate(lead, 1):
            layers[levels[node] + distance].append(point)
        if lead:
            leads[node] = lead
    return _Mesh(layers, into, out, sizes, leads)


def _neighbours_together(linked: Iterable[int], before: list[list[int]], after: list[list[int]]) -> Iterator[int]:
    """Give nodes so that those which hang together follow one another."""
    seen = bytearray(len(before))
    for start in linked:
        if seen[start]:
            continue
        seen[start] = 1
        waiting = [start]
        while waiting:
            node = waiting.pop()
            yield node
            for other in (*reversed(after[node]), *reversed(before[node])):
                if not seen[other]:
                    seen[other] = 1
                    waiting.append(other)


def _place(mesh: _Mesh, count: int) -> list[int]:
    """Give the top of every node and point: first the order in each layer, then the heights."""
    sweeps = next(often for most, often in _SWEEPS if count <= most)
    _order(mesh, sweeps)
    return _straighten(mesh, max(sweeps // 2, 2))


def _order(mesh: _Mesh, sweeps: int) -> None:
    """Sort each layer by the middle of its nodes' neighbours, to and fro."""
    at = [0.0] * len(mesh.before)
    for layer in mesh.layers:
        _number(layer, at)
    for sweep in range(sweeps):
        near, layers = (mesh.before, mesh.layers) if sweep % 2 == 0 else (mesh.after, mesh.layers[::-1])
        for layer in layers:
            middle = {node: _middle(near[node], at, at[node]) for node in layer}
            layer.sort(key=middle.__getitem__)
            _number(layer, at)


def _number(layer: Sequence[int], at: list[float]) -> None:
    share = 1 / max(len(layer), 1)
    for place, node in enumerate(layer):
        at[node] = (place + 0.5) * share


def _middle(others: Sequence[int], at: Sequence[float], preset: float) -> float:
    if len(others) == 1:
        return at[others[0]]
    return sum([at[other] for other in others]) / len(others) if others else preset


def _straighten(mesh: _Mesh, rounds: int) -> list[int]:
    """Move the nodes of each layer, in their order, as close to the middle of their neighbours as there is room."""
    tops = [0] * len(mesh.before)
    middles = [0.0] * len(mesh.before)
    for layer in mesh.layers:
        room = sum(mesh.heights[node] + GAP for node in layer)
        _settle(mesh, layer, [-room / 2] * len(layer), tops, middles)
    for turn in range(rounds + 1):
        is_last = turn == rounds
        near, layers = (mesh.before, mesh.layers) if turn % 2 == 0 else (mesh.after, mesh.layers[::-1])
        for layer in layers:
            wanted = []
            for node in layer:
                others = [*mesh.before[node], *mesh.after[node]] if is_last else near[node]
                wanted.append(_middle(others, middles, middles[node]) - mesh.heights[node] / 2)
            _settle(mesh, layer, wanted, tops, middles)
    return tops


def _settle(mesh: _Mesh, layer: Sequence[int], wanted: Sequence[float], tops: list[int], middles: list[float]) -> None:
    """Put the nodes of a layer as close to where they are wanted as can be, in order and without overlap.

    Nodes that would overlap move together, to the mean of what they want (pool adjacent violators).
    """
    means: list[float] = []
    sizes: list[int] = []
    offsets: list[int] = []
    offset = 0
    for node, want in zip(layer, wanted, strict=True):
        mean, size = want - offset, 1
        while means and means[-1] >= mean:
            mean = (mean * size + means[-1] * sizes[-1]) / (size + sizes[-1])
            size += sizes.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
        offsets.append(offset)
        offset += mesh.heights[node] + GAP
    place = 0
    for mean, size in zip(means, sizes, strict=True):
        start = round(mean)
        for node, offset in zip(layer[place : place + size], offsets[place : place + size], strict=True):
            tops[node] = start + offset
            middles[node] = start + offset + mesh.heights[node] / 2
        place += size


def _put_alone(
    alone: Sequence[int], columns: int, levels: list[int], y: list[int], heights: Sequence[int], top: int
) -> None:
    """Put what has no edge in rows under the rest."""
    for start in range(0, len(alone), columns):
        row = alone[start : start + columns]
        for column, node in enumerate(row):
            levels[node], y[node] = column, top
        top += max(heights[node] for node in row) + GAP
