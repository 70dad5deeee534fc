"""All nodes that the catalogue may show, made ready for searching and kept until something new is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection

from headwater.model.lineage import NodeAddress
from headwater.model.verdict import NodeState
from headwater.observatory.catalog_ages import AgeBook, open_book
from headwater.observatory.environments import choose_places
from headwater.observatory.explorer_states import look_at_all
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import dotted
from headwater.observatory.lineage import (
    TESTS,
    CatalogEntry,
    CatalogShelf,
    Held,
    LineageMemory,
    Moment,
    Shelf,
    identify,
    list_rows,
    number_estate,
    open_estate,
)
from headwater.observatory.lineage_reports import Glance
from headwater.store.accounts import read_revisions
from headwater.store.catalog import find_last_seen, list_catalog_tables
from headwater.store.lineage import list_places, read_words
from headwater.store.lineage_rows import LineageRow
from headwater.store.writing import Scope

FACETS = ("account", "project", "resource_type", "state", "owners", "tags", "materialized")
"""What the nodes of the catalogue are counted by."""


def open_shelf(observatory: Observatory, tx: Connection, environment: str | None, at: datetime | None) -> CatalogShelf:
    """Open all nodes of production, or of the environments of a name, as they are or were at a time.

    Raises:
        NotKnown: no environment is called so.
    """
    revisions = read_revisions(tx)
    key = (tuple(revisions.items()), environment, at)
    until = at or observatory.store.now()
    return observatory.lineage.shelves.get(
        key, lambda: _fill(tx, observatory.lineage, environment, Moment(at=at), until, revisions)
    )


def owners_of(held: Held, row: LineageRow) -> tuple[str, ...]:
    """Name who owns a node: itself, or its group, says it."""
    if row.owner:
        return (row.owner,)
    found = [group.owner for group in held.manifest.groups if group.name == row.group] if row.group else []
    return tuple(name for owner in found if (name := owner.name or owner.email))


def _fill(
    tx: Connection,
    memory: LineageMemory,
    environment: str | None,
    moment: Moment,
    until: datetime,
    revisions: Mapping[int, int],
) -> CatalogShelf:
    shelf = Shelf(tx, moment, memory)
    choices = choose_places(list_places(tx), None, environment)
    found = [(held, choice.sentence) for choice in choices if (held := shelf.find(choice.place)) is not None]
    words = {held.place.scope: _read_words(tx, memory, held) for held, _ in found}
    states: dict[NodeAddress, Glance] = {}
    books: dict[Scope, AgeBook] = {}
    for held, _ in found:
        estate = open_estate(shelf, held.place)
        nodes = number_estate(memory, estate)
        books[held.place.scope] = open_book(estate, nodes, held.place.account_key, until)
        revision = (revisions[estate.account_key], moment.at)
        seen = look_at_all(tx, memory, estate, nodes, until, revision)
        states |= zip(estate.lineage.nodes, seen, strict=True)
    entries = [
        _entry(held, row, words[held.place.scope].get(row.node_key, ""), states.get(held.address(row.unique_id)))
        for held, row in list_rows(held for held, _ in found)
    ]
    entries.sort(key=lambda entry: (entry.resource_type in TESTS, entry.order))
    return CatalogShelf(tuple(entries), tuple(found), count_facets(entries), books)


def count_facets(entries: Sequence[CatalogEntry]) -> dict[str, dict[str, int]]:
    """Count for each facet how many of some nodes have each value, the most first."""
    return {name: count_facet(name, entries) for name in FACETS}


def count_facet(name: str, entries: Sequence[CatalogEntry]) -> dict[str, int]:
    """Count the values of one facet."""
    values = [getattr(entry, name) for entry in entries]
    counts = Counter(chain.from_iterable(values) if name in {"owners", "tags"} else filter(None, values))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _read_words(tx: Connection, memory: LineageMemory, held: Held) -> Mapping[int, str]:
    """Read what nodes say of themselves and what columns the warehouse has; anew only with a manifest or a catalog."""
    scope = held.place.scope

    def read() -> dict[int, str]:
        words = read_words(tx, scope.account_key, ((row.node_key, row.version) for row in held.rows.values()))
        for found in list_catalog_tables(tx, scope):
            columns = "\n".join(column.name for column in found.table.columns)
            words[found.node_key] = f"{words.get(found.node_key, '')}\n{columns}"
        return words

    return memory.words.get((identify(held.manifest), find_last_seen(tx, scope)), read)


def _entry(held: Held, row: LineageRow, words: str, seen: Glance | None) -> CatalogEntry:
    owners, table = owners_of(held, row), dotted(row.relation) if row.relation is not None else ""
    contacts = "\n".join((*owners, *_addresses(held, row))).casefold()
    text = "\n".join((row.name, row.unique_id, table, *row.tags, words)).casefold()
    return CatalogEntry(
        held=held,
        row=row,
        account=held.place.account_name,
        project=held.place.project_name or str(held.place.project_id),
        resource_type=row.resource_type,
        materialized=row.materialized or "",
        tags=row.tags,
        owners=owners,
        contacts=contacts,
        text=f"{text}\n{contacts}",
        order=(row.name.casefold(), row.unique_id, held.place.account_name),
        state=str(seen.state if seen is not None else NodeState.UNKNOWN),
        ran_at=seen.at if seen is not None else None,
    )


def _addresses(held: Held, row: LineageRow) -> tuple[str, ...]:
    """Give names and addresses of who owns the group of a node."""
    found = [group.owner for group in held.manifest.groups if row.group and group.name == row.group]
    return tuple(name for owner in found for name in (owner.name, owner.email) if name)
