"""The explorer of the lineage: which nodes a view shows, and where they are drawn.

A view hangs on manifests alone and is remembered with them; the states of what it shows are `explorer_states`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.excerpt import Cut, Excerpt, Graph, choose, gather, reach
from headwater.analysis.layout import PITCH, WIDTH, lay_out
from headwater.analysis.mesh import package_of
from headwater.errors import NotKnown
from headwater.model.lineage import Direction, NodeAddress
from headwater.model.node import local_name
from headwater.observatory.environments import choose_places, list_asked_places, say_place
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import list_notes
from headwater.observatory.lineage import (
    Estate,
    Held,
    LineageMemory,
    Moment,
    Numbered,
    Shelf,
    identify,
    name_of,
    number_estate,
    open_estate,
    scope_of,
)
from headwater.observatory.lineage_reports import LineagePlace, LineageReport
from headwater.observatory.references import FoundNode, NodeQuestion, find_node
from headwater.store.lineage import read_paths
from headwater.store.lineage_rows import PlaceRow
from headwater.store.writing import Scope

NODE_HEIGHT = 28
GROUP_HEIGHT = 48
COLLAPSES = ("none", "folder", "group", "project")
LEVELS = 2
"""How many levels around a node are shown where nothing is said."""

_CROWD = 400
"""More things than this are drawn as folders where nothing is said."""
_MOST_NAMED = 3
_TESTS = frozenset({"test", "unit_test"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageQuestion:
    """Which part of which lineage is asked for; no depth means all levels, no `collapse` folders where there are many.

    `opened` are groups whose nodes are shown; `more` nodes whose neighbours are; `path` the steps from a cause to the
    focus, all by unique_id.
    """

    ref: str | None = None
    account: str | None = None
    project: str | None = None
    environment: str | None = None
    at: datetime | None = None
    direction: Direction = Direction.BOTH
    depth: int | None = LEVELS
    collapse: str | None = None
    opened: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    with_reach: bool = False
    with_tests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLineage:
    """The lineage that was meant, the node in its middle, and the nodes that may be shown, by number."""

    estate: Estate
    nodes: Numbered
    sentence: str
    focus: FoundNode | None
    shown: bytes

    def number(self, unique_id: str) -> int | None:
        """Find a node of the focus's environment, else of any other."""
        scopes = list(self.estate.held)
        if self.focus is not None:
            scopes.insert(0, scope_of(self.focus.address))
        for scope in scopes:
            address = NodeAddress(scope.account_key, scope.project_id, scope.environment_id, unique_id)
            address = self.estate.stands_for.get(address, address)
            if address in self.estate.lineage:
                return self.estate.lineage.number(address)
        return None


def get_lineage(observatory: Observatory, asked: LineageQuestion) -> LineageReport:
    """Get a view of the lineage of an account: around a node, or all of it.

    Raises:
        NotKnown: nothing is called so, or no lineage is stored.
        Ambiguous: several nodes are called so.
    """
    with observatory.store.read() as tx:
        found = find_lineage(observatory, tx, asked)
        return open_view(tx, observatory.lineage, found, asked)[0]


def find_lineage(observatory: Observatory, tx: Connection, asked: LineageQuestion) -> FoundLineage:
    """Find the lineage that is meant.

    Raises:
        NotKnown: as of `get_lineage`.
        Ambiguous: as of `get_lineage`.
    """
    if asked.ref is not None:
        node = NodeQuestion(
            ref=asked.ref, account=asked.account, project=asked.project, environment=asked.environment, at=asked.at
        )
        return look_around(observatory.lineage, find_node(observatory, tx, node), with_tests=asked.with_tests)
    places = list_asked_places(tx, asked.account)
    choices = choose_places(places, asked.project, asked.environment)
    shelf = Shelf(tx, Moment(at=asked.at), observatory.lineage)
    choices = [choice for choice in choices if shelf.find(choice.place) is not None]
    if not choices:
        hint = "It comes with the first run whose manifest is read." if asked.at is None else "Ask for a later time."
        raise NotKnown("No lineage is stored." if asked.at is None else "No lineage is stored of that time.", hint=hint)
    first = choices[0].place
    estate = open_estate(shelf, first)
    nodes = number_estate(observatory.lineage, estate)
    choices = [choice for choice in choices if choice.place.account_key == first.account_key]
    wanted = [choice.place.scope for choice in choices]
    return FoundLineage(
        estate=estate,
        sentence=choices[0].sentence if len(choices) == 1 else _say_several([choice.place for choice in choices]),
        focus=None,
        nodes=nodes,
        shown=_list_shown(observatory.lineage, estate, nodes, wanted, with_tests=asked.with_tests),
    )


