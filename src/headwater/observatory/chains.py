"""Attempt chains beside runs and jobs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.chains import build_chains, count_by_chain
from headwater.model.chain import Chain
from headwater.model.run import RunStatus
from headwater.observatory.reports import AttemptSummary, ChainSummary
from headwater.store.chain_queries import RunKey, list_attempts, list_attempts_between
from headwater.store.rows import PlacedAttempt, RunRow

JobKey = tuple[int, int | None]
"""An account's key and a job's id."""


def find_chains(tx: Connection, rows: Iterable[RunRow]) -> dict[RunKey, Chain]:
    """Find the chain of each run."""
    wanted = [(row.account_key, row.run.run_id) for row in rows]
    return _chains(list_attempts(tx, wanted))


def summarise_chain(chain: Chain, run_id: int) -> ChainSummary:
    """Give a chain as one of its runs shows it."""
    return ChainSummary(
        first_run_id=chain.run_ids[0],
        run_ids=chain.run_ids,
        attempt=chain.run_ids.index(run_id) + 1,
        outcome=str(chain.outcome),
    )


def list_attempt_summaries(chain: Chain) -> tuple[AttemptSummary, ...]:
    """List the runs of a chain with how each ended; one that is not stored has no status."""
    known = {attempt.run_id: attempt for attempt in chain.attempts}
    return tuple(
        AttemptSummary(run_id=run_id, status=str(known[run_id].status), created_at=known[run_id].placed_at)
        if run_id in known
        else AttemptSummary(run_id=run_id)
        for run_id in chain.run_ids
    )


def count_chains(
    tx: Connection,
    since: datetime,
    until: datetime,
    run_counts: Mapping[JobKey, Mapping[RunStatus, int]],
    account_keys: tuple[int, ...] | None,
) -> dict[JobKey, Counter[RunStatus]]:
    """Count by chain what was counted by run in the hours between two times."""
    attempts = list_attempts_between(tx, since, until, account_keys)
    inside = {(row.account_key, row.attempt.run_id) for row in attempts if since <= row.hour < until}
    by_job: defaultdict[JobKey, list[tuple[list[RunStatus], RunStatus]]] = defaultdict(list)
    chains = {(key, chain.run_ids): (key, chain) for (key, _), chain in _chains(attempts).items()}
    for account_key, chain in chains.values():
        members: defaultdict[int | None, list[RunStatus]] = defaultdict(list)
        for attempt in chain.attempts:
            if (account_key, attempt.run_id) in inside:
                members[attempt.job_id].append(attempt.status)
        for job_id, statuses in members.items():
            by_job[account_key, job_id].append((statuses, chain.outcome))
    return {job: count_by_chain(counts, by_job.get(job, ())) for job, counts in run_counts.items()}


def _chains(attempts: Iterable[PlacedAttempt]) -> dict[RunKey, Chain]:
    by_account: defaultdict[int, list[PlacedAttempt]] = defaultdict(list)
    for row in attempts:
        by_account[row.account_key].append(row)
    return {
        (account_key, run_id): chain
        for account_key, rows in by_account.items()
        for chain in build_chains(row.attempt for row in rows)
        for run_id in chain.run_ids
    }
