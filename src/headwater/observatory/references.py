"""From what people write, a unique_id, a model's name or a table's name, to one node of one environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.matching import Found
from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.model.lineage import NodeAddress
from headwater.model.node import Relation, local_name
from headwater.observatory.environments import Choice, choose_places, list_asked_places, say_place, say_short
from headwater.observatory.holder import Observatory, read_account
from headwater.observatory.lineage import Estate, Held, Moment, Shelf, open_estate
from headwater.observatory.runs import read_run_account
from headwater.observatory.table_references import find_said, find_table
from headwater.store import run_queries
from headwater.store.invocation_queries import list_run_invocations
from headwater.store.lineage import list_places
from headwater.store.lineage_rows import LineageRow, PlaceRow
from headwater.store.values import clean_key
from headwater.store.writing import Scope

_BUILT = frozenset({"model", "seed", "snapshot", "source", "function"})
_MOST_CANDIDATES = 20
_MOST_NEAR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQuestion:
    """Which node is meant, by names as people write them, and as it was when: at a time, or in a run."""

    ref: str
    account: str | None = None
    project: str | None = None
    environment: str | None = None
    run_id: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNode:
    """The node that was meant, the graph around it, and how its environment was chosen."""

    address: NodeAddress
    row: LineageRow
    held: Held
    estate: Estate
    moment: Moment
    sentence: str
    other_environments: tuple[str, ...]
    notes: tuple[str, ...]


def find_node(observatory: Observatory, tx: Connection, asked: NodeQuestion) -> FoundNode:
    """Find the node that is meant, in production where no environment is named.

    Raises:
        NotKnown: nothing is called so there; the hint says where it is known, if anywhere.
        Ambiguous: several are; they are listed.
        WrongUse: both a run and a time were named.
    """
    places, moment = _read_question(tx, asked)
    shelf = Shelf(tx, moment, observatory.lineage)
    choices = choose_places(places, asked.project, asked.environment)
    looked = [(choice, held) for choice in choices if (held := shelf.find(choice.place)) is not None]
    candidates = _find_candidates(tx, asked.ref, looked)
    if not candidates:
        raise _not_known(shelf, asked, places, looked)
    if len(candidates) > 1:
        named = [_say_candidate(held.place, row) for _, held, row in candidates]
        raise Ambiguous(
            f"{say_short(asked.ref)} could be {len(named)} nodes.",
            candidates=(*named[:_MOST_CANDIDATES], *(["…"] if len(named) > _MOST_CANDIDATES else [])),
            hint="Use a unique_id, or add the account, project or environment.",
        )
    ((choice, held, row),) = candidates
    return _found(shelf, choice, held, row)


def match_reference(ref: str, rows: Iterable[LineageRow]) -> list[LineageRow]:
    """Find the nodes that a reference may mean, the best kind of match only.

    A unique_id goes before the name of what is built (`orders`, `orders.v2`, or `shop.orders` of a source) or its
    table's dotted name, with or without schema and database; those before any other node's name.
    """
    listed, unique_id = list(rows), clean_key(ref)
    exact = [row for row in listed if row.unique_id == unique_id]
    if exact:
        return exact
    table = split_dotted(ref)
    named = [row for row in listed if row.name == ref or local_name(row.unique_id) == ref]
    built = [row for row in listed if row.resource_type in _BUILT and _names(table, row.relation)]
    built += [row for row in named if row.resource_type in _BUILT and row not in built]
    return built or named


def split_dotted(name: str) -> tuple[str, ...]:
    """Split a table's name at its dots, without regard to case and quotes: `"Shop"."Orders"` → shop, orders."""
    parts, part, quote = [], "", ""
    closing = {'"': '"', "`": "`", "[": "]"}
    for letter in name.strip():
        if quote:
            if letter == quote:
                quote = ""
            else:
                part += letter
        elif letter in closing and not part:
            quote = closing[letter]
        elif letter == ".":
            parts.append(part)
            part = ""
        else:
            part += letter
    return tuple(text.casefold() for text in (*parts, part))


def _read_question(tx: Connection, asked: NodeQuestion) -> tuple[list[PlaceRow], Moment]:
    if not asked.ref.strip():
        raise WrongUse("No node is named.", hint="Give a unique_id, a model's name or a table's name.")
    if asked.run_id is None:
        return list_asked_places(tx, asked.account), Moment(at=asked.at)
    if asked.at is not None:
        raise WrongUse("Both a run and a time are named.", hint="Ask for one of them.")
    account_key = read_account(tx, asked.account).account_key if asked.account else read_run_account(tx, asked.run_id)
    scope, moment = read_run_moment(tx, account_key, asked.run_id)
    places = list_places(tx, (account_key,))
    return [place for place in places if place.scope == scope], moment


