"""In what state a node is, read from what happened to it, to its tests and to the job that builds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headwater.analysis.anomalies import find_anomaly
from headwater.analysis.lateness import JobFacts, find_lateness
from headwater.model.outcome import Outcome
from headwater.model.run import Run
from headwater.model.verdict import NodeState

DESCRIBED = frozenset({"exposure", "metric", "semantic_model", "saved_query"})
"""What is never built: it is as good as what it is made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What is known of a node in one environment up to a moment; all outcomes newest first."""

    unique_id: str
    resource_type: str
    outcomes: tuple[Outcome, ...] = ()
    tests: Mapping[str, tuple[Outcome, ...]] = field(default_factory=dict)
    job: JobFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A state, since when, the sentence it is read from, and what decided it: outcomes, or runs that brought none."""

    state: NodeState
    reason: str
    since: datetime | None = None
    last_good_at: datetime | None = None
    decided_by: tuple[Outcome, ...] = ()
    runs: tuple[Run, ...] = ()


def judge(facts: NodeFacts, now: datetime) -> Judgement:
    """Tell in what state a node is by what happened to itself, its tests and its job; upstream is not looked at."""
    if facts.resource_type in DESCRIBED:
        return Judgement(state=NodeState.UNKNOWN, reason="Nothing is known of what it is made from.")
    if facts.resource_type == "source":
        return _judge_source(facts)
    if facts.resource_type in {"test", "unit_test"}:
        return _judge_test(facts)
    last = facts.outcomes[0] if facts.outcomes else None
    if last is not None and not last.is_good:
        return _judge_bad(facts.outcomes)
    return (
        _judge_tests(facts)
        or _judge_job(facts, now)
        or _judge_numbers(facts)
        or _judge_warnings(facts)
        or _judge_good(facts)
    )


def streak_start(outcomes: Sequence[Outcome]) -> Outcome:
    """Give the first of the newest outcomes that are not good; the given ones are newest first and begin with such."""
    start = outcomes[0]
    for outcome in outcomes:
        if outcome.is_good:
            break
        start = outcome
    return start


def last_good(outcomes: Iterable[Outcome]) -> Outcome | None:
    """Give the newest good outcome."""
    return next((outcome for outcome in outcomes if outcome.is_good), None)


def _judge_bad(outcomes: Sequence[Outcome]) -> Judgement:
    last, start, good = outcomes[0], streak_start(outcomes), last_good(outcomes)
    state = NodeState.SKIPPED if last.status == "skipped" else NodeState.FAILED
    if last.status == "skipped":
        said = "dbt skipped it"
    elif last.status == "partial success":
        said = "only some of its batches were built"
    else:
        said = "its build failed"
    return Judgement(
        state=state,
        reason=f"When it was last due, {said}.",
        since=start.at,
        last_good_at=good.at if good else None,
        decided_by=(last,),
    )


def _judge_source(facts: NodeFacts) -> Judgement:
    """A source is judged by its last freshness check, then by its tests."""
    last = facts.outcomes[0] if facts.outcomes else None
    if last is not None and last.status in {"error", "warn", "runtime error"}:
        start = _same_start(facts.outcomes)
        good = next((outcome for outcome in facts.outcomes if outcome.status == "pass"), None)
        state = {"error": NodeState.STALE, "warn": NodeState.WARNED}.get(last.status, NodeState.MISSING)
        said = {
            "error": "its newest row is older than its freshness rule allows",
            "warn": "its newest row is older than its freshness rule likes",
        }.get(last.status, "its freshness could not be read")
        return Judgement(
            state=state,
            reason=f"When it was last checked, {said}.",
            since=start.at,
            last_good_at=good.at if good else None,
            decided_by=(last,),
        )
    return _judge_tests(facts) or _judge_warnings(facts) or _judge_good(facts)


