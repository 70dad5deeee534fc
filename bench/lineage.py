"""What lineage costs at 10,000 and 50,000 nodes: build, upstream, downstream, and reading it from the store.

Run with `uv run python bench/lineage.py`. The graph is made layer upon layer, each node from one to four of the few
hundred before it, so that its first nodes reach nearly all others: the worst case of a question. networkx answers the
same questions in the same process and must answer alike; the figures are medians over rounds, the ratios theirs.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from headwater.analysis.lineage import Lineage  # noqa: E402
from headwater.model.account import AccountAddress  # noqa: E402
from headwater.model.lineage import LineageNode, NodeAddress  # noqa: E402
from headwater.model.node import ArtifactMetadata, Manifest, Node, Relation  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.database import open_store  # noqa: E402
from headwater.store.lineage import find_manifest_at, list_lineage  # noqa: E402
from headwater.store.manifests import list_nodes, save_manifest  # noqa: E402
from headwater.store.writing import Scope  # noqa: E402

SIZES = (10_000, 50_000)
ROUNDS = 7
BEGAN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ASKED = 20
"""Nodes whose upstream and downstream are asked for: the slowest of them counts."""


def make_parents(count: int) -> dict[str, tuple[str, ...]]:
    """Make a graph: unique_ids with those of their parents."""
    random = Random(count)
    names = [f"model.package_{number % 40:02}.fct_something_{number:06}" for number in range(count)]
    parents: dict[str, tuple[str, ...]] = {}
    for number, name in enumerate(names):
        near = names[max(0, number - 400) : number]
        parents[name] = tuple({random.choice(near) for _ in range(random.randint(1, 4))}) if number > 30 else ()
    return parents


def median(act: Callable[[], Any]) -> float:
    """Give the median seconds of an act."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_graph(parents: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Give seconds of ours and of networkx, for the build and for the slowest questions."""
    addresses = {name: NodeAddress(1, 2, 3, name) for name in parents}
    nodes = [LineageNode(addresses[name], tuple(addresses[one] for one in found)) for name, found in parents.items()]
    edges = [(addresses[one], addresses[name]) for name, found in parents.items() for one in found]

    def build_peer() -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_nodes_from(addresses.values())
        graph.add_edges_from(edges)
        return graph

    figures = {"build": (median(lambda: Lineage.of(nodes)), median(build_peer))}
    lineage, graph = Lineage.of(nodes), build_peer()
    listed = list(addresses.values())
    asked = listed[: ASKED // 2] + listed[-ASKED // 2 :]
    for name, ours, theirs in (
        ("upstream", lineage.upstream, nx.ancestors),
        ("downstream", lineage.downstream, nx.descendants),
    ):
        assert all(set(ours(node)) == theirs(graph, node) for node in asked)
        slowest = max(asked, key=lambda node: len(ours(node)))
        figures[name] = (
            median(lambda: ours(slowest)),  # noqa: B023
            median(lambda: theirs(graph, slowest)),  # noqa: B023
        )
    return figures


def measure_store(parents: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Give seconds to read the graph of a stored manifest, and to read its nodes whole."""
    nodes = tuple(
        Node(
            unique_id=name, resource_type="model", name=name.rpartition(".")[2], parents=found,
            relation=Relation("db", "main", name.rpartition(".")[2]), materialized="table",
            raw_code=f"select {name}" * 40, version=hashlib.blake2b(name.encode(), digest_size=16).digest(),
        )
        for name, found in parents.items()
    )  # fmt: skip
    manifest = Manifest(metadata=ArtifactMetadata(generated_at=BEGAN), content=b"bench", nodes=nodes)
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/bench.db") as store:
        with store.write() as tx:
            account = save_account(tx, "bench", AccountAddress("https://bench.example", 1), BEGAN).account_key
            scope = Scope(account, 1, 2)
            save_manifest(tx, scope, manifest, None, BEGAN)
        with store.read() as tx:
            key = find_manifest_at(tx, scope)
            assert key is not None
            assert len(list_lineage(tx, account, key)) == len(nodes)
            return {
                "read from the store": (
                    median(lambda: list_lineage(tx, account, key)),
                    median(lambda: list_nodes(tx, account, key)),
                )
            }


def main() -> None:
    """Print a table, then one JSON line."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for size in SIZES:
        parents = make_parents(size)
        found = measure_graph(parents) | measure_store(parents)
        figures[str(size)] = {}
        print(f"{size:,} nodes, {sum(map(len, parents.values())):,} edges")
        for name, (ours, peer) in found.items():
            beside = "nodes read whole" if name.startswith("read") else "networkx"
            print(f"  {name:20} {ours * 1000:8.1f} ms   {beside} {peer * 1000:8.1f} ms   ratio {peer / ours:5.2f}")
            figures[str(size)][name] = {"seconds": round(ours, 4), "peer": round(peer, 4)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
