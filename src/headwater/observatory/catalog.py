"""The catalogue: every node of production, or of the environments asked for, and what fits a filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection

from headwater.observatory.catalog_shelf import FACETS, count_facet, open_shelf, owners_of
from headwater.observatory.environments import choose_places, list_asked_places
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import dotted
from headwater.observatory.lineage import TESTS, CatalogEntry, CatalogShelf, Held, name_of
from headwater.observatory.node_reports import CatalogNode, CatalogReport, NodePlace, NodeSummary
from headwater.store.lineage_rows import LineageRow
from headwater.store.writing import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFilter:
    """Which nodes are asked for, None for all; several resource types or materializations with commas between them.

    Every word of `text` is a part of a name, a unique_id, a table's name, a column, a description, a tag or an owner;
    `owner` a part of an owner's name or address.
    """

    account: str | None = None
    project: str | None = None
    environment: str | None = None
    resource_type: str | None = None
    owner: str | None = None
    tag: str | None = None
    materialized: str | None = None
    state: str | None = None
    text: str | None = None
    at: datetime | None = None


def list_catalog(
    observatory: Observatory, wanted: CatalogFilter | None = None, *, limit: int | None = 50, offset: int = 0
) -> CatalogReport:
    """List the nodes that fit a filter by name, project and account, tests last; no limit lists them all.

    With a text, the node of that name comes first, then names that begin with it, then names with it, then others.
    All nodes are kept in memory until something new is stored, so that a search asks the database hardly
    anything.

    Raises:
        NotKnown: the filter names an account, project or environment that is not there.
    """
    wanted = wanted or CatalogFilter()
    with observatory.store.read() as tx:
        chosen = choose_places(list_asked_places(tx, wanted.account), wanted.project, wanted.environment)
        shelf = open_shelf(observatory, tx, wanted.environment, wanted.at)
        here = {choice.place.scope for choice in chosen}
        listed, facets = _find(shelf, wanted, here)
        page = listed[offset : None if limit is None else offset + limit]
        ages = _list_ages(tx, shelf, page)
    all_types, all_kinds = shelf.facets["resource_type"], shelf.facets["materialized"]
    if wanted.account or wanted.project:
        within = [entry for entry in shelf.entries if entry.held.place.scope in here]
        all_types, all_kinds = count_facet("resource_type", within), count_facet("materialized", within)
    return CatalogReport(
        total=len(listed),
        nodes=tuple(map(_summarise_entry, page, ages)),
        resource_types=dict(all_types),
        materializations=dict(all_kinds),
        places=tuple(
            NodePlace(
                account=held.place.account_name,
                project_id=held.place.project_id,
                project_name=held.place.project_name,
                environment_id=held.place.environment_id,
                environment_name=held.place.environment_name,
                is_production=held.place.is_production,
                sentence=sentence,
            )
            for held, sentence in shelf.places
            if held.place.scope in here
        ),
        as_of=observatory.store.now(),
        facets={_ASKED_AS.get(name, name): dict(counts) for name, counts in facets.items()},
    )


def find_nodes(observatory: Observatory, text: str, *, limit: int) -> tuple[CatalogNode, ...]:
    """Find the nodes of production that a text names, the best first; how old their data are is not looked at."""
    with observatory.store.read() as tx:
        shelf = open_shelf(observatory, tx, None, None)
    listed, _ = _find(shelf, CatalogFilter(text=text), ())
    return tuple(_summarise_entry(entry, None) for entry in listed[:limit])


def _find(
    shelf: CatalogShelf, wanted: CatalogFilter, here: Collection[Scope]
) -> tuple[Sequence[CatalogEntry], Mapping[str, Mapping[str, int]]]:
    """Find what fits a filter, in the order in which it is shown, and count what each further choice would leave."""
    said: Sequence[CatalogEntry] = shelf.entries
    for word in _plain(wanted.text).split():
        said = [entry for entry in said if word in entry.text]
    asked = _read_filters(wanted, here)
    if not asked and not wanted.text:
        return shelf.entries, shelf.facets
    listed, facets = _sift(said, asked)
    text = _plain(wanted.text)
    return (sorted(listed, key=lambda entry: _rank(entry, text)) if text else listed), facets


def _list_ages(tx: Connection, shelf: CatalogShelf, page: Sequence[CatalogEntry]) -> list[datetime | None]:
    """List when the data of the nodes on a page are from, asked together for each place."""
    by_place: defaultdict[Scope, list[int]] = defaultdict(list)
    for number, entry in enumerate(page):
        by_place[entry.held.place.scope].append(number)
    ages: list[datetime | None] = [None] * len(page)
    for scope, numbers in by_place.items():
        addresses = [page[number].held.address(page[number].row.unique_id) for number in numbers]
        for number, age in zip(numbers, shelf.books[scope].list_ages(tx, addresses), strict=True):
            ages[number] = age
    return ages


def summarise_node(held: Held, row: LineageRow) -> NodeSummary:
    """Give a node as a row of a report."""
    place = held.place
    return NodeSummary(
        unique_id=row.unique_id,
        name=name_of(row),
        resource_type=row.resource_type,
        account=place.account_name,
        project_id=place.project_id,
        project_name=place.project_name,
        environment_id=place.environment_id,
        environment_name=place.environment_name,
        relation=dotted(row.relation) if row.relation is not None else None,
        materialized=row.materialized,
        group=row.group,
        owners=owners_of(held, row),
        tags=row.tags,
    )


def _summarise_entry(entry: CatalogEntry, data_as_of: datetime | None) -> CatalogNode:
    summary = summarise_node(entry.held, entry.row)
    return CatalogNode(
        **{field.name: getattr(summary, field.name) for field in fields(NodeSummary)},
        state=entry.state,
        ran_at=entry.ran_at,
        data_as_of=data_as_of,
    )


_ASKED_AS = {"owners": "owner", "tags": "tag"}
"""How a filter calls a facet of which a node may have several."""

_Fits = Callable[[CatalogEntry], bool]


def _read_filters(wanted: CatalogFilter, scopes: Collection[Scope]) -> dict[str, _Fits]:
    """Give what is asked of each facet, as far as anything is; the scopes are those of its account and project."""
    accounts = frozenset(scope.account_key for scope in scopes)
    types, kinds, states = (_split(words) for words in (wanted.resource_type, wanted.materialized, wanted.state))
    tag, owner = _plain(wanted.tag), _plain(wanted.owner)
    asked: dict[str, _Fits] = {}
    if wanted.account:
        asked["account"] = lambda entry: entry.held.place.account_key in accounts
    if wanted.project:
        asked["project"] = lambda entry: entry.held.place.scope in scopes
    if types:
        asked["resource_type"] = lambda entry: entry.resource_type in types
    if kinds:
        asked["materialized"] = lambda entry: entry.materialized in kinds
    if states:
        asked["state"] = lambda entry: entry.state in states
    if tag:
        asked["tags"] = lambda entry: any(tag == known.casefold() for known in entry.tags)
    if owner:
        asked["owners"] = lambda entry: owner in entry.contacts
    return asked


def _sift(
    entries: Iterable[CatalogEntry], asked: Mapping[str, _Fits]
) -> tuple[list[CatalogEntry], dict[str, dict[str, int]]]:
    """Keep what fits all that is asked, and count for each facet what fits all that is asked of the others."""
    listed: list[CatalogEntry] = []
    besides: dict[str, list[CatalogEntry]] = {name: [] for name in asked}
    for entry in entries:
        missed = [name for name, fits in asked.items() if not fits(entry)]
        if not missed:
            listed.append(entry)
        elif len(missed) == 1:
            besides[missed[0]].append(entry)
    return listed, {name: count_facet(name, [*listed, *besides.get(name, ())]) for name in FACETS}


def _rank(entry: CatalogEntry, text: str) -> int:
    """Give where a node stands among those that say a text."""
    name = entry.order[0]
    is_test = entry.resource_type in TESTS
    return 8 * (name != text) + 4 * (not name.startswith(text)) + 2 * is_test + (text not in name)


def _plain(word: str | None) -> str:
    return (word or "").strip().casefold()


def _split(words: str | None) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in (words or "").split(",") if word.strip())
