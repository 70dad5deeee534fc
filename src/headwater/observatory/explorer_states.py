"""In what state the things of a view of the lineage are; remembered until something new is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.excerpt import Excerpt
from headwater.analysis.glance import WORST_FIRST, find_worst, glance
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState
from headwater.observatory.explorer import FoundLineage, LineageQuestion, find_lineage, name_key, open_view
from headwater.observatory.holder import Observatory
from headwater.observatory.lineage_reports import Glance, LineageReport, LineageStates
from headwater.store.accounts import read_revisions
from headwater.store.outcome_queries import list_place_outcomes


def get_lineage_states(observatory: Observatory, asked: LineageQuestion) -> LineageStates:
    """Get the states of what a view shows, now or at a time that was asked for.

    Raises:
        NotKnown: as of the view.
        Ambiguous: as of the view.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = find_lineage(observatory, tx, asked)
        view, excerpt = open_view(tx, observatory.lineage, found, asked)
        revision: Hashable = (tuple(read_revisions(tx).items()), asked.at)
        until = asked.at or now
        known = observatory.lineage.glances.get((found.estate.identity, revision), lambda: _glance(tx, found, until))
    key = (view.etag, revision)
    return observatory.lineage.states.get(key, lambda: _states(view, excerpt, known, key, until))


def _glance(tx: Connection, found: FoundLineage, until: datetime) -> list[Glance]:
    """Tell the state of every node of a graph, by its place."""
    nodes = found.nodes
    by_scope = [list_place_outcomes(tx, scope, until) for scope in nodes.scopes]
    latest = {
        place: outcome
        for place, (scope, row) in enumerate(zip(nodes.scope_numbers, nodes.rows, strict=True))
        if row is not None and (outcome := by_scope[scope].get(row.unique_id)) is not None
    }
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
    if outcome is None:
        return Glance(state, None, None)
    return Glance(state, outcome.at, outcome.elapsed.total_seconds() if outcome.elapsed is not None else None)


def _count(states: Iterable[NodeState]) -> dict[str, int]:
    counts = Counter(states)
    return {str(state): counts[state] for state in WORST_FIRST if counts[state]}
