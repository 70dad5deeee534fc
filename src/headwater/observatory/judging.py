"""How a verdict is reached: judge the node, follow what is bad to where it began, and explain that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes import explain
from headwater.analysis.missed import explain_missed
from headwater.analysis.roots import each_upstream, find_roots
from headwater.analysis.states import DESCRIBED, Judgement, NodeFacts, judge, streak_start
from headwater.errors import NotKnown
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.run import RunStatus
from headwater.model.verdict import Cause, CauseKind, NodeState, Verdict
from headwater.observatory.evidence import TESTS, Graph, graph_of, read_facts, read_failure, read_latest
from headwater.observatory.lineage import Estate, Held, scope_of
from headwater.store.outcome_queries import list_bad_outcomes, list_outcomes, list_run_invocation_keys
from headwater.store.run_queries import list_run_steps

_MOST_CAUSES = 12
_MOST_EVIDENCE = 4
_MOST_ROOTS = 20
_FARTHEST = 3
"""How many projects a cause is followed through."""

_BUILT = frozenset({"model", "seed", "snapshot", "function"})
_SEEN_THROUGH = frozenset({NodeState.HEALTHY, NodeState.UNKNOWN, NodeState.WARNED, NodeState.ANOMALOUS})


@dataclass(frozen=True, slots=True)
class _Upstream:
    """Something bad above a node, and since when."""

    outcome: Outcome
    since: datetime


def give_verdict(
    tx: Connection, estate: Estate, address: NodeAddress, now: datetime, *, farthest: int = _FARTHEST
) -> Verdict:
    """Tell in what state a node was at a moment, and why; everything is read from what was stored of before it.

    Raises:
        NotKnown: the node is in no manifest that held then.
    """
    held = estate.held.get(scope_of(address))
    if held is None or address.unique_id not in held.rows:
        raise NotKnown(f"{address.unique_id} is in no manifest of its environment that held then.")
    graph = graph_of(held)
    facts = read_facts(tx, graph, address.unique_id, now)
    judgement = judge(facts, now)
    if judgement.state in _SEEN_THROUGH and facts.resource_type not in TESTS:
        seen = _look_upstream(tx, graph, facts, judgement, now) or _look_across(
            tx, estate, held, facts, judgement, now, farthest
        )
        if seen is not None:
            return seen
        if facts.resource_type in DESCRIBED:
            judgement = _judge_described(tx, graph, facts, now)
    causes = _find_causes(tx, graph, facts, judgement)
    return _verdict(address.unique_id, judgement, causes)


def _verdict(unique_id: str, judgement: Judgement, causes: Iterable[Cause]) -> Verdict:
    return Verdict(
        unique_id=unique_id,
        state=judgement.state,
        reason=judgement.reason,
        since=judgement.since,
        last_good_at=judgement.last_good_at,
        causes=_ranked(causes),
    )


def _ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Put the likeliest first; the same cause of several failures is one, with the evidence of all."""
    merged: dict[tuple[CauseKind, str | None, int | None], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.unique_id, None if cause.unique_id else cause.run_id)
        known = merged.get(key)
        if known is None:
            merged[key] = cause
            continue
        better, other = sorted((known, cause), key=lambda found: -found.confidence)
        evidence = tuple(dict.fromkeys((*better.evidence, *other.evidence)))[:_MOST_EVIDENCE]
        merged[key] = replace(better, evidence=evidence)
    return tuple(sorted(merged.values(), key=lambda cause: -cause.confidence))[:_MOST_CAUSES]


def _find_causes(tx: Connection, graph: Graph, facts: NodeFacts, judgement: Judgement) -> list[Cause]:
    if judgement.state is NodeState.LATE:
        return _explain_late(tx, graph, facts, judgement)
    if judgement.state is NodeState.STALE or (judgement.state is NodeState.MISSING and judgement.decided_by):
        return [_explain_source(judgement)]
    if judgement.state in {NodeState.FAILED, NodeState.SKIPPED, NodeState.TEST_FAILING}:
        return [cause for outcome in judgement.decided_by for cause in _explain_outcome(tx, graph, outcome)]
    return []


def _explain_outcome(tx: Connection, graph: Graph, outcome: Outcome) -> list[Cause]:
    """Explain one bad outcome by the first failures above it in its run."""
    in_run = _read_bad(tx, graph, outcome)
    roots = find_roots(outcome.unique_id, in_run, graph.parents)
    if not roots and outcome.status == "skipped":
        return [_explain_skip(outcome, in_run)]
    causes: list[Cause] = []
    for root in (roots or (outcome,))[:_MOST_ROOTS]:
        if root.unique_id not in graph.nodes:
            continue
        found = explain(read_failure(tx, graph, root, in_run))
        causes += found if root.unique_id == outcome.unique_id else _led_by(outcome, root, found)
    return causes


