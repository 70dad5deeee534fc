"""Runs → attempt chains: what tries the same piece of work again is one chain with one outcome."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from headwater.model.chain import Attempt, Chain
from headwater.model.run import RunStatus

_FAILED = frozenset({RunStatus.ERROR, RunStatus.CANCELLED})


def build_chains(attempts: Iterable[Attempt]) -> tuple[Chain, ...]:
    """Join the runs of one account into chains, in the order of their first attempts.

    A run belongs with the run it retries, also one that is not known; with the run of its job before it, where it
    names none and that one failed; and with the runs of the same Airflow task in the same DAG run. Runs that name one
    another in a circle are one chain.
    """
    by_id = {attempt.run_id: attempt for attempt in attempts}
    leaders = _Leaders()
    tasks: dict[str, int] = {}
    for attempt in by_id.values():
        leaders.join(attempt.run_id, attempt.run_id)
        if attempt.retrying_run_id is not None:
            leaders.join(attempt.run_id, attempt.retrying_run_id)
        elif (before := by_id.get(attempt.previous_run_id or 0)) is not None and before.status in _FAILED:
            leaders.join(attempt.run_id, before.run_id)
        for task in attempt.airflow_tasks:
            leaders.join(attempt.run_id, tasks.setdefault(task, attempt.run_id))
    members: defaultdict[int, list[int]] = defaultdict(list)
    for run_id in leaders.each():
        members[leaders.find(run_id)].append(run_id)
    chains = (_chain(run_ids, by_id) for run_ids in members.values())
    return tuple(sorted(chains, key=lambda chain: (chain.attempts[0].placed_at, chain.run_ids)))


def count_by_chain(
    run_counts: Mapping[RunStatus, int], chains: Iterable[tuple[Iterable[RunStatus], RunStatus]]
) -> Counter[RunStatus]:
    """Turn counts of runs into counts of chains: the runs of each chain count once, with the chain's outcome.

    `chains` gives for each chain of several runs the statuses of those that were counted, and the outcome.
    """
    counts = Counter(run_counts)
    for statuses, outcome in chains:
        counts.subtract(statuses)
        counts[outcome] += 1
    return +counts


def _chain(run_ids: list[int], by_id: Mapping[int, Attempt]) -> Chain:
    attempts = sorted((by_id[run_id] for run_id in run_ids if run_id in by_id), key=lambda a: (a.placed_at, a.run_id))
    first_named = {
        attempt.retrying_run_id: place
        for place, attempt in reversed(list(enumerate(attempts)))
        if attempt.retrying_run_id is not None
    }
    order = {attempt.run_id: (place, 1) for place, attempt in enumerate(attempts)}
    # A run that is not known stood before the first one that names it.
    order |= {run_id: (first_named[run_id], 0) for run_id in run_ids if run_id not in by_id}
    ordered = tuple(sorted(run_ids, key=lambda run_id: (order[run_id], run_id)))
    return Chain(run_ids=ordered, attempts=tuple(attempts), outcome=attempts[-1].status)


class _Leaders:
    """Disjoint sets of run ids."""

    def __init__(self) -> None:
        self._leader: dict[int, int] = {}

    def find(self, run_id: int) -> int:
        path = []
        while (leader := self._leader.setdefault(run_id, run_id)) != run_id:
            path.append(run_id)
            run_id = leader
        for passed in path:
            self._leader[passed] = run_id
        return run_id

    def join(self, one: int, other: int) -> None:
        self._leader[self.find(one)] = self.find(other)

    def each(self) -> tuple[int, ...]:
        return tuple(self._leader)
