"""What a state is read from: the graph of an environment, what happened to a node in it, and its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.lateness import JobFacts
from headwater.analysis.schedule import next_run_at
from headwater.analysis.states import NodeFacts
from headwater.model.node import Node
from headwater.model.outcome import Outcome
from headwater.observatory.lineage import Graph
from headwater.store.inventory import list_account_jobs
from headwater.store.lineage import read_nodes
from headwater.store.outcome_queries import list_latest_outcomes, list_outcomes
from headwater.store.run_queries import list_job_runs

_RUNS_OF_JOB = 25


def read_facts(tx: Connection, graph: Graph, unique_id: str, now: datetime) -> NodeFacts:
    """Read what is known of one node up to a moment."""
    row = graph.nodes[unique_id]
    outcomes = list_outcomes(tx, graph.scope.account_key, row.node_key, now)
    return NodeFacts(
        unique_id=unique_id,
        resource_type=row.resource_type,
        outcomes=outcomes,
        tests=_read_tests(tx, graph, unique_id, now),
        job=read_job(tx, graph.scope.account_key, outcomes, now),
    )


def read_latest(tx: Connection, graph: Graph, unique_ids: Iterable[str], now: datetime) -> dict[str, Outcome]:
    """Read what happened last to each of some nodes."""
    keys = [graph.nodes[unique_id].node_key for unique_id in unique_ids if unique_id in graph.nodes]
    return list_latest_outcomes(tx, graph.scope.account_key, keys, now)


def read_history(tx: Connection, graph: Graph, unique_id: str, until: datetime) -> tuple[Outcome, ...]:
    """Read what happened to a node up to a moment, newest first."""
    return list_outcomes(tx, graph.scope.account_key, graph.nodes[unique_id].node_key, until)


def _read_tests(tx: Connection, graph: Graph, unique_id: str, now: datetime) -> dict[str, tuple[Outcome, ...]]:
    """Read the histories of the tests that vouch for a node: those that read it alone, or are attached to it."""
    reading = [graph.nodes[test] for test in graph.readers.get(unique_id, ())]
    shared = {row.node_key: row.version for row in reading if len(row.parents) > 1}
    attached = {
        node_key
        for node_key, node in read_nodes(tx, graph.scope.account_key, shared.items()).items()
        if isinstance(node, Node) and node.test is not None and node.test.attached_node == unique_id
    }
    vouching = [row for row in reading if len(row.parents) == 1 or row.node_key in attached]
    latest = list_latest_outcomes(tx, graph.scope.account_key, [row.node_key for row in vouching], now)
    return {
        row.unique_id: (latest[row.unique_id],)
        if latest[row.unique_id].status == "pass"
        else read_history(tx, graph, row.unique_id, now)
        for row in vouching
        if row.unique_id in latest
    }


def read_job(tx: Connection, account_key: int, outcomes: tuple[Outcome, ...], now: datetime) -> JobFacts | None:
    """Find the job that builds a node most often, of those that are still there."""
    counted = Counter(outcome.job_id for outcome in outcomes if outcome.job_id is not None)
    jobs = {job.job_id: job for job in list_account_jobs(tx, account_key) if not job.is_deleted}
    job = next((jobs[job_id] for job_id, _ in counted.most_common() if job_id in jobs), None)
    if job is None:
        return None
    runs = list_job_runs(tx, account_key, job.job_id, now, limit=_RUNS_OF_JOB)
    newest = next((run.created_at for run in runs if run.created_at is not None), None)
    return JobFacts(
        job_id=job.job_id,
        name=job.name,
        runs=runs,
        building_run_ids=frozenset(outcome.run_id for outcome in outcomes if outcome.run_id is not None),
        expected_at=next_run_at(job.cron, newest) if newest is not None else None,
    )
