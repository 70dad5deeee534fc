"""What a failure is explained by: what changed since it was last good, who else was at work, what tests say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.anomalies import find_rows_anomaly
from headwater.analysis.causes.failure import Failure, VariableChange
from headwater.analysis.failures import OF_VALUES, classify_failure
from headwater.analysis.roots import each_upstream
from headwater.analysis.states import last_good, streak_start
from headwater.model.node import Node
from headwater.model.outcome import Outcome
from headwater.observatory.column_evidence import read_columns, read_retyped, read_tested_column, read_traced
from headwater.observatory.difference_evidence import Builds, read_builds, read_difference
from headwater.observatory.evidence import read_history, read_latest
from headwater.observatory.lineage import TESTS, Estate, Graph
from headwater.store.lineage import read_nodes
from headwater.store.outcome_queries import read_variables

_NUMBERED = 25
"""How many nodes upstream, the nearest, have their row counts compared."""

_READ_CODE = 300
_VARIABLE = re.compile(r"""\b(env_var|var)\s*\(\s*['"]([^'"]+)['"]""")


def read_failure(
    tx: Connection, estate: Estate, graph: Graph, outcome: Outcome, in_run: Mapping[str, Outcome], now: datetime,
    *, good: Outcome | None = None,
) -> Failure:  # fmt: skip
    """Read what explains a failure; its parents are those of other projects, too, where it is made from theirs.

    `now` is the moment of the question; `good` the outcome to compare with, the last good one where none is given.
    """
    whole = read_history(tx, graph, outcome.unique_id, outcome.at + (outcome.elapsed or timedelta(0)))
    history = tuple(other for other in whole if other.at <= outcome.at)
    good = good or last_good(history)
    builds = read_builds(tx, estate, graph, outcome, good)
    upstream = [other for other in each_upstream(outcome.unique_id, graph.parents) if other in graph.nodes]
    tests = {test for other in upstream for test in graph.readers.get(other, ())} - {outcome.unique_id}
    sources = [other for other in upstream if graph.nodes[other].resource_type == "source"]
    failing = [
        found.unique_id for found in read_latest(tx, graph, {*tests, *sources}, outcome.at).values() if found.is_failed
    ]
    histories = {other: read_history(tx, graph, other, outcome.at) for other in failing}
    column = read_tested_column(tx, graph, outcome)
    difference = read_difference(tx, builds)
    relations = {other: graph.nodes[other].relation for other in (outcome.unique_id, *upstream)}
    return Failure(
        outcome=outcome,
        parents=builds.parents,
        good=good,
        history=history,
        in_run=in_run,
        columns=read_columns(tx, graph, outcome, column, [outcome.unique_id, *upstream]),
        traced=read_traced(tx, estate, graph, outcome, column, in_run, builds.parents),
        retyped=read_retyped(tx, graph, outcome, good, upstream, now),
        tests={other: found for other, found in histories.items() if graph.nodes[other].resource_type in TESTS},
        freshness={other: found for other, found in histories.items() if graph.nodes[other].resource_type == "source"},
        difference=difference,
        since=streak_start(history).at if history and not history[0].is_good else outcome.at,
        overlapping=_overlapping(outcome, whole),
        variables=_read_variables(tx, graph, builds, upstream),
        rendered=_read_rendered(tx, graph, builds, frozenset(difference.aspects) if difference else frozenset()),
        numbers=_read_numbers(tx, graph, outcome, builds, upstream),
        tables={other: relation.identifier.lower() for other, relation in relations.items() if relation is not None},
        ephemeral=frozenset(other for other in upstream if graph.nodes[other].is_ephemeral),
        column=column,
    )


def _overlapping(outcome: Outcome, history: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Give the executions of the node in other runs that lay in time over this one."""
    end = outcome.at + (outcome.elapsed or timedelta(0))
    return tuple(
        other
        for other in history
        if other.invocation_key != outcome.invocation_key
        and (other.run_id is None or other.run_id != outcome.run_id)
        and other.status != "skipped"
        and other.at <= end
        and other.at + (other.elapsed or timedelta(0)) > outcome.at
    )


def _read_variables(tx: Connection, graph: Graph, builds: Builds, upstream: list[str]) -> tuple[VariableChange, ...]:
    """Read which variables dbt was given other values for than when the node was last good."""
    if builds.good is None:
        return ()
    keys = (builds.good.invocation_key, builds.outcome.invocation_key)
    given = read_variables(tx, graph.scope.account_key, keys)
    before, after = (given.get(key) for key in keys)
    if before is None or after is None or before == after:
        return ()
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    used = _read_used(tx, graph, [builds.outcome.unique_id, *upstream][:_READ_CODE])
    return tuple(
        VariableChange(
            name=name,
            before=before.get(name),
            after=after.get(name),
            used_by=tuple(node for node, found in used.items() if name in found),
        )
        for name in names
    )


def _read_rendered(tx: Connection, graph: Graph, builds: Builds, changed: frozenset[str]) -> dict[str, frozenset[str]]:
    """Read which nodes compiled to other SQL though their code is the same, and the variables that they name.

    What compiles to something else each time, such as a date, tells nothing: it was another already before.
    """
    differing = [
        unique_id
        for unique_id, (before, after) in builds.executed.items()
        if before.compiled is not None and after.compiled is not None and before.compiled != after.compiled
        and unique_id not in changed and unique_id in graph.nodes
    ]  # fmt: skip
    found: dict[str, frozenset[str]] = {}
    for unique_id, names in _read_used(tx, graph, differing).items():
        before, _ = builds.executed[unique_id]
        history = read_history(tx, graph, unique_id, before.at)
        earlier = [other.compiled for other in history if other.is_good and other.compiled is not None][:3]
        if names and len(set(earlier)) <= 1:
            found[unique_id] = names
    return found


def _read_used(tx: Connection, graph: Graph, unique_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """Read the names of the variables that the code of nodes asks for, in the order of the nodes."""
    rows = {unique_id: graph.nodes[unique_id] for unique_id in unique_ids}
    if not rows:
        return {}
    nodes = read_nodes(tx, graph.scope.account_key, ((row.node_key, row.version) for row in rows.values()))
    return {
        unique_id: frozenset(name for _, name in _VARIABLE.findall(node.raw_code or ""))
        for unique_id, row in rows.items()
        if isinstance(node := nodes.get(row.node_key), Node)
    }


def _read_numbers(
    tx: Connection, graph: Graph, outcome: Outcome, builds: Builds, upstream: list[str]
) -> dict[str, str]:
    """Read how the builds of nodes upstream differ in rows from those before, where the data may be at fault."""
    if not outcome.is_good and outcome.status != "fail" and classify_failure(outcome.message) not in OF_VALUES:
        return {}
    counted = [other for other in upstream if other in builds.executed and builds.executed[other][1].rows is not None]
    found = {}
    for unique_id in counted[:_NUMBERED]:
        history = read_history(tx, graph, unique_id, outcome.at)
        said = find_rows_anomaly([build for build in history if build.status == "success"])
        if said is not None:
            found[unique_id] = said
    return found
