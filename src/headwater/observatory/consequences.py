"""What a cause leads to, read from what was stored: who suffers what, who was spared, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.consequences import Reach, Tracing, find_affected, find_obstacles
from headwater.analysis.schedule import next_run_at
from headwater.analysis.states import DESCRIBED
from headwater.model.account import Job
from headwater.model.consequence import Affected, Consequences, Origin, Spared, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause
from headwater.observatory.evidence import TESTS
from headwater.observatory.lineage import Estate
from headwater.observatory.missed import BUILT
from headwater.observatory.origins import Fault, find_fault, keys_of
from headwater.observatory.past import Past
from headwater.observatory.reruns import plan_reruns
from headwater.store.build_queries import find_run_place, list_first_since
from headwater.store.inventory import list_account_jobs
from headwater.store.writing import Scope

_EARLIER_READS = 4


@dataclass(frozen=True, slots=True)
class Reached:
    """A fault, all nodes it may reach in topological order by what they are, and what is known of them."""

    fault: Fault
    built: tuple[NodeAddress, ...]
    described: tuple[NodeAddress, ...]
    tests: tuple[NodeAddress, ...]
    reach: Reach
    past: Past


def read_consequences(
    tx: Connection, estate: Estate, home: Scope, cause: Cause, now: datetime, *, itself: Origin | None = None
) -> Consequences:
    """Read what a cause leads to at a moment, all over the projects of an account.

    `home` is the place in which the cause was found; where it names a node of another project, it is followed there.
    The affected are what really suffers: what failed, was skipped, was built from bad data or was not rebuilt. What
    lies below and was built before is `spared`. Nothing is affected where the cause is gone. `itself` is where to begin
    if the cause comes to light in no node that is known.
    """
    fault = find_fault(tx, estate, place_of_cause(tx, estate, home, cause), cause, now)
    if not fault.origins and itself is not None:
        fault = Fault(origins=(itself,))
    return follow_fault(tx, estate, fault, now)


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


def follow_fault(tx: Connection, estate: Estate, fault: Fault, now: datetime) -> Consequences:
    """Follow a fault from the nodes in which it came to light; empty where there are none."""
    if not fault.origins:
        return Consequences()
    reached = _read_reach(tx, estate, fault, now)
    tracing = Tracing(reached.reach, {origin.address: origin for origin in fault.origins}, reached.past.at)
    affected, spared = find_affected((*reached.described, *reached.built), tracing, now)
    affected = _rank(_date(tx, affected, reached, now), reached)
    jobs = {job.job_id: job for job in list_account_jobs(tx, estate_account(estate)) if not job.is_deleted}
    suffering = {found.address: found for found in affected}
    unvouched, failing = _list_tests(estate, reached, suffering, now)
    return Consequences(
        affected=affected,
        spared=_list_spared(spared, reached, jobs, now),
        unvouched=unvouched,
        failing=failing,
        jobs=_count_jobs(suffering, reached, now),
        reruns=plan_reruns(tx, estate, suffering, reached.reach.parents, reached.tests, reached.past, now),
    )


def estate_account(estate: Estate) -> int:
    """Give the account whose graph it is."""
    return next(iter(estate.held)).account_key


def list_obstacles(consequences: Consequences, estate: Estate, address: NodeAddress) -> tuple[NodeAddress, ...]:
    """Tell what would still be in the way if only one node were built again, once the cause is gone."""
    affected = {found.address: found for found in consequences.affected}
    above = {address, *estate.lineage.upstream(address, with_ephemeral=False)} if address in estate.lineage else set()
    parents = {
        other: estate.lineage.parents(other, with_ephemeral=False)
        for other in above
        if other in affected or other == address
    }
    return find_obstacles(address, frozenset({address}), affected, Reach(parents=parents))


def _read_reach(tx: Connection, estate: Estate, fault: Fault, now: datetime) -> Reached:
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
    past = Past(tx, estate_account(estate), keys_of(estate, (*built, *tests)))
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


def _date(tx: Connection, affected: Iterable[Affected], reached: Reached, now: datetime) -> tuple[Affected, ...]:
    """Say since when each suffers: from what first happened to it after the fault; what only reads, from the fault."""
    listed = list(affected)
    begun = min((origin.since for origin in reached.fault.origins), default=now)
    keys = {found.address: reached.past.node_keys.get(found.address) for found in listed}
    wanted = [key for key in keys.values() if key is not None]
    first = list_first_since(tx, reached.past.account_key, wanted, begun, now)
    own = {origin.address for origin in reached.fault.origins}
    dated = []
    for found in listed:
        touched = first.get(keys[found.address] or 0)
        is_dated = found.address in own or found.suffers is Suffering.READS_BAD_DATA or touched is None
        dated.append(found if is_dated else replace(found, since=touched))
    return tuple(dated)


def _rank(affected: Sequence[Affected], reached: Reached) -> tuple[Affected, ...]:
    """Put exposures first, then what the most others are made from."""
    below = _count_below(reached)

    def order(found: Affected) -> tuple[bool, int, NodeAddress]:
        return (
            not found.address.unique_id.startswith("exposure."),
            -below.get(found.address, 0),
            found.address,
        )

    return tuple(sorted(affected, key=order))


def _count_below(reached: Reached) -> dict[NodeAddress, int]:
    """Count what is made from each node, as bits of one number a node."""
    ordered = (*reached.built, *reached.described)
    bit = {address: 1 << place for place, address in enumerate(ordered)}
    below = dict.fromkeys(ordered, 0)
    for address in reversed(ordered):
        for parent in reached.reach.parents[address]:
            if parent in below:
                below[parent] |= below[address] | bit[address]
    return {address: mask.bit_count() for address, mask in below.items()}


def _list_tests(
    estate: Estate, reached: Reached, suffering: Mapping[NodeAddress, Affected], now: datetime
) -> tuple[tuple[NodeAddress, ...], tuple[NodeAddress, ...]]:
    """List the tests that could not vouch for what suffers (skipped, or not run since), and those that fail."""
    unvouched, failing = [], []
    for address in reached.tests:
        outcome = reached.past.at(address, now)
        read = [suffering[parent] for parent in estate.lineage.parents(address) if parent in suffering]
        if outcome is not None and outcome.is_failed:
            failing.append(address)
        elif read and _is_silent(outcome, read):
            unvouched.append(address)
    return tuple(unvouched), tuple(failing)


def _is_silent(outcome: Outcome | None, read: Iterable[Affected]) -> bool:
    since = min((found.since for found in read if found.since is not None), default=None)
    return outcome is None or outcome.status == "skipped" or (since is not None and outcome.at < since)


def _list_spared(
    spared: Iterable[NodeAddress], reached: Reached, jobs: Mapping[int, Job], now: datetime
) -> tuple[Spared, ...]:
    found = []
    for address in spared:
        outcome = None if address in reached.reach.described else reached.past.at(address, now)
        if outcome is None:
            continue
        job = jobs.get(outcome.job_id or 0)
        found.append(
            Spared(
                address=address,
                built_at=outcome.at,
                run_id=outcome.run_id,
                job_id=outcome.job_id,
                next_run_at=next_run_at(job.cron, now) if job is not None else None,
            )
        )
    return tuple(found)


def _count_jobs(suffering: Iterable[NodeAddress], reached: Reached, now: datetime) -> dict[int, int]:
    outcomes = (reached.past.at(address, now) for address in suffering)
    counts = Counter(outcome.job_id for outcome in outcomes if outcome is not None and outcome.job_id is not None)
    return dict(counts.most_common())
