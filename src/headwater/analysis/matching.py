"""From a table's name as it was written to the node that builds or declares it.

Nothing is guessed: what is only alike is near, and several that fit alike are said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from headwater.analysis.near_names import list_near
from headwater.analysis.table_names import LONGEST, Part, TableName, read_table_name, real_name
from headwater.analysis.table_nodes import TableNode, each_known_name, real_names
from headwater.analysis.table_variants import Variant, fits_wildcard, list_variants

SHARDED = frozenset({"bigquery", None})
"""The adapters whose tables may be date shards; None is an adapter that is not known."""

_NO_DATABASE = frozenset({"hive_metastore", "spark_catalog", "awsdatacatalog"})
"""What warehouses call the catalog of relations that dbt names without one."""

_FULLNESS = {3: 1.0, 2: 0.9, 1: 0.7}
"""Confidence by how many parts were named and fit; where dbt names no database, two are all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a person said a table is, with the name as that person wrote it."""

    table: str
    unique_id: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A node that a table's name fits, why, and how surely, from 0 to 1."""

    node: TableNode
    reason: str
    confidence: float
    is_override: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A node that a table's name does not fit, and what it has in common with it."""

    node: TableNode
    reason: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a name fits, best first, and what is near where nothing fits surely; `unknown` says what is not known."""

    matches: tuple[Match, ...] = ()
    near: tuple[Near, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether the best match is not the only one of its kind."""
        return len(self.matches) > 1 and self.matches[0].confidence == self.matches[1].confidence


class _Likeness(IntEnum):
    OTHER = 0
    BUT_CASE = 1
    SAME = 2


def find_matches(table: str, nodes: Sequence[TableNode], overrides: Iterable[Override] = ()) -> Found:
    """Find the nodes that a written name means; never raises, whatever was written."""
    readings = read_table_name(table)
    if not readings:
        return Found(unknown=(_say_unreadable(table),))
    said, forgotten = _overridden(readings, nodes, overrides)
    if said:
        return Found(matches=_settle(said))
    best: dict[tuple[int, str], Match] = {}
    for match in _each_match(readings, nodes):
        key = (match.node.place, match.node.unique_id)
        if key not in best or match.confidence > best[key].confidence:
            best[key] = match
    matches = _settle(list(best.values()))
    near: tuple[Near, ...] = ()
    if not matches or matches[0].confidence < 0.6:
        near = tuple(
            Near(node=node, reason=reason, similarity=similarity)
            for node, reason, similarity in list_near(readings, nodes)
            if (node.place, node.unique_id) not in best
        )
    unknown = () if matches else ("No node builds or declares this table.",)
    return Found(matches=matches, near=near, unknown=(*forgotten, *unknown))


def is_same_name(one: str, other: str, adapter: str | None) -> bool:
    """Tell whether two ways of writing have the same parts."""
    known = read_table_name(one)[:1]
    return any(_has_same_parts(name, reading, adapter) for name in known for reading in read_table_name(other))


def is_part_of(table: str, known: TableName, adapter: str | None) -> bool:
    """Tell whether a written name is a full name of a warehouse, or the end of it."""
    full = [real_name(part, adapter) for part in known.parts]
    for reading in read_table_name(table):
        asked = [real_name(part, adapter) for part in reading.parts]
        if asked == full[-len(asked) :]:
            return True
    return False


def _say_unreadable(table: str) -> str:
    if not table.strip():
        return "No table was named."
    if len(table) > LONGEST:
        return f"The name has {len(table):,} characters; no warehouse has tables with names over {LONGEST:,}."
    return "What was written names no table: nothing stands where the table's name belongs."


def _overridden(
    readings: tuple[TableName, ...], nodes: Sequence[TableNode], overrides: Iterable[Override]
) -> tuple[list[Match], tuple[str, ...]]:
    """Give what a person said the name means, and a sentence for each node said that dbt does not know any more."""
    by_key = {(node.place, node.unique_id): node for node in nodes}
    adapters = {node.place: node.adapter for node in nodes}
    matches, forgotten = [], []
    for override in overrides:
        known = read_table_name(override.table)
        adapter = adapters.get(override.place)
        if not known or not any(_has_same_parts(known[0], reading, adapter) for reading in readings):
            continue
        node = by_key.get((override.place, override.unique_id))
        if node is not None:
            matches.append(Match(node=node, reason="You said so.", confidence=1.0, is_override=True))
        else:
            forgotten.append(f"You said that it is {override.unique_id}, which dbt does not know any more.")
    return matches, tuple(forgotten)


def _has_same_parts(one: TableName, other: TableName, adapter: str | None) -> bool:
    return [real_name(part, adapter) for part in one.parts] == [real_name(part, adapter) for part in other.parts]


