"""From a warehouse table's name to its node: the question, its answer, and what a person says instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.matching import Found, Match, Near, Override, find_matches, is_part_of
from headwater.analysis.table_names import Part, TableName
from headwater.analysis.table_nodes import say_relation
from headwater.observatory.holder import Observatory
from headwater.observatory.table_places import Place, choose_places, read_place_nodes, say_places
from headwater.store import overrides as stored
from headwater.store.values import clean_text
from headwater.store.warehouses import list_table_names, list_warehouses

_LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPlace:
    """An account's project and environment that a question was answered from."""

    account: str
    project: str | None
    environment: str | None
    is_production: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMatch:
    """A node that a table's name means, why, and how surely: 1 is certain."""

    unique_id: str
    reason: str
    confidence: float
    resource_type: str
    relation: str
    account: str
    project: str | None
    environment: str | None
    is_override: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NearTable:
    """A node that a table's name does not mean, but has something in common with."""

    unique_id: str
    reason: str
    similarity: float
    relation: str | None
    account: str
    project: str | None
    environment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSighting:
    """A table of this name as a warehouse held it when it was last read."""

    warehouse: str
    relation: str
    kind: str
    row_count: int | None
    altered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """What a warehouse table's name means to dbt, best first; what is only alike is near, and never a match."""

    table: str
    matches: tuple[TableMatch, ...]
    near: tuple[NearTable, ...]
    sentence: str
    is_ambiguous: bool
    unknown: tuple[str, ...]
    environments: tuple[MatchedPlace, ...]
    warehouses: tuple[TableSighting, ...]
    as_of: datetime


def match_table(
    observatory: Observatory,
    table: str,
    *,
    account: str | None = None,
    project: str | None = None,
    environment: str | None = None,
) -> MatchReport:
    """Find the node that builds or declares a warehouse table, however its name is written.

    Where no environment is named, each project answers from production, else from where it was parsed last; the
    other environments are asked only where that knows nothing, and what they know is near.

    Raises:
        NotKnown: there is no such account, project or environment.
        Ambiguous: several projects or environments are called so.
    """
    name = clean_text(table) or ""
    chosen, others = choose_places(observatory, account=account, project=project, environment=environment)
    with observatory.store.read() as tx:
        known = read_place_nodes(tx, chosen)
        said = stored.list_overrides(tx, {place.scope.account_key for place in chosen})
        found = find_matches(name, known.nodes, _overrides(said, chosen))
        elsewhere = read_place_nodes(tx, others) if not found.matches and others else None
        sightings = _find_sightings(tx, name, {place.scope.account_key for place in chosen})
    near = [_near(one, chosen) for one in found.near]
    if elsewhere is not None:
        near = [_near_match(one, others) for one in find_matches(name, elsewhere.nodes).matches] + near
    return MatchReport(
        table=name,
        matches=tuple(_match(one, chosen) for one in found.matches),
        near=tuple(near),
        sentence=_say(name, found, say_places(chosen, is_asked=bool(environment)), near, sightings),
        is_ambiguous=found.is_ambiguous,
        unknown=found.unknown,
        environments=tuple(_matched_place(place) for place in chosen),
        warehouses=tuple(sightings),
        as_of=observatory.store.now(),
    )


def _overrides(said: Sequence[stored.MatchOverride], places: Sequence[Place]) -> list[Override]:
    index = {place.scope: number for number, place in enumerate(places)}
    return [
        Override(table=one.table, unique_id=one.unique_id, place=index[one.scope]) for one in said if one.scope in index
    ]


def _find_sightings(tx: Connection, table: str, account_keys: set[int]) -> list[TableSighting]:
    """Find the tables of this name among those that were read of the accounts' warehouses."""
    found = []
    for warehouse in list_warehouses(tx, account_keys):
        for held in list_table_names(tx, warehouse):
            texts = [held.relation.database, held.relation.schema, held.relation.identifier]
            name = TableName(parts=tuple(Part(text, True) for text in texts if text))
            if is_part_of(table, name, warehouse.kind):
                sighting = TableSighting(
                    warehouse=warehouse.name,
                    relation=".".join(part.text for part in name.parts),
                    kind=held.kind,
                    row_count=held.row_count,
                    altered_at=held.altered_at,
                    read_at=warehouse.read_at,
                )
                found.append(sighting)
    return found


def _say(
    table: str,
    found: Found,
    where: str,
    near: Sequence[NearTable],
    sightings: Sequence[TableSighting],
) -> str:
    shown = say_name(table)
    if found.is_ambiguous:
        count = sum(match.confidence == found.matches[0].confidence for match in found.matches)
        return f"{shown} is ambiguous: {count} nodes fit alike. Write more of its name, or narrow the question. {where}"
    if found.matches:
        best = found.matches[0]
        does = "is built by" if best.node.builds else "is declared as"
        return f"{shown} {does} {best.node.unique_id}: {best.reason} {where}"
    held = f" It is a {sightings[0].kind} of {sightings[0].warehouse}." if sightings else ""
    alike = f" {len(near)} {'is' if len(near) == 1 else 'are'} near." if near else ""
    return f"{shown} is not known. {' '.join(found.unknown)}{held}{alike} {where}"


def _match(match: Match, places: Sequence[Place]) -> TableMatch:
    place = places[match.node.place]
    return TableMatch(
        unique_id=match.node.unique_id,
        reason=match.reason,
        confidence=match.confidence,
        resource_type=match.node.resource_type,
        relation=say_relation(match.node),
        account=place.account,
        project=place.project,
        environment=place.environment,
        is_override=match.is_override,
    )


def _near(near: Near, places: Sequence[Place]) -> NearTable:
    place = places[near.node.place]
    return NearTable(
        unique_id=near.node.unique_id,
        reason=near.reason,
        similarity=near.similarity,
        relation=say_relation(near.node) or None,
        account=place.account,
        project=place.project,
        environment=place.environment,
    )


def _near_match(match: Match, places: Sequence[Place]) -> NearTable:
    """Tell of a match in an environment that was not asked: near, since another environment's table is another one."""
    place = places[match.node.place]
    where = place.environment or "another environment"
    reason = f"{match.reason} But this is {where}, which does not answer unless it is named."
    return _near(Near(node=match.node, reason=reason, similarity=match.confidence), places)


def _matched_place(place: Place) -> MatchedPlace:
    return MatchedPlace(
        account=place.account,
        project=place.project,
        environment=place.environment,
        is_production=place.is_production,
    )


def say_name(text: str) -> str:
    """Give a name as it can be printed: without what moves a terminal's cursor, and not for pages."""
    printable = "".join(letter if letter.isprintable() else "\ufffd" for letter in text.strip())
    if not printable:
        return "An empty name"
    return printable if len(printable) <= _LONGEST_SHOWN else f"{printable[:_LONGEST_SHOWN]}…"
