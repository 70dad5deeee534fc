"""What of an incident's reach is not rebuilt since the cause is gone.

That goes by what was really built: a table is rebuilt when it was built after all that is bad above it was well again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection

from headwater.model.consequence import Origin, Suffering
from headwater.model.incident import Incident, Standing
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.observatory.lineage import TESTS, Estate, Graph
from headwater.observatory.origins import Fault
from headwater.observatory.reaching import Reached, read_reach
from headwater.store.outcome_queries import list_outcomes

_LATE = "late:"
_EVER = datetime.min.replace(tzinfo=UTC)


def find_remaining(
    tx: Connection, estate: Estate, graph: Graph, incident: Incident, held_up: Collection[NodeAddress], now: datetime
) -> Standing:
    """Tell since when what an incident began with is well, and which of the tables it reached are still as they were.

    What another cause keeps from being built since (`held_up`, and what was last not built well), and what is in no
    manifest any more, is not waited for.
    """
    held = estate.held[graph.scope]
    mended = _list_mended(tx, graph, incident, now)
    until: dict[NodeAddress, datetime] = {}
    for root, moment in mended.items():
        for name in _subjects(graph, root):
            if name in graph.nodes:
                until[held.address(name)] = max(moment, until.get(held.address(name), moment))
    origins = tuple(
        Origin(address=address, since=_EVER, until=moment, suffers=Suffering.BUILT_FROM_BAD_DATA)
        for address, moment in until.items()
    )
    reached = read_reach(tx, estate, Fault(origins=origins), now)
    affected, _ = reached.trace(now)
    remaining = {one.address for one in affected if one.address in incident.affected}
    gone_at = min(max(mended.values(), default=now), now)
    return Standing(gone_at=gone_at, remaining=_list_waited_for(reached, remaining.difference(held_up), now))


def _list_waited_for(reached: Reached, remaining: Collection[NodeAddress], now: datetime) -> frozenset[NodeAddress]:
    """List the tables that were last built well, and what shows what there is in one of them."""
    reach, waiting = reached.reach, set[NodeAddress]()
    for address in (*reached.built, *reached.described):
        if address not in remaining:
            continue
        if address in reach.views or address in reach.described:
            is_waited_for = not waiting.isdisjoint(reach.parents[address])
        else:
            last = reached.past.at(address, now)
            is_waited_for = last is not None and last.is_good
        if is_waited_for:
            waiting.add(address)
    return frozenset(waiting)


def _list_mended(tx: Connection, graph: Graph, incident: Incident, now: datetime) -> dict[str, datetime]:
    """Give when each root was well for the first time since; one that is in no manifest any more is left out."""
    mended: dict[str, datetime] = {}
    for root in incident.roots:
        row = graph.nodes.get(root.removeprefix(_LATE))
        if row is None:
            continue
        history = list_outcomes(tx, graph.scope.account_key, row.node_key, now)
        good_at = _first_good(history, incident.began_at)
        if good_at is None:
            good_at = now if root.startswith(_LATE) else incident.seen_at
        mended[root] = _vouched_build(tx, graph, row.parents, good_at) if row.resource_type in TESTS else good_at
    return mended


def _first_good(history: Iterable[Outcome], since: datetime) -> datetime | None:
    """Give the first of the newest good outcomes, of those since a time."""
    found = None
    for outcome in history:
        if not outcome.is_good or outcome.at <= since:
            break
        found = outcome.at
    return found


def _vouched_build(tx: Connection, graph: Graph, tested: Iterable[str], passed_at: datetime) -> datetime:
    """Give when the data that a test passed on were built; dbt may build everything first and test it afterwards."""
    builds = [
        history[0].at
        for name in tested
        if name in graph.nodes and graph.nodes[name].resource_type != "source"
        and (history := list_outcomes(tx, graph.scope.account_key, graph.nodes[name].node_key, passed_at, limit=1))
    ]  # fmt: skip
    return max(builds, default=passed_at)


def _subjects(graph: Graph, root: str) -> tuple[str, ...]:
    row = graph.nodes[root.removeprefix(_LATE)]
    return row.parents if row.resource_type in TESTS else (row.unique_id,)