def _each_match(readings: tuple[TableName, ...], nodes: Sequence[TableNode]) -> Iterator[Match]:
    for reading in readings:
        variants = list_variants(reading.table.text)
        wanted = [variant.table.casefold() for variant in variants]
        for node in nodes:
            if _may_fit(reading, node, wanted):
                best = max(_each_judgement(reading, variants, node), key=lambda match: match.confidence, default=None)
                if best is not None:
                    yield best


def _may_fit(reading: TableName, node: TableNode, wanted: list[str]) -> bool:
    """Sift out in a moment what cannot fit: most nodes."""
    if reading.adapters and node.adapter is not None and node.adapter not in reading.adapters:
        return False
    identifier = node.relation.identifier.casefold() if node.relation is not None else ""
    if identifier in wanted or (identifier.endswith("*") and fits_wildcard(wanted[0], identifier)):
        return True
    written = node.relation_name
    return written is not None and any(table in written.casefold() for table in wanted)


def _each_judgement(reading: TableName, variants: tuple[Variant, ...], node: TableNode) -> Iterator[Match]:
    for parts in each_known_name(node):
        for variant in variants:
            if variant.is_shard and node.adapter not in SHARDED:
                continue
            match = _judge(reading, variant, parts, node)
            if match is not None:
                yield match


def _judge(reading: TableName, variant: Variant, known: tuple[Part, ...], node: TableNode) -> Match | None:
    asked = (*reading.parts[:-1], replace(reading.table, text=variant.table))
    notes = [variant.note] if variant.note else []
    weight = variant.weight
    table = _compare(asked[-1], known[-1], node.adapter)
    may_be_shard = table is _Likeness.OTHER and not variant.note and node.adapter in SHARDED
    if may_be_shard and fits_wildcard(asked[-1].text, known[-1].text):
        table, weight = _Likeness.SAME, weight * 0.95
        notes.append(f"{asked[-1].text} is one of the tables of {known[-1].text}.")
    pairs = list(zip(reversed(asked[:-1]), reversed(known[:-1]), strict=False))
    likenesses = [table, *(_compare(mine, theirs, node.adapter) for mine, theirs in pairs if mine.text)]
    if _Likeness.OTHER in likenesses:
        return None
    has_more = len(asked) > len(known)
    if has_more and asked[0].text.casefold() not in _NO_DATABASE:
        weight *= 0.85
        notes.append(f"dbt names no database for it, so {asked[0].text} was not compared.")
    named = sum(bool(part.text) for part in asked)
    is_full = len(asked) >= len(known) and named == len(asked)
    weight *= 1.0 if is_full else _FULLNESS[max(1, min(named, 2))]
    if _Likeness.BUT_CASE in likenesses:
        weight *= 0.9
        notes.append(f"Upper and lower case differ, which {node.adapter or 'this warehouse'} tells apart.")
    if reading.note:
        weight *= 0.95
        notes.append(reading.note)
    reason = " ".join([_say_parts(asked, known), *notes])
    return Match(node=node, reason=reason, confidence=round(weight, 2))


def _compare(asked: Part, known: Part, adapter: str | None) -> _Likeness:
    if real_name(asked, adapter) == real_name(known, adapter):
        return _Likeness.SAME
    return _Likeness.BUT_CASE if asked.text.casefold() == known.text.casefold() else _Likeness.OTHER


def _say_parts(asked: tuple[Part, ...], known: tuple[Part, ...]) -> str:
    compared = [part for part in asked[-len(known) :] if part.text]
    if len(compared) == 3:
        return "Database, schema and table are the same."
    if len(compared) == 2 and len(asked) == 2 and len(known) == 3:
        return "Schema and table are the same; no database was named."
    if len(compared) == 2:
        return "Schema and table are the same." if len(known) == 2 else "Table and database are the same."
    return "The table's name is the same; no schema was named."


def _settle(matches: list[Match]) -> tuple[Match, ...]:
    """Put the best first; a source yields to what builds its table, and several best ones share the confidence."""
    builders = {_where(match.node): match.node for match in matches if match.node.builds}
    settled = [_yield_to(builders.get(_where(match.node)), match) for match in matches]
    best = max((match.confidence for match in settled), default=0.0)
    count = sum(match.confidence == best for match in settled)
    shared = [_share(match, count, is_best=match.confidence == best) for match in settled] if count > 1 else settled
    return tuple(sorted(shared, key=lambda match: (-match.confidence, match.node.unique_id, match.node.place)))


def _yield_to(builder: TableNode | None, match: Match) -> Match:
    if builder is None or match.node.builds or match.is_override:
        return match
    reason = f"{match.reason} It is declared here as a source; {builder.unique_id} builds it."
    return replace(match, reason=reason, confidence=round(match.confidence * 0.9, 2))


def _share(match: Match, count: int, *, is_best: bool) -> Match:
    reason = f"{match.reason} {count} nodes fit alike." if is_best else match.reason
    return replace(match, reason=reason, confidence=round(match.confidence / count, 2))


def _where(node: TableNode) -> tuple[str, ...]:
    return (node.account, *real_names(node))
