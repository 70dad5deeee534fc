"""What a bad node reached, and what of that is not rebuilt since it is well again.

Reach goes by what was really built: a table built before the trouble is not reached, and one is rebuilt when it was
built after all that is bad above it was well again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.states import DESCRIBED
from headwater.model.incident import Incident, Standing
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.observatory.evidence import TESTS, Graph
from headwater.observatory.lineage import Estate, Held
from headwater.store.outcome_queries import list_latest_outcomes, list_outcomes

_LATE = "late:"


def reach_from(
    tx: Connection, estate: Estate, hurt: set[NodeAddress], starts: set[NodeAddress], since: datetime, now: datetime
) -> frozenset[NodeAddress]:
    """Give what suffers: what is hurt itself, and what was made since from that or from where bad data came from.

    `starts` may hold sources, which are where it began and do not suffer themselves.
    """
    below = _list_below(estate, hurt | starts)
    latest = _read_latest(tx, estate, below, now)
    reached = set(hurt)
    for address in below:
        if address in reached:
            continue
        parents = estate.lineage.parents(address, with_ephemeral=False)
        if any(parent in reached or parent in starts for parent in parents):
            last = latest.get(address)
            if _passes_on(estate, address) or (last is not None and last.is_good and last.at >= since):
                reached.add(address)
    return frozenset(reached)


def find_remaining(
    tx: Connection, estate: Estate, graph: Graph, held: Held, incident: Incident, now: datetime
) -> Standing:
    """Tell since when what an incident began with is well, and which of the tables it reached are still as they were.

    What another cause keeps from being built since, and what is in no manifest any more, is not waited for.
    """
    mended = _list_mended(tx, graph, incident, now)
    needed: dict[NodeAddress, datetime] = {}
    for root, moment in mended.items():
        starts = {held.address(name) for name in _subjects(graph, root) if name in graph.nodes}
        for address in (*starts, *_list_below(estate, starts)):
            needed[address] = max(moment, needed.get(address, moment))
    known = [address for address in incident.affected if estate.row(address) is not None]
    latest = _read_latest(tx, estate, known, now)
    waiting = {
        address
        for address in known
        if not _passes_on(estate, address)
        and (last := latest.get(address)) is not None
        and last.is_good
        and last.at < needed.get(address, incident.began_at)
    }
    below = set(_list_below(estate, waiting)) & set(known)
    seen_through = {address for address in below if _passes_on(estate, address)}
    return Standing(gone_at=min(max(mended.values(), default=now), now), remaining=frozenset(waiting | seen_through))


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


def _passes_on(estate: Estate, address: NodeAddress) -> bool:
    """Whether something has no data of its own: a view, or what only describes other nodes."""
    row = estate.row(address)
    return row is not None and (row.materialized == "view" or row.resource_type in DESCRIBED)


def _list_below(estate: Estate, starts: Iterable[NodeAddress]) -> list[NodeAddress]:
    """List what is made from some nodes, parents before children; tests and ephemeral models left out."""
    begun = set(starts)
    found = [(address, estate.row(address)) for address in estate.lineage.below(begun) if address not in begun]
    return [
        address for address, row in found if row is not None and row.resource_type not in TESTS and not row.is_ephemeral
    ]


def _read_latest(
    tx: Connection, estate: Estate, addresses: Iterable[NodeAddress], now: datetime
) -> Mapping[NodeAddress, Outcome]:
    rows = {address: row for address in addresses if (row := estate.row(address)) is not None}
    if not rows:
        return {}
    account_key = next(iter(rows)).account_key
    by_scope: dict[tuple[int, int], list[NodeAddress]] = {}
    for address in rows:
        by_scope.setdefault((address.project_id, address.environment_id), []).append(address)
    found: dict[NodeAddress, Outcome] = {}
    for there in by_scope.values():
        latest = list_latest_outcomes(tx, account_key, [rows[address].node_key for address in there], now)
        found.update((address, latest[address.unique_id]) for address in there if address.unique_id in latest)
    return found