def read_run_moment(tx: Connection, account_key: int, run_id: int) -> tuple[Scope, Moment]:
    """Find where a run ran, and which manifest it ran with: that of its last step which has one.

    Raises:
        NotKnown: the run is not stored.
    """
    page = run_queries.list_runs(tx, run_queries.RunFilter(account_keys=(account_key,), run_id=run_id), limit=1)
    if not page.runs:
        raise NotKnown(f"Run {run_id} is not stored.", hint="headwater runs lists what is.")
    run = page.runs[0].run
    invocations = list_run_invocations(tx, account_key, run_id)
    at = run.finished_at or page.runs[0].placed_at
    manifests = [row for row in invocations if row.manifest_key is not None]
    if not manifests:
        note = f"Run {run_id} left no manifest; this is the lineage that held at {at:%Y-%m-%d %H:%M} UTC."
        return Scope(account_key, run.project_id or 0, run.environment_id or 0), Moment(at=at, notes=(note,))
    last = manifests[-1]
    assert last.manifest_key is not None  # noqa: S101  only those are listed
    several = len({row.manifest_key for row in manifests}) > 1
    note = f"The steps of run {run_id} had several manifests; this is that of step {last.invocation.step_index}."
    scope = Scope(account_key, last.project_id, last.environment_id)
    return scope, Moment(at=at, pinned={scope: last.manifest_key}, notes=(note,) if several else ())


_Looked = Sequence[tuple[Choice, Held]]
_Candidate = tuple[Choice, Held, LineageRow]


def _find_candidates(tx: Connection, ref: str, looked: _Looked) -> list[_Candidate]:
    """Find what a reference may mean: what a person said it is, else nodes and tables called so, else tables by
    how their warehouse quotes and folds names.
    """
    places = [held for _, held in looked]
    said = _of_table(find_said(tx, ref, places), looked)
    if said:
        return said
    unique_id = clean_key(ref)
    exact = [(choice, held, held.rows[unique_id]) for choice, held in looked if unique_id in held.rows]
    if exact:
        return _without_imported(exact)
    named = [(choice, held, row) for choice, held in looked for row in match_reference(ref, held.rows.values())]
    return _without_imported(_best(named, ref)) or _of_table(find_table(ref, places), looked)


def _of_table(found: Found, looked: _Looked) -> list[_Candidate]:
    """Give the nodes of the best matches, with why they match in the sentence."""
    best = [match for match in found.matches if match.confidence == found.matches[0].confidence]
    placed = [(*looked[match.node.place], match) for match in best]
    return [
        (replace(choice, sentence=f"{choice.sentence} {match.reason}"), held, held.rows[match.node.unique_id])
        for choice, held, match in placed
    ]


def _best(candidates: list[_Candidate], ref: str) -> list[_Candidate]:
    """Keep, over all places, only the best kind of match."""
    best = {id(row) for row in match_reference(ref, (row for _, _, row in candidates))}
    return [candidate for candidate in candidates if id(candidate[2]) in best]


def _without_imported(candidates: list[_Candidate]) -> list[_Candidate]:
    """Leave out a node where the project that owns it, of the same account, has it too."""
    owned = {
        (held.place.account_key, row.unique_id) for _, held, row in candidates if row.unique_id not in held.imported
    }
    return [
        (choice, held, row)
        for choice, held, row in candidates
        if row.unique_id not in held.imported or (held.place.account_key, row.unique_id) not in owned
    ]


def _found(shelf: Shelf, choice: Choice, held: Held, row: LineageRow) -> FoundNode:
    estate = open_estate(shelf, held.place)
    address = held.address(row.unique_id)
    owner = estate.stands_for.get(address)
    sentence = choice.sentence
    if owner is not None:
        asked_place, address, held = held.place, owner, estate.of(owner)
        sentence = f"{say_place(held.place)} answers: it owns what {say_place(asked_place)} imports."
        row = held.rows[owner.unique_id]
    others = [
        say_place(place)
        for place in list_places(shelf.tx, (held.place.account_key,))
        if place.project_id == held.place.project_id and place.scope != held.place.scope
    ]
    return FoundNode(
        address=address,
        row=row,
        held=held,
        estate=estate,
        moment=shelf.moment,
        sentence=sentence,
        other_environments=tuple(others),
        notes=shelf.moment.notes,
    )


def _not_known(shelf: Shelf, asked: NodeQuestion, places: Sequence[PlaceRow], looked: _Looked) -> NotKnown:
    message = f"There is no node {say_short(asked.ref)}."
    if not places:
        return NotKnown(message, hint="No lineage is stored yet; it comes with a run's manifest.")
    if not looked:
        return NotKnown(message, hint="No manifest is known of that time or place.")
    scopes = {held.place.scope for _, held in looked}
    others = [held for place in places if place.scope not in scopes and (held := shelf.find(place)) is not None]
    elsewhere = [say_place(held.place) for held in others if match_reference(asked.ref, held.rows.values())]
    if elsewhere:
        return NotKnown(message, hint=f"It is known elsewhere: {', '.join(elsewhere)}.")
    if shelf.moment != Moment():
        return NotKnown(message, hint="It was not in the lineage then; ask without a time or a run.")
    near = [near.node.unique_id for near in find_table(asked.ref, [held for _, held in looked]).near[:_MOST_NEAR]]
    if near:
        return NotKnown(message, hint=f"Near it: {', '.join(near)}.")
    return NotKnown(message, hint="'headwater catalog --text WORD' looks for nodes by a part of their name.")


def _names(table: tuple[str, ...], relation: Relation | None) -> bool:
    if relation is None:
        return False
    whole = (relation.database or "", relation.schema, relation.identifier)
    return tuple(part.casefold() for part in whole)[-len(table) :] == table


def _say_candidate(place: PlaceRow, row: LineageRow) -> str:
    return f"{row.unique_id} in {place.account_name}, {say_place(place)}"
