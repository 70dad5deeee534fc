"""In what state the things of a view of the lineage are; remembered until something new of its account is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.excerpt import Excerpt
from headwater.analysis.glance import WORST_FIRST, find_worst, glance
from headwater.analysis.states import DESCRIBED
from headwater.errors import NotKnown
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState
from headwater.observatory.explorer import FoundLineage, LineageQuestion, find_lineage, name_key, open_view
from headwater.observatory.holder import Observatory
from headwater.observatory.lineage import TESTS, Estate, LineageMemory, Numbered
from headwater.observatory.lineage_reports import Glance, LineageReport, LineageStates
from headwater.store.accounts import list_accounts, read_revisions
from headwater.store.lineage_rows import LineageRow
from headwater.store.outcome_queries import list_latest_outcomes, list_place_outcomes

_FEW = 600
"""Up to so many nodes are looked at alone, more with all of their graph."""
_MOST_PREPARED = 3
"""So many accounts are remembered beside what is looked at."""


def get_lineage_states(observatory: Observatory, asked: LineageQuestion) -> LineageStates:
    """Get the states of what a view shows, now or at a time that was asked for.

    Raises:
        NotKnown: as of the view.
        Ambiguous: as of the view.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = find_lineage(observatory, tx, asked)
        return read_states(tx, observatory.lineage, found, asked, now)[1]


def prepare_lineage(observatory: Observatory) -> None:
    """Draw the lineage of the first accounts as it is asked for at first, with its states, to be remembered by then."""
    with observatory.store.read() as tx:
        accounts = list_accounts(tx)
    for account in accounts[:_MOST_PREPARED]:
        with suppress(NotKnown):
            get_lineage_states(observatory, LineageQuestion(account=account.name))


def read_states(
    tx: Connection, memory: LineageMemory, found: FoundLineage, asked: LineageQuestion, now: datetime
) -> tuple[LineageReport, LineageStates]:
    """Read a view of a lineage that was found, and the states of what it shows."""
    view, excerpt = open_view(tx, memory, found, asked)
    until = asked.at or now
    revision = (read_revisions(tx)[found.estate.account_key], asked.at)
    key = (view.etag, revision)

    def look() -> LineageStates:
        known = _look(tx, memory, found, excerpt, until, revision)
        return _states(view, excerpt, known, key, until)

    return view, replace(memory.states.get(key, look), as_of=until)


def _look(
    tx: Connection, memory: LineageMemory, found: FoundLineage, excerpt: Excerpt, until: datetime, revision: Hashable
) -> Sequence[Glance]:
    """Look at all nodes of the graph, remembered for other views, or at those of a small view alone."""
    wanted = [node for members in excerpt.members for node in members]
    if len(wanted) <= _FEW:
        return _glance(found.nodes, _read_some(tx, found.nodes, wanted, until), until)
    return look_at_all(tx, memory, found.estate, found.nodes, until, revision)


def look_at_all(
    tx: Connection, memory: LineageMemory, estate: Estate, nodes: Numbered, until: datetime, revision: Hashable
) -> Sequence[Glance]:
    """Look at every node of a graph, by its place; remembered by its account's `revision` and the time asked about."""
    return memory.glances.get((estate.identity, revision), lambda: _glance(nodes, _read_all(tx, nodes, until), until))


def _read_all(tx: Connection, nodes: Numbered, until: datetime) -> dict[int, Outcome]:
    by_scope = [list_place_outcomes(tx, scope, until) for scope in nodes.scopes]
    return {
        place: outcome
        for place, (scope, row) in enumerate(zip(nodes.scope_numbers, nodes.rows, strict=True))
        if row is not None and (outcome := by_scope[scope].get(row.unique_id)) is not None
    }


def _read_some(tx: Connection, nodes: Numbered, wanted: Iterable[int], until: datetime) -> dict[int, Outcome]:
    """Read what happened last to some nodes, their tests, and what those that are never built are made from."""
    places = list(dict.fromkeys(wanted))
    seen = set(places)
    for place in places:
        row = nodes.rows[place]
        near = nodes.parents[place] if row is not None and row.resource_type in DESCRIBED else []
        tests = [child for child in nodes.children[place] if _is_test(nodes.rows[child])]
        for other in (*near, *tests):
            if other not in seen:
                seen.add(other)
                places.append(other)
    rows = {place: row for place in places if (row := nodes.rows[place]) is not None}
    by_scope: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for place, row in rows.items():
        by_scope[nodes.scope_numbers[place]][row.unique_id] = place
    found: dict[int, Outcome] = {}
    for number, numbered in by_scope.items():
        keys = [rows[place].node_key for place in numbered.values()]
        outcomes = list_latest_outcomes(tx, nodes.scopes[number].account_key, keys, until)
        found |= {numbered[unique_id]: outcome for unique_id, outcome in outcomes.items()}
    return found


def _is_test(row: LineageRow | None) -> bool:
    return row is not None and row.resource_type in TESTS


def _glance(nodes: Numbered, latest: Mapping[int, Outcome], until: datetime) -> list[Glance]:
    """Tell the state of every node of a graph, by its place."""
    kinds = ["" if row is None else row.resource_type for row in nodes.rows]
    states = glance(kinds, nodes.parents, latest, until)
    return [_summarise(state, latest.get(place)) for place, state in enumerate(states)]


def _states(
    view: LineageReport, excerpt: Excerpt, known: Sequence[Glance], key: Hashable, now: datetime
) -> LineageStates:
    places = {state: place for place, state in enumerate(WORST_FIRST)}
    glances = [known[members[0]] if len(members) == 1 else _join(known, members) for members in excerpt.members]
    return LineageStates(
        of=view.etag,
        etag=name_key(key),
        states=tuple(map(str, WORST_FIRST)),
        state_numbers=tuple([places[one.state] for one in glances]),
        state_counts={
            place: _count(known[node].state for node in members)
            for place, (members, name) in enumerate(zip(excerpt.members, excerpt.group_names, strict=True))
            if name is not None
        },
        ran_at=tuple([None if one.at is None else int(one.at.timestamp()) for one in glances]),
        elapsed_seconds=tuple([one.elapsed for one in glances]),
        as_of=now,
    )


def _join(known: Sequence[Glance], members: Iterable[int]) -> Glance:
    found = [known[node] for node in members]
    times = [one.at for one in found if one.at is not None]
    taken = [one.elapsed for one in found if one.elapsed is not None]
    state = find_worst(one.state for one in found)
    return Glance(state, min(times, default=None), round(sum(taken), 2) if taken else None)


def _summarise(state: NodeState, outcome: Outcome | None) -> Glance:
    if outcome is None or outcome.status == "skipped":  # it took no time, and nothing ran
        return Glance(state, None, None)
    return Glance(state, outcome.at, outcome.elapsed.total_seconds() if outcome.elapsed is not None else None)


def _count(states: Iterable[NodeState]) -> dict[str, int]:
    counts = Counter(states)
    return {str(state): counts[state] for state in WORST_FIRST if counts[state]}