def look_around(memory: LineageMemory, focus: FoundNode, *, with_tests: bool = False) -> FoundLineage:
    """Give the lineage around a node that was found."""
    nodes = number_estate(memory, focus.estate)
    return FoundLineage(
        estate=focus.estate,
        sentence=focus.sentence,
        focus=focus,
        nodes=nodes,
        shown=_list_shown(memory, focus.estate, nodes, nodes.scopes, with_tests=with_tests),
    )


def _say_several(places: Sequence[PlaceRow]) -> str:
    if len(places) > _MOST_NAMED:
        return f"{len(places):,} projects of {places[0].account_name} are shown."
    *others, last = sorted(say_place(place) for place in places)
    return f"{', '.join(others)} and {last} are shown."


def _list_shown(
    memory: LineageMemory, estate: Estate, nodes: Numbered, scopes: Iterable[Scope], *, with_tests: bool
) -> bytes:
    wanted = frozenset(scopes)

    def look() -> bytes:
        are_wanted = [scope in wanted for scope in nodes.scopes]
        return bytes(
            [
                row is not None and are_wanted[scope] and (with_tests or row.resource_type not in _TESTS)
                for scope, row in zip(nodes.scope_numbers, nodes.rows, strict=True)
            ]
        )

    return memory.shown.get((estate.identity, wanted, with_tests), look)


def open_view(
    tx: Connection, memory: LineageMemory, found: FoundLineage, asked: LineageQuestion
) -> tuple[LineageReport, Excerpt]:
    """Draw a view, or give it as it is remembered; and which nodes each thing in it is.

    The same view may answer several questions, each with its own sentence.
    """
    focus = found.focus.address if found.focus is not None else None
    own = replace(asked, ref=None, account=None, project=None, environment=None, at=None)
    key = (found.estate.identity, hashlib.blake2b(found.shown, digest_size=8).digest(), focus, own)
    view, excerpt = memory.views.get(key, lambda: _draw(tx, memory, found, asked, name_key(key)))
    return (view if view.sentence == found.sentence else replace(view, sentence=found.sentence)), excerpt


def _draw(
    tx: Connection, memory: LineageMemory, found: FoundLineage, asked: LineageQuestion, etag: str
) -> tuple[LineageReport, Excerpt]:
    lineage = found.estate.lineage
    graph = Graph(found.nodes.parents, found.nodes.children, found.shown)
    focus = lineage.number(found.focus.address) if found.focus is not None else None
    path = [number for number in map(found.number, asked.path) if number is not None]
    cut = Cut(
        focus=focus,
        direction=asked.direction,
        depth=asked.depth,
        more=frozenset(number for number in map(found.number, asked.more) if number is not None),
        always=frozenset(path),
    )
    chosen = choose(graph, cut)
    collapse = asked.collapse or ("folder" if len(chosen) > _CROWD else "none")
    names = _name_groups(tx, memory, found, chosen, collapse)
    kept = {focus, *path, *cut.more}
    groups = {node: name for node, name in names.items() if name not in asked.opened and node not in kept}
    excerpt = gather(graph, chosen, groups)
    start = path[0] if path else focus
    reached = set() if start is None or not asked.with_reach else reach(graph.children, graph.shown, start, None)
    return _report(found, excerpt, etag, collapse, focus, path, reached), excerpt


