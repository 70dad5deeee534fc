"""Whom a fault reaches: followed from where it came to light, through the builds that really read it.

This is asked for a verdict and for an incident alike, so that both say the same of one cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.consequences import Reach, Tracing, find_affected
from headwater.analysis.states import DESCRIBED
from headwater.model.consequence import Affected, Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.verdict import Cause, NodeState, Verdict
from headwater.observatory.lineage import TESTS, Estate
from headwater.observatory.missed import BUILT
from headwater.observatory.origins import Fault, find_fault, keys_of
from headwater.observatory.past import Past
from headwater.store.run_places import find_run_place
from headwater.store.writing import Scope

_EARLIER_READS = 4
_SUFFERING = {
    NodeState.FAILED: Suffering.FAILED,
    NodeState.SKIPPED: Suffering.SKIPPED,
    NodeState.TEST_FAILING: Suffering.TEST_FAILING,
    NodeState.STALE: Suffering.BUILT_FROM_BAD_DATA,
    NodeState.LATE: Suffering.NOT_REBUILT,
    NodeState.MISSING: Suffering.STALE,
}
"""What a node suffers whose cause comes to light nowhere else; other states reach nothing."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A fault, all nodes it may reach in topological order by what they are, and what is known of them."""

    fault: Fault
    built: tuple[NodeAddress, ...]
    described: tuple[NodeAddress, ...]
    tests: tuple[NodeAddress, ...]
    reach: Reach
    past: Past

    def trace(self, now: datetime) -> tuple[tuple[Affected, ...], tuple[NodeAddress, ...]]:
        """Tell who suffers at a moment, and who lies below and does not."""
        tracing = Tracing(self.reach, {origin.address: origin for origin in self.fault.origins}, self.past.at)
        return find_affected((*self.described, *self.built), tracing, now)


def find_affected_by(
    tx: Connection, estate: Estate, home: Scope, cause: Cause, now: datetime, *, itself: Origin | None = None
) -> frozenset[NodeAddress]:
    """Give who suffers from a cause: exactly the `affected` of its consequences."""
    fault = locate_fault(tx, estate, home, cause, now, itself=itself)
    affected, _ = read_reach(tx, estate, fault, now).trace(now)
    return frozenset(found.address for found in affected)


def begin_itself(estate: Estate, address: NodeAddress, verdict: Verdict, now: datetime) -> Origin | None:
    """Give a bad node as where its cause comes to light, for a cause that does so nowhere else."""
    suffers, row = _SUFFERING.get(verdict.state), estate.row(address)
    if suffers is None or row is None or not verdict.causes:
        return None
    if row.resource_type in DESCRIBED:
        suffers = Suffering.READS_BAD_DATA
    return Origin(address=address, since=verdict.since or now, suffers=suffers, run_id=verdict.causes[0].run_id)


def locate_fault(
    tx: Connection, estate: Estate, home: Scope, cause: Cause, now: datetime, *, itself: Origin | None = None
) -> Fault:
    """Find where a cause came to light; in nothing where it is gone.

    `home` is the place in which the cause was found; where it names a node of another project, it is followed there.
    `itself` is where to begin if the cause comes to light in no node that is known.
    """
    fault = find_fault(tx, estate, place_of_cause(tx, estate, home, cause), cause, now)
    return Fault(origins=(itself,)) if not fault.origins and itself is not None else fault


def place_of_cause(tx: Connection, estate: Estate, home: Scope, cause: Cause) -> Scope:
    """Find the project and environment in which a cause lies: where its node is owned, else where its run ran."""
    if cause.unique_id is not None:
        scopes = [home, *(scope for scope in estate.held if scope != home)]
        for scope in scopes:
            held = estate.held.get(scope)
            if held is not None and cause.unique_id in held.rows and cause.unique_id not in held.imported:
                return scope
    place = find_run_place(tx, home.account_key, cause.run_id) if cause.run_id is not None else None
    return place.scope if place is not None and place.scope in estate.held else home


def account_of(estate: Estate) -> int:
    """Give the account whose graph it is."""
    return next(iter(estate.held)).account_key


def read_reach(tx: Connection, estate: Estate, fault: Fault, now: datetime) -> Reached:
    """Read all that lies below a fault, and what had happened to it."""
    lineage = estate.lineage
    below = lineage.below(origin.address for origin in fault.origins)
    typed: dict[str, list[NodeAddress]] = {"built": [], "described": [], "test": [], "source": []}
    views = set()
    for address in below:
        row = estate.row(address)
        if row is None or row.is_ephemeral:
            continue
        kind = "built" if row.resource_type in BUILT else "described" if row.resource_type in DESCRIBED else None
        typed[kind or ("test" if row.resource_type in TESTS else "source")].append(address)
        if row.materialized == "view" or row.resource_type == "function":
            views.add(address)
    built, described, tests = tuple(typed["built"]), tuple(typed["described"]), tuple(typed["test"])
    among = {*built, *described, *typed["source"]}
    parents = {
        address: tuple(parent for parent in lineage.parents(address, with_ephemeral=False) if parent in among)
        for address in (*built, *described)
    }
    past = Past(tx, account_of(estate), keys_of(estate, (*built, *tests)))
    reach = Reach(parents=parents, views=frozenset(views), described=frozenset(described), elsewhere=fault.elsewhere)
    _read_past(past, built, reach, now)
    return Reached(fault, built, described, tests, reach, past)


def _read_past(past: Past, built: Sequence[NodeAddress], reach: Reach, now: datetime) -> None:
    """Read what there is now, and what there was when nodes were built that have a newer parent by now."""
    past.read_all(now)
    earlier: dict[int, datetime] = {}
    for address in built:
        outcome = past.at(address, now)
        if outcome is None or address in reach.views:
            continue
        newest = (past.at(parent, now) for parent in reach.parents[address])
        if any(parent is not None and parent.at > outcome.at for parent in newest):
            earlier[outcome.invocation_key] = max(outcome.at, earlier.get(outcome.invocation_key, outcome.at))
    for moment in sorted(earlier.values(), reverse=True)[:_EARLIER_READS]:
        past.read_all(moment)
