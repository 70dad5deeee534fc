"""Why a run went wrong: its failures grouped by what caused them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes.explaining import explain
from headwater.analysis.lateness import JobFacts
from headwater.analysis.missed import explain_missed
from headwater.analysis.run_causes import RunCause, choose_spokesmen, find_reaches, group_causes
from headwater.analysis.states import Judgement
from headwater.model.invocation import FAILED
from headwater.model.node import short_name
from headwater.model.run import Run, RunStatus
from headwater.model.verdict import Cause, CauseKind, NodeState
from headwater.observatory.cause_reports import RunCauseSummary, name_subject, say_cause
from headwater.observatory.failure_evidence import read_failure
from headwater.observatory.holder import Observatory
from headwater.observatory.lineage import Moment, Shelf, open_estate
from headwater.store.lineage import list_places
from headwater.store.outcome_queries import list_bad_outcomes
from headwater.store.rows import RunDetail
from headwater.store.writing import Scope

_MOST_EXPLAINED = 20


def read_run_causes(observatory: Observatory, tx: Connection, detail: RunDetail) -> tuple[RunCauseSummary, ...]:
    """Read what caused a run's failures, what reaches the most first; nothing of a run that went well or goes on.

    What failed in a pull request is not compared with the environment it will be merged to: nothing is said of it.
    """
    run = detail.row.run
    if run.status not in {RunStatus.ERROR, RunStatus.CANCELLED, RunStatus.SUCCESS}:
        return ()
    account_key = detail.row.account_key
    bad = list_bad_outcomes(tx, account_key, (row.invocation_key for row in detail.invocations))
    if not any(outcome.is_failed for outcome in bad.values()):
        return tuple(map(_summarise, _without_failures(detail)))
    scope = Scope(account_key, run.project_id or 0, run.environment_id or 0)
    place = next((place for place in list_places(tx, (account_key,)) if place.scope == scope), None)
    last = max(outcome.at for outcome in bad.values())
    keys = [row.manifest_key for row in detail.invocations if row.manifest_key is not None]
    now = _later(run.finished_at, last)
    shelf = Shelf(tx, Moment(at=now, pinned={scope: keys[-1]} if keys else {}), observatory.lineage)
    estate = None if place is None else open_estate(shelf, place)
    held = estate.held.get(scope) if estate is not None else None
    if estate is None or held is None:
        return tuple(_summarise(one) for one in group_causes(find_reaches(bad, {}), {}))
    graph = held.graph
    reaches = find_reaches(bad, graph.parents)
    explained = {
        reach.root.unique_id: explain(read_failure(tx, estate, graph, reach.root, bad, now))
        for reach in choose_spokesmen(reaches, _MOST_EXPLAINED)
        if reach.root.unique_id in graph.nodes
    }
    return tuple(_summarise(one) for one in group_causes(reaches, explained))


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or one < other else one


def _without_failures(detail: RunDetail) -> list[RunCause]:
    """Explain a run in which no node failed: by stale sources, or by what stopped it before dbt executed any."""
    run = detail.row.run
    stale = [row.freshness.unique_id for row in detail.freshness if row.freshness.status in FAILED]
    if stale:
        return [_stale(run, stale)]
    if run.status is RunStatus.SUCCESS or any(row.execution.is_failed for row in detail.executions):
        return []
    job = JobFacts(
        job_id=run.job_id or 0, name=detail.row.job_name or "its job", runs=(run,), building_run_ids=frozenset()
    )
    judgement = Judgement(state=NodeState.LATE, reason="", since=run.created_at, runs=(run,))
    return [RunCause(cause=explain_missed(judgement, job), failed=(), skipped=())]


def _stale(run: Run, sources: list[str]) -> RunCause:
    cause = Cause(
        kind=CauseKind.SOURCE_STALE, confidence=0.95, unique_id=sources[0], run_id=run.run_id, since=run.created_at,
        evidence=(f"{len(sources)} sources failed their freshness check." if len(sources) > 1 else
                  f"The source {short_name(sources[0])} failed its freshness check.",),
    )  # fmt: skip
    return RunCause(cause=cause, failed=tuple(sources), skipped=())


def _summarise(found: RunCause) -> RunCauseSummary:
    cause = found.cause
    return RunCauseSummary(
        kind=str(cause.kind),
        subject=name_subject(cause),
        unique_id=cause.unique_id,
        about=cause.about,
        confidence=cause.confidence,
        sentence=_say(found),
        evidence=cause.evidence,
        failed=found.failed,
        skipped=found.skipped,
    )


def _say(found: RunCause) -> str:
    what = say_cause(found.cause)
    what = what[0].upper() + what[1:]
    if not found.failed:
        return f"{what}."
    named = short_name(found.failed[0])
    more = f" and {len(found.failed) - 1:,} more" if len(found.failed) > 1 else ""
    skipped = f"; {len(found.skipped):,} skipped because of it" if found.skipped else ""
    return f"{what}: {named}{more} failed{skipped}."
