"""The lineage of an account around one place, as it was: manifests of its projects joined to one graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import Connection

from headwater.analysis.excerpt import Excerpt, reverse
from headwater.analysis.lineage import Lineage
from headwater.analysis.mesh import ProjectLineage, join_projects, package_of
from headwater.model.lineage import NodeAddress
from headwater.model.node import Node, local_name
from headwater.observatory.lineage_reports import Glance, LineageReport, LineageStates
from headwater.observatory.remembered import Remembered
from headwater.store.lineage import find_manifest_at, list_lineage, list_places, read_nodes
from headwater.store.lineage_rows import LineageRow, PlaceRow
from headwater.store.manifests import get_manifest
from headwater.store.rows import ManifestRow
from headwater.store.writing import Scope

if TYPE_CHECKING:
    from headwater.observatory.catalog_ages import AgeBook

TESTS = ("test", "unit_test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a question is about; None is now. `pinned` are manifests that hold whatever their time, those of a run."""

    at: datetime | None = None
    pinned: Mapping[Scope, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The nodes of one environment by unique_id, their parents, the tests that read each, and what else reads it."""

    scope: Scope
    nodes: Mapping[str, LineageRow]
    parents: Mapping[str, tuple[str, ...]]
    readers: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Held:
    """The manifest that held in a place at a moment, and its nodes by unique_id.

    `imported` are those of them that are other projects' public models.
    """

    place: PlaceRow
    manifest: ManifestRow
    rows: Mapping[str, LineageRow]
    imported: frozenset[str]
    graph: Graph

    def address(self, unique_id: str) -> NodeAddress:
        """Give the address of one of its nodes."""
        return NodeAddress(self.place.account_key, self.place.project_id, self.place.environment_id, unique_id)


@dataclass(frozen=True, slots=True)
class _Contents:
    """The nodes of one manifest, which of them are imported, and their graph."""

    rows: Mapping[str, LineageRow]
    imported: frozenset[str]
    graph: Graph


@dataclass(frozen=True, slots=True)
class _Joined:
    """The graph of several manifests."""

    lineage: Lineage
    stands_for: Mapping[NodeAddress, NodeAddress]


@dataclass(frozen=True, slots=True)
class Numbered:
    """The nodes of a graph as lists, by their places in it: parents, children, scopes, and rows where known."""

    parents: list[list[int]]
    children: list[list[int]]
    scopes: list[Scope]
    scope_numbers: list[int]
    rows: list[LineageRow | None]


class CatalogEntry(Struct, frozen=True, gc=False, kw_only=True):
    """A node as the catalogue finds it; `text` and `order` are folded, `state` is as at a glance."""

    held: Held
    row: LineageRow
    account: str
    project: str
    resource_type: str
    materialized: str
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    contacts: str
    text: str
    order: tuple[str, str, str]
    state: str
    ran_at: datetime | None


@dataclass(frozen=True, slots=True)
class CatalogShelf:
    """All nodes of the places that answer, in the order of their names, with the sentences that say why they do.

    `facets` counts all of them; `books` tell of each place how old its data are.
    """

    entries: tuple[CatalogEntry, ...]
    places: tuple[tuple[Held, str], ...]
    facets: Mapping[str, Mapping[str, int]]
    books: Mapping[Scope, AgeBook]


@dataclass(frozen=True, slots=True)
class LineageMemory:
    """What was read of manifests, which never change, and what was made of them: graphs, and where they are drawn.

    States are remembered for as long as nothing new is stored of their account.
    """

    manifests: Remembered[_Contents] = field(default_factory=lambda: Remembered(16))
    graphs: Remembered[_Joined] = field(default_factory=lambda: Remembered(8))
    numbered: Remembered[Numbered] = field(default_factory=lambda: Remembered(8))
    shown: Remembered[bytes] = field(default_factory=lambda: Remembered(16))
    folders: Remembered[Mapping[int, str]] = field(default_factory=lambda: Remembered(16))
    views: Remembered[tuple[LineageReport, Excerpt]] = field(default_factory=lambda: Remembered(8))
    states: Remembered[LineageStates] = field(default_factory=lambda: Remembered(8))
    glances: Remembered[Sequence[Glance]] = field(default_factory=lambda: Remembered(8))
    words: Remembered[Mapping[int, str]] = field(default_factory=lambda: Remembered(16))
    shelves: Remembered[CatalogShelf] = field(default_factory=lambda: Remembered(4))


@dataclass(frozen=True, slots=True)
class Shelf:
    """The manifests of one moment, each read once, or not at all where they are remembered."""

    tx: Connection
    moment: Moment
    memory: LineageMemory
    _read: dict[Scope, Held | None] = field(default_factory=dict)

    def find(self, place: PlaceRow) -> Held | None:
        """Find what held in a place; None where nothing did yet."""
        if place.scope not in self._read:
            self._read[place.scope] = self._load(place)
        return self._read[place.scope]

    def _load(self, place: PlaceRow) -> Held | None:
        key = self.moment.pinned.get(place.scope)
        if key is None:
            key = find_manifest_at(self.tx, place.scope, self.moment.at)
        if key is None:
            return None
        manifest = get_manifest(self.tx, place.account_key, key)
        contents = _remember_contents(self.tx, self.memory, manifest)
        return Held(place, manifest, contents.rows, contents.imported, contents.graph)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """The graph around a place. `stands_for` leads from the address of an imported node to that of its owner's.

    `identity` tells its manifests from all others.
    """

    lineage: Lineage
    stands_for: Mapping[NodeAddress, NodeAddress]
    held: Mapping[Scope, Held]
    identity: Hashable

    @property
    def account_key(self) -> int:
        """Whose projects these are."""
        return next(iter(self.held)).account_key

    def of(self, address: NodeAddress) -> Held:
        """Give the manifest that a node stands in."""
        return self.held[scope_of(address)]

    def row(self, address: NodeAddress) -> LineageRow | None:
        """Find a node; None where a manifest only names it."""
        held = self.held.get(scope_of(address))
        return None if held is None else held.rows.get(address.unique_id)


def read_parents(
    tx: Connection, memory: LineageMemory, account_key: int, manifest_key: int
) -> Mapping[str, tuple[str, ...]]:
    """Read the parents of each node of a manifest, by unique_id."""
    return _remember_contents(tx, memory, get_manifest(tx, account_key, manifest_key)).graph.parents


def scope_of(address: NodeAddress) -> Scope:
    """Give whose node it is."""
    return Scope(address.account_key, address.project_id, address.environment_id)


def list_rows(found: Iterable[Held]) -> list[tuple[Held, LineageRow]]:
    """List the nodes of several places; an imported one only where the project that owns it is not among them."""
    listed = list(found)
    owners = {(held.place.account_key, held.manifest.project_name) for held in listed}
    return [
        (held, row)
        for held in listed
        for row in held.rows.values()
        if row.unique_id not in held.imported or (held.place.account_key, package_of(row.unique_id)) not in owners
    ]


def name_of(row: LineageRow) -> str:
    """Give a node's name, with the version where a model has several."""
    whole = local_name(row.unique_id)
    return whole if row.resource_type == "model" and whole.startswith(f"{row.name}.v") else row.name


def open_estate(shelf: Shelf, place: PlaceRow) -> Estate:
    """Join the lineage of a place with that of the account's other projects.

    Those are taken from environments of the same deployment type (or, without one, of the same name) and from
    production; so nothing but production is ever joined to what is asked of production.
    """
    places = [
        other
        for other in list_places(shelf.tx, (place.account_key,))
        if other.scope == place.scope
        or (other.project_id != place.project_id and (other.is_production or other.role == place.role))
    ]
    found = [held for other in places if (held := shelf.find(other)) is not None]
    key = tuple((identify(held.manifest), held.place.role, held.place.is_production) for held in found)
    joined = shelf.memory.graphs.get(key, lambda: _join(found))
    return Estate(
        lineage=joined.lineage,
        stands_for=joined.stands_for,
        held={held.place.scope: held for held in found},
        identity=key,
    )


def number_estate(memory: LineageMemory, estate: Estate) -> Numbered:
    """Give the nodes of an estate as lists, remembered with its manifests."""
    return memory.numbered.get(estate.identity, lambda: _number(estate))


def _number(estate: Estate) -> Numbered:
    lineage = estate.lineage
    parents = lineage.list_parents()
    numbers: dict[tuple[int, int, int], int] = {}
    rows: list[Mapping[str, LineageRow]] = []
    scope_numbers: list[int] = []
    found: list[LineageRow | None] = []
    for address in lineage.nodes:
        account_key, project_id, environment_id, unique_id = address
        place = (account_key, project_id, environment_id)
        number = numbers.get(place, -1)
        if number < 0:
            number = numbers[place] = len(numbers)
            held = estate.held.get(Scope(*place))
            rows.append({} if held is None else held.rows)
        scope_numbers.append(number)
        found.append(rows[number].get(unique_id))
    return Numbered(parents, reverse(parents), [Scope(*place) for place in numbers], scope_numbers, found)


def _join(found: Iterable[Held]) -> _Joined:
    nodes, stands_for = join_projects(map(_project, found))
    return _Joined(Lineage.of(nodes), stands_for)


def _remember_contents(tx: Connection, memory: LineageMemory, manifest: ManifestRow) -> _Contents:
    return memory.manifests.get(identify(manifest), lambda: _read_contents(tx, manifest))


def _read_contents(tx: Connection, manifest: ManifestRow) -> _Contents:
    rows = {row.unique_id: row for row in list_lineage(tx, manifest.account_key, manifest.manifest_key)}
    scope = Scope(manifest.account_key, manifest.project_id, manifest.environment_id)
    return _Contents(rows, _imported(tx, manifest, rows.values()), _graph_of(scope, rows))


def _graph_of(scope: Scope, rows: Mapping[str, LineageRow]) -> Graph:
    readers: defaultdict[str, list[str]] = defaultdict(list)
    children: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows.values():
        reading = readers if row.resource_type in TESTS else children
        for parent in row.parents:
            reading[parent].append(row.unique_id)
    return Graph(
        scope=scope,
        nodes=rows,
        parents={unique_id: row.parents for unique_id, row in rows.items()},
        readers={unique_id: tuple(tests) for unique_id, tests in readers.items()},
        children={unique_id: tuple(names) for unique_id, names in children.items()},
    )


def identify(manifest: ManifestRow) -> tuple[object, ...]:
    """Tell a manifest from every other, also from one that got its key after it was deleted."""
    return manifest.account_key, manifest.manifest_key, manifest.content, manifest.first_seen_at


def _project(held: Held) -> ProjectLineage:
    place, rows = held.place, held.rows.values()
    return ProjectLineage(
        account_key=place.account_key,
        project_id=place.project_id,
        environment_id=place.environment_id,
        project_name=held.manifest.project_name,
        role=place.role,
        is_production=place.is_production,
        parents_by_id={row.unique_id: row.parents for row in rows},
        ephemeral=frozenset(row.unique_id for row in rows if row.is_ephemeral),
        imported=held.imported,
    )


def _imported(tx: Connection, manifest: ManifestRow, rows: Iterable[LineageRow]) -> frozenset[str]:
    """Find the models of other packages that have neither file nor code: another project's public ones."""
    foreign = [
        row
        for row in rows
        if row.resource_type == "model" and not row.parents and package_of(row.unique_id) != manifest.project_name
    ]
    nodes = read_nodes(tx, manifest.account_key, ((row.node_key, row.version) for row in foreign))
    return frozenset(
        row.unique_id
        for row in foreign
        if isinstance(node := nodes.get(row.node_key), Node) and not node.raw_code and not node.path
    )
