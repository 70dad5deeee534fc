"""What a verdict is read from: the graph of an environment, what happened in it, and what changed in it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes import ADDED, Difference, Failure
from headwater.analysis.changes import Changes, compare, find_users
from headwater.analysis.failures import find_missing_column
from headwater.analysis.lateness import JobFacts
from headwater.analysis.roots import each_upstream
from headwater.analysis.schedule import next_run_at
from headwater.analysis.states import NodeFacts, last_good, streak_start
from headwater.model.node import Macro, Node
from headwater.model.outcome import Outcome
from headwater.observatory.lineage import Held
from headwater.store.inventory import list_account_jobs
from headwater.store.lineage import list_differences, read_nodes
from headwater.store.lineage_rows import LineageRow
from headwater.store.manifests import list_macros
from headwater.store.outcome_queries import list_latest_outcomes, list_outcomes
from headwater.store.run_queries import RunFilter, list_runs
from headwater.store.writing import Scope

TESTS = ("test", "unit_test")
_RUNS_OF_JOB = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The nodes of one environment by unique_id, their parents, and the tests that read each."""

    scope: Scope
    nodes: Mapping[str, LineageRow]
    parents: Mapping[str, tuple[str, ...]]
    readers: Mapping[str, tuple[str, ...]]


def graph_of(held: Held) -> Graph:
    """Give the graph that held in a place."""
    readers: defaultdict[str, list[str]] = defaultdict(list)
    for row in held.rows.values():
        if row.resource_type in TESTS:
            for parent in row.parents:
                readers[parent].append(row.unique_id)
    return Graph(
        scope=held.place.scope,
        nodes=held.rows,
        parents={unique_id: row.parents for unique_id, row in held.rows.items()},
        readers={unique_id: tuple(tests) for unique_id, tests in readers.items()},
    )


def read_facts(tx: Connection, graph: Graph, unique_id: str, now: datetime) -> NodeFacts:
    """Read what is known of one node up to a moment."""
    row = graph.nodes[unique_id]
    outcomes = list_outcomes(tx, graph.scope.account_key, row.node_key, now)
    return NodeFacts(
        unique_id=unique_id,
        resource_type=row.resource_type,
        outcomes=outcomes,
        tests=_read_tests(tx, graph, unique_id, now),
        job=_read_job(tx, graph.scope.account_key, outcomes, now),
    )


def read_latest(tx: Connection, graph: Graph, unique_ids: Iterable[str], now: datetime) -> dict[str, Outcome]:
    """Read what happened last to each of some nodes."""
    keys = [graph.nodes[unique_id].node_key for unique_id in unique_ids if unique_id in graph.nodes]
    return list_latest_outcomes(tx, graph.scope.account_key, keys, now)


def read_failure(tx: Connection, graph: Graph, outcome: Outcome, in_run: Mapping[str, Outcome]) -> Failure:
    """Read what explains a failure: its last good outcome, what changed since, and the tests and sources above it."""
    account_key = graph.scope.account_key
    history = _history(tx, graph, outcome.unique_id, outcome.at)
    good = last_good(history)
    upstream = [other for other in each_upstream(outcome.unique_id, graph.parents) if other in graph.nodes]
    tests = {test for other in upstream for test in graph.readers.get(other, ())} - {outcome.unique_id}
    sources = [other for other in upstream if graph.nodes[other].resource_type == "source"]
    failing = [
        found.unique_id for found in read_latest(tx, graph, {*tests, *sources}, outcome.at).values() if found.is_failed
    ]
    histories = {other: _history(tx, graph, other, outcome.at) for other in failing}
    return Failure(
        outcome=outcome,
        parents=graph.parents,
        good=good,
        in_run=in_run,
        columns=_read_columns(tx, graph, outcome, upstream),
        tests={other: found for other, found in histories.items() if graph.nodes[other].resource_type in TESTS},
        freshness={other: found for other, found in histories.items() if graph.nodes[other].resource_type == "source"},
        difference=_read_difference(tx, account_key, good, outcome, {outcome.unique_id, *upstream}),
        since=streak_start(history).at if history and not history[0].is_good else outcome.at,
    )