def _led_by(outcome: Outcome, root: Outcome, causes: Sequence[Cause]) -> list[Cause]:
    how = "was skipped" if outcome.status == "skipped" else "failed"
    run = f" in run {root.run_id}" if root.run_id is not None else ""
    lead = f"{short_name(outcome.unique_id)} {how} because {short_name(root.unique_id)}, upstream, failed{run}."
    return [replace(cause, evidence=(lead, *cause.evidence)[:_MOST_EVIDENCE]) for cause in causes]


def _read_bad(tx: Connection, graph: Graph, outcome: Outcome) -> dict[str, Outcome]:
    account_key = graph.scope.account_key
    keys = (
        (outcome.invocation_key,) if outcome.run_id is None
        else list_run_invocation_keys(tx, account_key, outcome.run_id)
    )  # fmt: skip
    return list_bad_outcomes(tx, account_key, keys)


def _explain_skip(outcome: Outcome, in_run: dict[str, Outcome]) -> Cause:
    """A node is skipped without a failure above it where the run was cancelled, or was to stop at the first failure."""
    run_id = outcome.run_id
    failed = [other for other in in_run.values() if other.is_failed]
    if failed:
        first = min(failed, key=lambda other: (other.at, other.unique_id))
        said = f"{short_name(first.unique_id)} failed first, and dbt did not go on; nothing above this node failed."
        return Cause(
            kind=CauseKind.NODE_FAILED, confidence=0.6, unique_id=first.unique_id, run_id=run_id, since=first.at,
            evidence=(said,),
        )  # fmt: skip
    said = f"Run {run_id} ended before dbt came to this node." if run_id else "dbt ended before it came to this node."
    return Cause(kind=CauseKind.RUN_CANCELLED, confidence=0.7, run_id=run_id, since=outcome.at, evidence=(said,))


def _explain_source(judgement: Judgement) -> Cause:
    (outcome,) = judgement.decided_by
    is_missing = judgement.state is NodeState.MISSING
    newest = f" Its newest row is of {outcome.max_loaded_at:%Y-%m-%d %H:%M} UTC." if outcome.max_loaded_at else ""
    told = f" {outcome.message}" if is_missing and outcome.message else newest
    return Cause(
        kind=CauseKind.SOURCE_MISSING if is_missing else CauseKind.SOURCE_STALE,
        confidence=0.95,
        unique_id=outcome.unique_id,
        run_id=outcome.run_id,
        since=judgement.since,
        evidence=(f"{judgement.reason}{told}",),
    )


def _explain_late(tx: Connection, graph: Graph, facts: NodeFacts, judgement: Judgement) -> list[Cause]:
    assert facts.job is not None  # noqa: S101  only a node with a job is judged late
    account_key = graph.scope.account_key
    if judgement.runs and judgement.runs[0].status is RunStatus.ERROR:
        run = judgement.runs[0]
        bad = list_bad_outcomes(tx, account_key, list_run_invocation_keys(tx, account_key, run.run_id))
        failures = [found for found in bad.values() if found.is_failed and found.unique_id in graph.nodes]
        if failures:
            roots = [found for found in failures if find_roots(found.unique_id, bad, graph.parents) == (found,)]
            lead = f"Run {run.run_id} of {facts.job.name} stopped before it came to {short_name(facts.unique_id)}."
            return [
                replace(cause, evidence=(lead, *cause.evidence)[:_MOST_EVIDENCE])
                for root in (roots or failures)[:_MOST_ROOTS]
                for cause in explain(read_failure(tx, graph, root, bad))
            ]
        with_steps = replace(run, steps=tuple(list_run_steps(tx, account_key, run.run_id)))
        judgement = replace(judgement, runs=(with_steps, *judgement.runs[1:]))
    return [explain_missed(judgement, facts.job)]


def _look_upstream(
    tx: Connection, graph: Graph, facts: NodeFacts, judgement: Judgement, now: datetime
) -> Verdict | None:
    """Judge a node that is well by itself by what it was built from; None where that is well too."""
    upstream = list(each_upstream(facts.unique_id, graph.parents))
    tests = {test for other in upstream for test in graph.readers.get(other, ())}
    stopped = [test for test in tests if set(graph.parents[test]) <= set(upstream)]
    latest = read_latest(tx, graph, [*upstream, *stopped], now)
    bad = _each_reached(tx, graph, facts, latest, now)
    roots = [found for found in bad if not _has_bad_above(found, bad, graph)]
    if not roots:
        return None
    causes = [
        replace(cause, evidence=(_built_on(facts, found), *cause.evidence)[:_MOST_EVIDENCE])
        for found in roots[:_MOST_ROOTS]
        for cause in _explain_upstream(tx, graph, found)
    ]
    return _verdict(facts.unique_id, _worsen(judgement, bad), causes)


