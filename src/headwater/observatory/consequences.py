"""What a cause leads to, read from what was stored: who suffers what, who was spared, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.consequences import Reach, find_obstacles
from headwater.analysis.schedule import next_run_at
from headwater.model.account import Job
from headwater.model.consequence import Affected, Consequences, Origin, Spared, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause
from headwater.observatory.lineage import Estate
from headwater.observatory.reaching import Reached, account_of, locate_fault, read_reach
from headwater.observatory.reruns import plan_reruns
from headwater.store.build_queries import list_first_since
from headwater.store.inventory import list_account_jobs
from headwater.store.writing import Scope


def read_consequences(
    tx: Connection, estate: Estate, home: Scope, cause: Cause, now: datetime, *, itself: Origin | None = None
) -> Consequences:
    """Read what a cause leads to at a moment, all over the projects of an account.

    The affected are what really suffers: what failed, was skipped, was built from bad data or was not rebuilt. What
    lies below and was built before is `spared`. Nothing is affected where the cause is gone. `home` and `itself` are
    those of `locate_fault`.
    """
    fault = locate_fault(tx, estate, home, cause, now, itself=itself)
    if not fault.origins:
        return Consequences()

    reached = read_reach(tx, estate, fault, now)
    affected, spared = reached.trace(now)
    affected = _rank(_date(tx, affected, reached, now), reached)
    jobs = {job.job_id: job for job in list_account_jobs(tx, account_of(estate)) if not job.is_deleted}
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
