"""Why something is bad: what is known of it is read, and the rules are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes.explaining import explain, explain_anomaly
from headwater.analysis.lateness import JobFacts
from headwater.analysis.missed import explain_missed
from headwater.analysis.roots import find_roots
from headwater.analysis.states import Judgement
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.run import RunStatus
from headwater.model.verdict import Cause, CauseKind, NodeState
from headwater.observatory.evidence import read_history
from headwater.observatory.failure_evidence import read_failure
from headwater.observatory.lineage import Estate, Graph
from headwater.store.outcome_queries import list_bad_outcomes, list_run_invocation_keys
from headwater.store.run_queries import list_run_steps

MOST_EVIDENCE = 4
MOST_ROOTS = 20


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a question of why is asked of: the store, the graph of one environment and those around it, and when."""

    tx: Connection
    estate: Estate
    graph: Graph
    now: datetime


def explain_outcome(inquiry: Inquiry, outcome: Outcome) -> list[Cause]:
    """Explain one bad outcome by the first failures above it in its run."""
    graph, in_run = inquiry.graph, read_bad(inquiry, outcome)
    roots = find_roots(outcome.unique_id, in_run, graph.parents)
    if not roots and outcome.status == "skipped":
        return [_explain_skip(outcome, in_run)]
    causes: list[Cause] = []
    for root in (roots or (outcome,))[:MOST_ROOTS]:
        if root.unique_id not in graph.nodes:
            continue
        found = explain(read_failure(inquiry.tx, inquiry.estate, graph, root, in_run, inquiry.now))
        causes += found if root.unique_id == outcome.unique_id else lead(_how(outcome, root), found)
    return causes


def explain_build(inquiry: Inquiry, build: Outcome, before: Outcome) -> list[Cause]:
    """Explain a good build that is unlike the one before."""
    failure = read_failure(inquiry.tx, inquiry.estate, inquiry.graph, build, {}, inquiry.now, good=before)
    return list(explain_anomaly(failure))


def explain_warning(inquiry: Inquiry, warning: Outcome) -> list[Cause]:
    """Explain a test or a source check that warns and did not before; what has always warned is as it was.

    A warning stops nothing, so that nobody suffers from it: its causes name no run whose failures were theirs.
    """
    history = read_history(inquiry.tx, inquiry.graph, warning.unique_id, warning.at)
    passed = next((outcome for outcome in history if outcome.status == "pass"), None)
    if passed is None:
        return []
    if inquiry.graph.nodes[warning.unique_id].resource_type == "source":
        newest = f" Its newest row is of {warning.max_loaded_at:%Y-%m-%d %H:%M} UTC." if warning.max_loaded_at else ""
        said = f"{short_name(warning.unique_id)} is older than its freshness rule likes.{newest}"
        return [Cause(kind=CauseKind.SOURCE_STALE, confidence=0.7, unique_id=warning.unique_id, evidence=(said,))]
    failure = read_failure(inquiry.tx, inquiry.estate, inquiry.graph, warning, {}, inquiry.now, good=passed)
    return [replace(cause, run_id=None) for cause in explain(failure)]


def lead(sentence: str, causes: Sequence[Cause]) -> list[Cause]:
    """Put a sentence before the evidence of causes."""
    return [replace(cause, evidence=(sentence, *cause.evidence)[:MOST_EVIDENCE]) for cause in causes]


def _how(outcome: Outcome, root: Outcome) -> str:
    how = "was skipped" if outcome.status == "skipped" else "failed"
    run = f" in run {root.run_id}" if root.run_id is not None else ""
    return f"{short_name(outcome.unique_id)} {how} because {short_name(root.unique_id)}, upstream, failed{run}."


def read_bad(inquiry: Inquiry, outcome: Outcome) -> dict[str, Outcome]:
    """Read all that was not good in the run of an outcome, or in its invocation where it was in none."""
    account_key = inquiry.graph.scope.account_key
    keys = (
        (outcome.invocation_key,) if outcome.run_id is None
        else list_run_invocation_keys(inquiry.tx, account_key, outcome.run_id)
    )  # fmt: skip
    return list_bad_outcomes(inquiry.tx, account_key, keys)


def _explain_skip(outcome: Outcome, in_run: dict[str, Outcome]) -> Cause:
    """A node is skipped without a failure above it where the run was cancelled, or was to stop at the first failure."""
    run_id = outcome.run_id
    failed = [other for other in in_run.values() if other.is_failed]
    if failed:
        first = min(failed, key=lambda other: (other.at, other.unique_id))
        said = f"{short_name(first.unique_id)} failed first, and dbt did not go on; nothing above this node failed."
        return Cause(
            kind=CauseKind.NODE_FAILED, confidence=0.6, unique_id=first.unique_id, run_id=run_id, since=first.at,
            evidence=(said,), failed=first.unique_id,
        )  # fmt: skip
    said = f"Run {run_id} ended before dbt came to this node." if run_id else "dbt ended before it came to this node."
    return Cause(kind=CauseKind.RUN_CANCELLED, confidence=0.7, run_id=run_id, since=outcome.at, evidence=(said,))


def explain_source(judgement: Judgement) -> Cause:
    """Explain a source by its freshness check."""
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
        failed=outcome.unique_id,
    )


def explain_late(inquiry: Inquiry, unique_id: str, job: JobFacts, judgement: Judgement) -> list[Cause]:
    """Explain a node that its job did not come to: by what failed before it in the run, else by the run itself."""
    tx, graph, account_key = inquiry.tx, inquiry.graph, inquiry.graph.scope.account_key
    if judgement.runs and judgement.runs[0].status is RunStatus.ERROR:
        run = judgement.runs[0]
        bad = list_bad_outcomes(tx, account_key, list_run_invocation_keys(tx, account_key, run.run_id))
        failures = [found for found in bad.values() if found.is_failed and found.unique_id in graph.nodes]
        if failures:
            roots = [found for found in failures if find_roots(found.unique_id, bad, graph.parents) == (found,)]
            said = f"Run {run.run_id} of {job.name} stopped before it came to {short_name(unique_id)}."
            return [
                cause
                for root in (roots or failures)[:MOST_ROOTS]
                for cause in lead(said, explain(read_failure(tx, inquiry.estate, graph, root, bad, inquiry.now)))
            ]
        with_steps = replace(run, steps=tuple(list_run_steps(tx, account_key, run.run_id)))
        judgement = replace(judgement, runs=(with_steps, *judgement.runs[1:]))
    return [explain_missed(judgement, job)]