def _each_reached(
    tx: Connection, graph: Graph, facts: NodeFacts, latest: dict[str, Outcome], now: datetime
) -> list[_Upstream]:
    """Give what is bad upstream since before the node was built: what turned bad later is not in it."""
    built_at = _built_at(facts)
    found = []
    for outcome in latest.values():
        if outcome.is_good:
            continue
        history = list_outcomes(tx, graph.scope.account_key, graph.nodes[outcome.unique_id].node_key, now)
        since = streak_start(history).at if history and not history[0].is_good else outcome.at
        if built_at is None or since <= built_at:
            found.append(_Upstream(outcome, since))
    return sorted(found, key=lambda one: (one.since, one.outcome.unique_id))


def _has_bad_above(found: _Upstream, bad: Sequence[_Upstream], graph: Graph) -> bool:
    """Whether something failed further upstream, so that this is its symptom; skipped nodes always are one."""
    if found.outcome.status == "skipped":
        return any(other.outcome.is_failed for other in bad)
    above = set(each_upstream(found.outcome.unique_id, graph.parents))
    return any(
        other.outcome.unique_id in above and other.outcome.is_failed and other.since <= found.since for other in bad
    )


def _explain_upstream(tx: Connection, graph: Graph, found: _Upstream) -> list[Cause]:
    row = graph.nodes[found.outcome.unique_id]
    if row.resource_type == "source":
        state = NodeState.STALE if found.outcome.status == "error" else NodeState.MISSING
        said = f"The source {short_name(row.unique_id)} failed its freshness check."
        return [_explain_source(Judgement(state=state, reason=said, since=found.since, decided_by=(found.outcome,)))]
    return _explain_outcome(tx, graph, found.outcome)


def _built_on(facts: NodeFacts, found: _Upstream) -> str:
    how = {"skipped": "was skipped", "fail": "fails"}.get(found.outcome.status, "failed")
    since = f"{found.since:%Y-%m-%d %H:%M} UTC"
    return (
        f"{short_name(facts.unique_id)} is made from {short_name(found.outcome.unique_id)}, which {how} since {since}."
    )


def _judge_described(tx: Connection, graph: Graph, facts: NodeFacts, now: datetime) -> Judgement:
    """An exposure and its like are well where all that they are made from is."""
    latest = read_latest(tx, graph, each_upstream(facts.unique_id, graph.parents), now)
    if not latest:
        return judge(facts, now)
    reason = "All that it is made from is as it should be."
    return Judgement(state=NodeState.HEALTHY, reason=reason, last_good_at=max(found.at for found in latest.values()))


def _worsen(judgement: Judgement, bad: Sequence[_Upstream]) -> Judgement:
    """A node built from what failed holds old data; built from what fails its tests, data that nobody vouches for."""
    broken = [found for found in bad if not found.outcome.unique_id.startswith(tuple(f"{kind}." for kind in TESTS))]
    state = NodeState.STALE if broken else NodeState.WARNED
    named = short_name((broken or bad)[0].outcome.unique_id)
    reason = (
        f"It was built from data that is older than it should be: {named} upstream is not as it should be."
        if broken
        else f"It was built from data that fails a test upstream: {named}."
    )
    return replace(judgement, state=state, reason=reason, since=(broken or bad)[0].since)


def _look_across(
    tx: Connection, estate: Estate, held: Held, facts: NodeFacts, judgement: Judgement, now: datetime, farthest: int
) -> Verdict | None:
    """Ask the projects that own what this node is made from and its own project only imports."""
    if farthest <= 0:
        return None
    built_at = _built_at(facts)
    parents = {unique_id: row.parents for unique_id, row in held.rows.items()}
    for other in each_upstream(facts.unique_id, parents):
        owner = estate.stands_for.get(held.address(other))
        if owner is None or estate.row(owner) is None:
            continue
        found = give_verdict(tx, estate, owner, now, farthest=farthest - 1)
        if found.state in _SEEN_THROUGH or (built_at and found.since and found.since > built_at):
            continue
        reason = f"It was built from {short_name(other)} of another project, which is {found.state}."
        worse = replace(judgement, state=NodeState.STALE, reason=reason, since=found.since)
        return _verdict(facts.unique_id, worse, found.causes)
    return None


def _built_at(facts: NodeFacts) -> datetime | None:
    """Give when a node's table was last written; None for what has no builds, such as an exposure."""
    return facts.outcomes[0].at if facts.outcomes and facts.resource_type in _BUILT else None