def _history(tx: Connection, graph: Graph, unique_id: str, until: datetime) -> tuple[Outcome, ...]:
    return list_outcomes(tx, graph.scope.account_key, graph.nodes[unique_id].node_key, until)


def _read_columns(tx: Connection, graph: Graph, outcome: Outcome, upstream: Iterable[str]) -> dict[str, frozenset[str]]:
    """Read which sources declare the column that a message misses, or are read by code that names it."""
    missing = find_missing_column(outcome.message)
    if missing is None:
        return {}
    named = re.compile(rf"\b{re.escape(missing)}\b", re.IGNORECASE)
    rows = [graph.nodes[other] for other in (outcome.unique_id, *upstream)]
    wanted = [row for row in rows if row.resource_type == "source" or any(map(_is_source, row.parents))]
    found: dict[str, frozenset[str]] = {}
    for node in read_nodes(tx, graph.scope.account_key, ((row.node_key, row.version) for row in wanted)).values():
        if not isinstance(node, Node):
            continue
        if any(column.name.lower() == missing for column in node.columns):
            found[node.unique_id] = frozenset({missing})
        if node.raw_code and named.search(node.raw_code):
            found |= {parent: frozenset({missing}) for parent in node.parents if _is_source(parent)}
    return found


def _is_source(unique_id: str) -> bool:
    return unique_id.startswith("source.")


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
        else _history(tx, graph, row.unique_id, now)
        for row in vouching
        if row.unique_id in latest
    }


def _read_job(tx: Connection, account_key: int, outcomes: tuple[Outcome, ...], now: datetime) -> JobFacts | None:
    """Find the job that builds a node most often, of those that are still there."""
    counted = Counter(outcome.job_id for outcome in outcomes if outcome.job_id is not None)
    jobs = {job.job_id: job for job in list_account_jobs(tx, account_key) if not job.is_deleted}
    job = next((jobs[job_id] for job_id, _ in counted.most_common() if job_id in jobs), None)
    if job is None:
        return None
    wanted = RunFilter(account_keys=(account_key,), job_id=job.job_id, created_until=now)
    runs = tuple(row.run for row in list_runs(tx, wanted, limit=_RUNS_OF_JOB).runs)
    newest = next((run.created_at for run in runs if run.created_at is not None), None)
    return JobFacts(
        job_id=job.job_id,
        name=job.name,
        runs=runs,
        building_run_ids=frozenset(outcome.run_id for outcome in outcomes if outcome.run_id is not None),
        expected_at=next_run_at(job.cron, newest) if newest is not None else None,
    )


def _read_difference(
    tx: Connection, account_key: int, good: Outcome | None, bad: Outcome, wanted: set[str]
) -> Difference | None:
    """Read what changed of some nodes between the manifests of two outcomes."""
    if good is None or good.manifest_key is None or bad.manifest_key is None:
        return None
    if good.manifest_key == bad.manifest_key:
        return Difference()
    before, after = list_differences(tx, account_key, good.manifest_key, bad.manifest_key)
    old, new = (read_nodes(tx, account_key, versions.items()).values() for versions in (before, after))
    changes = compare(_among(old, wanted), _among(new, wanted))
    return Difference(
        aspects=_aspects(changes), macros=_read_macros(tx, account_key, bad.manifest_key, changes, wanted)
    )


def _among(things: Iterable[Node | Macro], wanted: set[str]) -> list[Node | Macro]:
    return [thing for thing in things if isinstance(thing, Macro) or thing.unique_id in wanted]


def _aspects(changes: Changes) -> dict[str, frozenset[str]]:
    found = {change.unique_id: frozenset(change.aspects) for change in changes.changed}
    return found | dict.fromkeys(changes.added, frozenset({ADDED}))


def _read_macros(
    tx: Connection, account_key: int, manifest_key: int, changes: Changes, wanted: set[str]
) -> dict[str, frozenset[str]]:
    """Give for each of some nodes the changed macros it uses, directly or through others."""
    changed = (*changes.macros_changed, *changes.macros_added)
    if not changed:
        return {}
    macros, used = list_macros(tx, account_key, manifest_key, wanted)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for macro, users in find_users(macros, used, changed).items():
        for user in users:
            found[user].add(macro)
    return {user: frozenset(names) for user, names in found.items()}