def _report(
    found: FoundLineage,
    excerpt: Excerpt,
    etag: str,
    collapse: str,
    focus: int | None,
    path: Sequence[int],
    reached: set[int],
) -> LineageReport:
    lineage, estate = found.estate.lineage, found.estate
    layout = lay_out(
        [NODE_HEIGHT if name is None else GROUP_HEIGHT for name in excerpt.group_names],
        excerpt.sources,
        excerpt.targets,
    )
    number = {node: place for place, members in enumerate(excerpt.members) for node in members}
    firsts = [lineage.nodes[members[0]] for members in excerpt.members]
    rows = [found.nodes.rows[members[0]] for members in excerpt.members]
    types = sorted({row.resource_type for row in rows if row is not None})
    numbers = [found.nodes.scope_numbers[members[0]] for members in excerpt.members]
    places = {scope: place for place, scope in enumerate(dict.fromkeys(numbers))}
    kinds = {kind: place for place, kind in enumerate(types)}
    return LineageReport(
        etag=etag,
        sentence=found.sentence,
        collapse=collapse,
        total=sum(found.shown),
        shown=sum(map(len, excerpt.members)),
        node_width=WIDTH,
        node_height=NODE_HEIGHT,
        group_height=GROUP_HEIGHT,
        pitch=PITCH,
        width=layout.width,
        height=layout.height,
        focus=None if focus is None else number[focus],
        path=tuple(number[node] for node in path),
        reached=tuple(sorted({number[node] for node in reached if node in number})),
        places=tuple(_place(estate.held[found.nodes.scopes[scope]]) for scope in places),
        resource_types=tuple(types),
        unique_ids=tuple(
            address.unique_id if name is None else None
            for address, name in zip(firsts, excerpt.group_names, strict=True)
        ),
        names=tuple(
            name if name is not None else (name_of(row) if row is not None else local_name(address.unique_id))
            for name, row, address in zip(excerpt.group_names, rows, firsts, strict=True)
        ),
        counts=tuple(map(len, excerpt.members)),
        place_numbers=tuple([places[scope] for scope in numbers]),
        resource_type_numbers=tuple(kinds[row.resource_type] if row is not None else -1 for row in rows),
        x=tuple(layout.x),
        y=tuple(layout.y),
        hidden_parents=excerpt.hidden_parents,
        hidden_children=excerpt.hidden_children,
        sources=excerpt.sources,
        targets=excerpt.targets,
        bends=dict(layout.bends),
        notes=() if found.focus is None else list_notes(found.focus, ()),
    )


def _place(held: Held) -> LineagePlace:
    place = held.place
    return LineagePlace(
        account=place.account_name,
        project_id=place.project_id,
        project_name=place.project_name,
        environment_id=place.environment_id,
        environment_name=place.environment_name,
    )


def _name_groups(
    tx: Connection, memory: LineageMemory, found: FoundLineage, chosen: Sequence[int], collapse: str
) -> dict[int, str]:
    """Name the group of each node that is in one: folders with their project where there are several."""
    if collapse == "none":
        return {}
    nodes = found.nodes
    rows = {node: row for node in chosen if (row := nodes.rows[node]) is not None}
    if collapse == "group":
        return {node: row.group for node, row in rows.items() if row.group}
    packages = {node: package_of(row.unique_id) for node, row in rows.items()}
    if collapse == "project":
        return packages
    folders = [_read_folders(tx, memory, found.estate.held.get(scope)) for scope in nodes.scopes]
    several = len(set(packages.values())) > 1
    named = {}
    for node, row in rows.items():
        folder = folders[nodes.scope_numbers[node]].get(row.node_key)
        if folder:
            named[node] = f"{packages[node]}: {folder}" if several else folder
    return named


def _read_folders(tx: Connection, memory: LineageMemory, held: Held | None) -> Mapping[int, str]:
    if held is None:
        return {}

    def read() -> dict[int, str]:
        wanted = [(row.node_key, row.version) for row in held.rows.values() if row.resource_type not in _TESTS]
        paths = read_paths(tx, held.manifest.account_key, wanted)
        return {
            node_key: path.replace("\\", "/").removeprefix("./").rpartition("/")[0] for node_key, path in paths.items()
        }

    return memory.folders.get(identify(held.manifest), read)


def name_key(key: Hashable) -> str:
    """Give a short name of what identifies something."""
    return hashlib.blake2b(repr(key).encode(), digest_size=12).hexdigest()
