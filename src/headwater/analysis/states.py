"""In what state a node is, read from what happened to it, to its tests and to the job that builds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from headwater.model.outcome import Outcome
from headwater.model.run import Run, RunStatus
from headwater.model.verdict import NodeState

SHORTEST_GRACE = timedelta(minutes=15)
"""A run is not called late before it is this late; jobs wait in queues and start on slow machines."""

DESCRIBED = frozenset({"exposure", "metric", "semantic_model", "saved_query"})
"""What is never built: it is as good as what it is made from."""

_UNUSUAL = 6.0
_LEAST_HISTORY = 8
_GRACE_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The job that builds a node: its runs newest first, and which of them executed the node.

    `expected_at` is when its newest run ought to have been created by its schedule; None without a schedule.
    """

    job_id: int
    name: str
    runs: tuple[Run, ...]
    building_run_ids: frozenset[int]
    expected_at: datetime | None = None


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
    """A node is late where runs of its job ended badly without touching it, or the next run is overdue."""
    job, last = facts.job, facts.outcomes[0] if facts.outcomes else None
    if job is None or last is None:
        return None
    missed = _missed_runs(job, last.at)
    if missed:
        return Judgement(
            state=NodeState.LATE,
            reason=_missed_sentence(job, missed),
            since=missed[-1].created_at or missed[-1].started_at,
            last_good_at=last.at,
            runs=tuple(missed),
        )
    newest = job.runs[0] if job.runs else None
    if newest is not None and not newest.status.is_finished and _is_slow(newest, job, now):
        word = "has been running" if newest.started_at else "has been waiting in the queue"
        return Judgement(
            state=NodeState.LATE,
            reason=f"The run of {job.name} that should build it {word} much longer than usual.",
            since=newest.created_at,
            last_good_at=last.at,
            runs=(newest,),
        )
    if job.expected_at is None or now < job.expected_at + _grace(job):
        return None
    if newest is not None and newest.created_at is not None and newest.created_at >= job.expected_at - SHORTEST_GRACE:
        return None
    return Judgement(
        state=NodeState.LATE,
        reason=f"{job.name} should have started at {job.expected_at:%Y-%m-%d %H:%M} UTC and has not.",
        since=job.expected_at,
        last_good_at=last.at,
    )


def _missed_runs(job: JobFacts, built_at: datetime) -> list[Run]:
    """Give the newest finished runs since the node was last touched, all of which ended badly without touching it."""
    missed: list[Run] = []
    for run in job.runs:
        if not run.status.is_finished:
            continue
        placed = run.started_at or run.created_at
        if run.run_id in job.building_run_ids or placed is None or placed <= built_at:
            break
        if run.status is RunStatus.SUCCESS:
            break
        missed.append(run)
    return missed


def _missed_sentence(job: JobFacts, missed: Sequence[Run]) -> str:
    newest = missed[0]
    how = "was cancelled" if newest.status is RunStatus.CANCELLED else "failed"
    if len(missed) == 1:
        return f"The last run of {job.name} {how} before it came to this node."
    return f"The last {len(missed)} runs of {job.name} ended before they came to this node; the newest {how}."


def _is_slow(run: Run, job: JobFacts, now: datetime) -> bool:
    usual = [
        other.finished_at - other.created_at
        for other in job.runs
        if other.status is RunStatus.SUCCESS and other.finished_at and other.created_at
    ]
    if run.created_at is None or len(usual) < 3:
        return False
    return now - run.created_at > max(usual) + max(SHORTEST_GRACE, _middle(usual))


def _grace(job: JobFacts) -> timedelta:
    created = sorted(run.created_at for run in job.runs if run.created_at)
    gaps = [later - earlier for earlier, later in pairwise(created)]
    return max(SHORTEST_GRACE, _middle(gaps) * _GRACE_SHARE) if gaps else SHORTEST_GRACE


def _middle(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans))


def _judge_numbers(facts: NodeFacts) -> Judgement | None:
    """A build is anomalous that wrote or took several times more or less than the builds before it ever vary."""
    builds = [outcome for outcome in facts.outcomes if outcome.status == "success"]
    if len(builds) <= _LEAST_HISTORY:
        return None
    newest, before = builds[0], builds[1:]
    said = _unusual("rows", newest.rows, [build.rows for build in before if build.rows is not None])
    said = said or _unusual(
        "seconds",
        newest.elapsed.total_seconds() if newest.elapsed else None,
        [build.elapsed.total_seconds() for build in before if build.elapsed is not None],
        least=60.0,
    )
    if said is None:
        return None
    return Judgement(
        state=NodeState.ANOMALOUS,
        reason=said,
        since=newest.at,
        last_good_at=before[0].at,
        decided_by=(newest,),
    )


def _unusual(unit: str, value: float | None, before: Sequence[float], least: float = 10.0) -> str | None:
    """Compare with the median, in units of the median distance from it (and never less than a tenth of the median)."""
    if value is None or len(before) < _LEAST_HISTORY:
        return None
    middle = median(before)
    spread = max(median(abs(other - middle) for other in before), abs(middle) / 10, least)
    if abs(value - middle) <= _UNUSUAL * spread:
        return None
    return f"Its last build {'wrote' if unit == 'rows' else 'took'} {value:,.0f} {unit}; {middle:,.0f} are usual."


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
