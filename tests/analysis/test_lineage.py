"""The lineage against networkx: the same graph, the same answers, whatever the graph looks like."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.analysis.lineage import Lineage
from headwater.model.lineage import LineageNode, NodeAddress


def at(name: object) -> NodeAddress:
    return NodeAddress(1, 2, 3, f"model.shop.{name}")


def make(edges: dict[int, list[int]], ephemeral: frozenset[int] = frozenset()) -> list[LineageNode]:
    return [
        LineageNode(at(child), tuple(at(parent) for parent in parents), child in ephemeral)
        for child, parents in edges.items()
    ]


graphs = st.dictionaries(st.integers(0, 14), st.lists(st.integers(0, 16), max_size=4), max_size=14)
"""Children by number with their parents: with cycles, nodes made from themselves, parents twice, parents nowhere."""
acyclic = graphs.map(lambda edges: {child: [p for p in parents if p < child] for child, parents in edges.items()})


def oracle(edges: dict[int, list[int]]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(map(at, edges))
    graph.add_edges_from(
        (at(parent), at(child)) for child, parents in edges.items() for parent in parents if parent in edges
    )
    return graph


@settings(max_examples=300, deadline=None)
@given(edges=graphs)
def test_upstream_and_downstream_are_those_of_networkx(edges) -> None:
    """Any graph, cycles included: ancestors, descendants, parents and children are the same sets, each named once."""
    lineage, graph = Lineage.of(make(edges)), oracle(edges)

    assert len(lineage) == len(graph)
    for node in graph:
        for found, expected in (
            (lineage.upstream(node), nx.ancestors(graph, node)),
            (lineage.downstream(node), nx.descendants(graph, node)),
            (lineage.parents(node), set(graph.predecessors(node)) - {node}),
            (lineage.children(node), set(graph.successors(node)) - {node}),
        ):
            assert set(found) == expected
            assert len(found) == len(expected)


@settings(max_examples=200, deadline=None)
@given(edges=graphs, depth=st.integers(0, 5))
def test_a_depth_is_a_number_of_steps(edges, depth) -> None:
    """Up to so many steps away is what networkx reaches in so many."""
    lineage, graph = Lineage.of(make(edges)), oracle(edges)
    for node in graph:
        near = nx.single_source_shortest_path_length(graph, node, cutoff=depth)

        assert set(lineage.downstream(node, depth=depth)) == near.keys() - {node}


@settings(max_examples=200, deadline=None)
@given(edges=acyclic, shuffle=st.randoms())
def test_the_order_is_topological_and_does_not_depend_on_the_input(edges, shuffle) -> None:
    """Parents stand before children, in all nodes and in every answer; another order of input gives the same."""
    lineage, graph = Lineage.of(make(edges)), oracle(edges)
    place = {node: number for number, node in enumerate(lineage.nodes)}
    shuffled = make(edges)
    shuffle.shuffle(shuffled)

    assert all(place[parent] < place[child] for parent, child in graph.edges)
    assert Lineage.of(shuffled).nodes == lineage.nodes
    for node in graph:
        answer = lineage.downstream(node)
        assert list(answer) == sorted(answer, key=place.__getitem__)


@settings(max_examples=200, deadline=None)
@given(edges=graphs)
def test_cycles_and_dangling_parents_are_told(edges) -> None:
    """The circles are networkx's strongly connected groups; a parent that is no node is named with its child."""
    lineage, graph = Lineage.of(make(edges)), oracle(edges)
    groups = nx.strongly_connected_components(graph)
    circles = {frozenset(group) for group in groups if len(group) > 1 or graph.has_edge(*(list(group) * 2)[:2])}

    assert {frozenset(circle) for circle in lineage.cycles} == circles
    assert set(lineage.dangling) == {
        (at(child), at(parent)) for child, parents in edges.items() for parent in parents if parent not in edges
    }


@settings(max_examples=200, deadline=None)
@given(edges=acyclic, ephemeral=st.frozensets(st.integers(0, 14)))
def test_ephemeral_models_are_transparent(edges, ephemeral) -> None:
    """Without them the answers are those of a graph in which each ephemeral model's parents are its children's."""
    lineage, graph = Lineage.of(make(edges, ephemeral)), oracle(edges)
    for number in ephemeral & edges.keys():
        node = at(number)
        for parent in graph.predecessors(node):
            graph.add_edges_from((parent, child) for child in graph.successors(node))
    contracted = graph.subgraph([node for node in graph if not lineage.is_ephemeral(node)])
    for node in contracted:
        assert set(lineage.children(node, with_ephemeral=False)) == set(contracted.successors(node))
        assert set(lineage.upstream(node, with_ephemeral=False)) == nx.ancestors(contracted, node)
        near = nx.single_source_shortest_path_length(contracted, node, cutoff=2).keys() - {node}
        assert set(lineage.downstream(node, depth=2, with_ephemeral=False)) == near


def test_what_is_no_node_is_a_key_error() -> None:
    """A question about an address that is none does not answer with nothing."""
    with pytest.raises(KeyError):
        Lineage.of(make({1: []})).upstream(at(2))


def test_of_two_nodes_with_one_address_the_first_counts() -> None:
    """A second node of the same address adds nothing."""
    lineage = Lineage.of([*make({1: [], 2: [1]}), *make({2: [], 3: [2]})])

    assert lineage.parents(at(2)) == (at(1),)
    assert len(lineage) == 3


def test_a_very_long_chain_and_a_very_long_circle_end() -> None:
    """Nothing here recurses: twenty thousand nodes in a row, then in a ring, are answered."""
    many = 20_000
    row = {number: [number - 1] if number else [] for number in range(many)}
    chain, ring = Lineage.of(make(row)), Lineage.of(make({**row, 0: [many - 1]}))

    assert len(chain.downstream(at(0))) == many - 1
    assert chain.nodes[-1] == at(many - 1)
    assert len(ring.upstream(at(5))) == many - 1
    assert [len(circle) for circle in ring.cycles] == [many]


@pytest.mark.parametrize("name", ["it's", 'say "hi"', "a.b..c", "café ☕ 🧾", "x" * 10_000, "", "\u202e"])
def test_names_are_only_names(name) -> None:
    """Quotes, dots, emoji, ten kilobytes, nothing at all: a name has no meaning here."""
    odd = at(name)
    lineage = Lineage.of([LineageNode(at(1)), LineageNode(odd, (at(1),)), LineageNode(at(2), (odd,))])

    assert lineage.downstream(at(1)) == (odd, at(2))
