"""The layered layout: lines run to the right, nothing overlaps, and any graph is drawn."""

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.analysis.layout import GAP, PITCH, WIDTH, lay_out

EDGES = {
    "a chain": (3, [(0, 1), (1, 2)], [0, 1, 2]),
    "a beginning stands close to what it feeds": (4, [(0, 1), (1, 2), (3, 2)], [0, 1, 2, 1]),
    "behind all that it is made from": (3, [(0, 2), (1, 2), (0, 1)], [0, 1, 2]),
    "an edge given twice and one to itself count for nothing": (2, [(0, 1), (0, 1), (1, 1)], [0, 1]),
    "a circle is cut where it leads back": (3, [(0, 1), (1, 2), (2, 0)], [0, 1, 2]),
    "what hangs on a circle stands behind it": (4, [(0, 1), (1, 0), (1, 2), (2, 3)], [0, 1, 2, 3]),
    "nodes without an edge stand in a row": (3, [], [0, 0, 0]),
    "nothing": (0, [], []),
}


@pytest.mark.parametrize(("count", "edges", "layers"), EDGES.values(), ids=EDGES)
def test_nodes_stand_in_the_layer_of_their_longest_way(count, edges, layers):
    """Each node is further right than all that it is made from, and no further than it must."""
    layout = draw(count, edges)

    assert layout.layers == layers
    assert layout.x == [layer * PITCH for layer in layers]


def test_a_long_line_passes_between_the_nodes_of_the_layers_it_crosses():
    """A line over two layers bends around what stands there."""
    layout = draw(5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4)])

    (bends,) = layout.bends.values()
    assert list(layout.bends) == [0]
    for layer, bend in enumerate(bends, 1):
        tops = [layout.y[node] for node in range(5) if layout.layers[node] == layer]
        assert all(not top < bend < top + 28 for top in tops), (layer, bend, tops)


def test_a_line_without_other_neighbours_runs_straight():
    """Two chains are drawn as two straight lines."""
    layout = draw(6, [(0, 1), (1, 2), (3, 4), (4, 5)])

    assert len({layout.y[0], layout.y[1], layout.y[2]}) == 1
    assert len({layout.y[3], layout.y[4], layout.y[5]}) == 1


def test_a_tree_is_drawn_without_a_crossing():
    """Given in any order, the children of one node stand together."""
    layout = draw(7, [(0, 1), (0, 2), (1, 4), (2, 3), (1, 6), (2, 5)])

    assert count_crossings(layout, [(0, 1), (0, 2), (1, 4), (2, 3), (1, 6), (2, 5)]) == 0


@st.composite
def graphs(draw_):
    """Any graph of up to forty nodes, circles, doubles and loops included."""
    count = draw_(st.integers(1, 40))
    node = st.integers(0, count - 1)
    edges = draw_(st.lists(st.tuples(node, node), max_size=90))
    heights = draw_(st.lists(st.sampled_from((28, 48)), min_size=count, max_size=count))
    return heights, edges


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_every_edge_goes_right_and_no_two_nodes_overlap(given_):
    """Edges that close no circle lead to the right; rectangles are apart; all is in the frame."""
    heights, edges = given_
    layout = lay_out(heights, [source for source, _ in edges], [target for _, target in edges])
    graph = nx.DiGraph(edges)
    circle = {node: number for number, group in enumerate(nx.strongly_connected_components(graph)) for node in group}

    for source, target in edges:
        if circle[source] != circle[target] or source < target:
            assert layout.layers[source] < layout.layers[target]
    boxes = sorted(zip(layout.x, layout.y, heights, strict=True))
    for (x, y, height), (next_x, next_y, _) in pairwise(boxes):
        assert x != next_x or next_y >= y + height + GAP
    crossings = [bend for bends in layout.bends.values() for bend in bends]
    assert min([*layout.y, *crossings]) == min(layout.x, default=0) == 0
    assert layout.width == max(layout.x) + WIDTH
    assert layout.height == max(y + height for y, height in zip(layout.y, heights, strict=True))


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_the_same_graph_is_always_drawn_alike(given_):
    """Also where its edges are told in another order of the same nodes."""
    heights, edges = given_
    sources, targets = [source for source, _ in edges], [target for _, target in edges]

    assert lay_out(heights, sources, targets) == lay_out(heights, sources, targets)


def test_a_large_graph_is_drawn_without_bends():
    """Beyond some thousand nodes nobody follows a line, and nothing is spent on leading it."""
    count = 9000
    edges = [
        (node, node + step) for node in range(count) for step in (1, 700) if node + step < count and node % 700 != 699
    ]
    layout = draw(count, edges)

    assert layout.bends == {}
    assert all(layout.layers[source] < layout.layers[target] for source, target in edges)


def draw(count, edges):
    return lay_out([28] * count, [source for source, _ in edges], [target for _, target in edges])


def count_crossings(layout, edges):
    found = 0
    for number, (a, b) in enumerate(edges):
        for c, d in edges[number + 1 :]:
            same = layout.layers[a] == layout.layers[c] and layout.layers[b] == layout.layers[d]
            found += same and (layout.y[a] - layout.y[c]) * (layout.y[b] - layout.y[d]) < 0
    return found
