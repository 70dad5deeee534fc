"""In what state the things of a view of the lineage are; remembered until something new is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.excerpt import Excerpt
from headwater.analysis.glance import WORST_FIRST, Glanced, find_worst, glance
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.model.verdict import NodeState
from headwater.observatory.explorer import LineageQuestion, find_lineage, name_key, open_view
from headwater.observatory.holder import Observatory
from headwater.observatory.lineage import Estate
from headwater.observatory.lineage_reports import Glance, LineageReport, LineageStates
from headwater.store.accounts import read_revisions
from headwater.store.outcome_queries import list_latest_outcomes


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
        known = observatory.lineage.glances.get(
            (found.estate.identity, revision), lambda: _glance(tx, found.estate, until)
        )
    key = (view.etag, revision)
    return observatory.lineage.states.get(key, lambda: _states(view, excerpt, found.estate, known, key, until))


def _glance(tx: Connection, estate: Estate, until: datetime) -> dict[NodeAddress, Glance]:
    latest: dict[NodeAddress, Outcome] = {}
    for held in estate.held.values():
        keys = [row.node_key for row in held.rows.values()]
        found = list_latest_outcomes(tx, held.place.account_key, keys, until)
        latest |= {held.address(unique_id): outcome for unique_id, outcome in found.items()}
    lineage = estate.lineage
    nodes = {}
    for address, parents in zip(lineage.nodes, lineage.list_parents(), strict=True):
        row = estate.row(address)
        if row is not None:
            nodes[address] = Glanced(row.resource_type, tuple([lineage.nodes[parent] for parent in parents]))
    states = glance(nodes, latest, until)
    return {address: _summarise(state, latest.get(address)) for address, state in states.items()}


def _states(
    view: LineageReport,
    excerpt: Excerpt,
    estate: Estate,
    known: Mapping[NodeAddress, Glance],
    key: Hashable,
    now: datetime,
) -> LineageStates:
    lineage = estate.lineage
    of_each = [[known[lineage.nodes[node]] for node in members] for members in excerpt.members]
    places = {state: place for place, state in enumerate(WORST_FIRST)}
    return LineageStates(
        of=view.etag,
        etag=name_key(key),
        states=tuple(map(str, WORST_FIRST)),
        state_numbers=tuple(places[find_worst(one.state for one in found)] for found in of_each),
        state_counts={
            place: _count(one.state for one in found)
            for place, (found, name) in enumerate(zip(of_each, excerpt.group_names, strict=True))
            if name is not None
        },
        ran_at=tuple(
            min((int(one.at.timestamp()) for one in found if one.at is not None), default=None) for found in of_each
        ),
        elapsed_seconds=tuple(_sum(one.elapsed for one in found) for found in of_each),
        as_of=now,
    )


def _summarise(state: NodeState, outcome: Outcome | None) -> Glance:
    if outcome is None:
        return Glance(state, None, None)
    return Glance(state, outcome.at, outcome.elapsed.total_seconds() if outcome.elapsed is not None else None)


def _count(states: Iterable[NodeState]) -> dict[str, int]:
    counts = Counter(states)
    return {str(state): counts[state] for state in WORST_FIRST if counts[state]}


def _sum(seconds: Iterable[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return round(sum(known), 2) if known else None
