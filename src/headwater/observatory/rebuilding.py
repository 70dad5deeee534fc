"""What of an incident's reach is not rebuilt since the cause is gone.

That goes by what was really built: a table is rebuilt when it was built after all that is bad above it was well again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection

from headwater.model.consequence import Origin, Suffering
from headwater.model.incident import Incident, Standing
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.observatory.evidence import TESTS, Graph
from headwater.observatory.lineage import Estate, Held
from headwater.observatory.origins import Fault
from headwater.observatory.reaching import Reached, read_reach
from headwater.store.outcome_queries import list_outcomes

_LATE = "late:"
_EVER = datetime.min.replace(tzinfo=UTC)


def find_remaining(
    tx: Connection, estate: Estate, graph: Graph, held: Held, incident: Incident, now: datetime
) -> Standing:
    """Tell since when what an incident began with is well, and which of the tables it reached are still as they were.

    What another cause keeps from being built since, and what is in no manifest any more, is not waited for.
    """
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
    remaining = frozenset(one.address for one in affected if one.address in incident.affected)
    standing = frozenset(address for address in remaining if _is_waited_for(reached, address, now))
    return Standing(gone_at=min(max(mended.values(), default=now), now), remaining=standing)


def _is_waited_for(reached: Reached, address: NodeAddress, now: datetime) -> bool:
    """Whether something was last built well, or shows what there is in others."""
    if address in reached.reach.views or address in reached.reach.described:
        return True
    last = reached.past.at(address, now)
    return last is not None and last.is_good


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