def _judge_test(facts: NodeFacts) -> Judgement:
    if not facts.outcomes:
        return _judge_good(facts)
    last = facts.outcomes[0]
    if last.status == "fail":
        return Judgement(
            state=NodeState.TEST_FAILING,
            reason=f"It fails{_rows(last)}.",
            since=streak_start(facts.outcomes).at,
            last_good_at=_at(last_good(facts.outcomes)),
            decided_by=(last,),
        )
    if not last.is_good:
        return _judge_bad(facts.outcomes)
    if last.status == "warn":
        return Judgement(
            state=NodeState.WARNED,
            reason=f"It warns{_rows(last)}.",
            since=_same_start(facts.outcomes).at,
            last_good_at=last.at,
            decided_by=(last,),
        )
    return _judge_good(facts)


def _judge_tests(facts: NodeFacts) -> Judgement | None:
    """A node whose tests fail is there, but nobody vouches for it."""
    failing = [outcomes for outcomes in facts.tests.values() if outcomes and outcomes[0].is_failed]
    if not failing:
        return None
    since = min(streak_start(outcomes).at for outcomes in failing)
    good = next((outcome.at for outcome in facts.outcomes if outcome.is_good and outcome.at < since), None)
    count = len(failing)
    return Judgement(
        state=NodeState.TEST_FAILING,
        reason=f"{count} of its {len(facts.tests)} tests {'fails' if count == 1 else 'fail'}.",
        since=since,
        last_good_at=good,
        decided_by=tuple(sorted((outcomes[0] for outcomes in failing), key=lambda outcome: outcome.unique_id)),
    )


def _judge_warnings(facts: NodeFacts) -> Judgement | None:
    warning = [outcomes for outcomes in facts.tests.values() if outcomes and outcomes[0].status == "warn"]
    if not warning:
        return None
    count = len(warning)
    return Judgement(
        state=NodeState.WARNED,
        reason=f"{count} of its {len(facts.tests)} tests {'warns' if count == 1 else 'warn'}.",
        since=min(_same_start(outcomes).at for outcomes in warning),
        last_good_at=_at(last_good(facts.outcomes)),
        decided_by=tuple(sorted((outcomes[0] for outcomes in warning), key=lambda outcome: outcome.unique_id)),
    )


def _judge_job(facts: NodeFacts, now: datetime) -> Judgement | None:
    if facts.job is None or not facts.outcomes:
        return None
    late = find_lateness(facts.job, facts.outcomes[0].at, now)
    if late is None:
        return None
    return Judgement(
        state=NodeState.LATE,
        reason=late.reason,
        since=late.since,
        last_good_at=facts.outcomes[0].at,
        runs=late.runs,
    )


def _judge_numbers(facts: NodeFacts) -> Judgement | None:
    builds = [outcome for outcome in facts.outcomes if outcome.status == "success"]
    said = find_anomaly(builds)
    if said is None:
        return None
    return Judgement(
        state=NodeState.ANOMALOUS,
        reason=said,
        since=builds[0].at,
        last_good_at=builds[1].at,
        decided_by=(builds[0],),
    )


def _judge_good(facts: NodeFacts) -> Judgement:
    if facts.outcomes:
        done = "checked" if facts.resource_type in {"source", "test", "unit_test"} else "built"
        return Judgement(
            state=NodeState.HEALTHY,
            reason=f"It was last {done} well, and nothing known speaks against it.",
            last_good_at=facts.outcomes[0].at,
        )
    if any(facts.tests.values()):
        tested = max(outcomes[0].at for outcomes in facts.tests.values() if outcomes)
        return Judgement(state=NodeState.HEALTHY, reason="All its tests pass.", last_good_at=tested)
    return Judgement(state=NodeState.UNKNOWN, reason="Nothing has happened to it in any run that is stored.")


def _same_start(outcomes: Sequence[Outcome]) -> Outcome:
    start = outcomes[0]
    for outcome in outcomes:
        if outcome.status != outcomes[0].status:
            break
        start = outcome
    return start


def _rows(outcome: Outcome) -> str:
    return "" if outcome.failures is None else f" on {outcome.failures:,} row{'' if outcome.failures == 1 else 's'}"


def _at(outcome: Outcome | None) -> datetime | None:
    return None if outcome is None else outcome.at
