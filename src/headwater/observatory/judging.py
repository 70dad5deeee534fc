"""How a verdict is reached: judge the node, follow what is bad to where it began, and explain that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.chains import build_chains
from headwater.analysis.paths import find_path
from headwater.analysis.roots import each_upstream
from headwater.analysis.states import DESCRIBED, Judgement, NodeFacts, judge
from headwater.errors import NotKnown
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind, NodeState, Step, Verdict
from headwater.observatory.cause_reports import name_subject
from headwater.observatory.doubts import is_renewed
from headwater.observatory.evidence import read_facts, read_latest
from headwater.observatory.explaining import (
    MOST_EVIDENCE,
    Inquiry,
    explain_build,
    explain_late,
    explain_outcome,
    explain_source,
    explain_warning,
    read_bad,
)
from headwater.observatory.lineage import TESTS, Estate, scope_of
from headwater.observatory.reader_judging import look_at_readers
from headwater.observatory.upstream_judging import SEEN_THROUGH, late_jobs, look_across, look_upstream
from headwater.store.chain_queries import list_attempts

_MOST_CAUSES = 12
_FARTHEST = 3
"""How many projects a cause is followed through."""

_LATE_AT_MOST = 0.66
_REMEMBERED = timedelta(days=3)
_LOOKED_BACK = 10


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
    inquiry = Inquiry(tx, estate, held.graph, now)
    facts = read_facts(tx, inquiry.graph, address.unique_id, now)
    judgement = judge(facts, now)
    if judgement.state in SEEN_THROUGH and facts.resource_type not in TESTS:
        worse = look_upstream(inquiry, facts, judgement)
        if worse is None and farthest > 0:
            worse = look_across(
                inquiry, facts, judgement,
                lambda owner, when: give_verdict(tx, estate, owner, when, farthest=farthest - 1),
            )  # fmt: skip
        worse = worse or look_at_readers(inquiry, facts, judgement)
        if worse is not None:
            found = _verdict(inquiry, facts, worse.judgement, worse.causes, worse.through)
            return replace(found, is_passed_on=True)
        if facts.resource_type in DESCRIBED:
            judgement = _judge_described(inquiry, facts)
    return _verdict(inquiry, facts, judgement, _find_causes(inquiry, facts, judgement))


def _verdict(
    inquiry: Inquiry, facts: NodeFacts, judgement: Judgement, causes: Iterable[Cause], through: Verdict | None = None
) -> Verdict:
    ranked = rank_causes(causes)
    return Verdict(
        unique_id=facts.unique_id,
        state=judgement.state,
        reason=judgement.reason,
        since=judgement.since,
        last_good_at=judgement.last_good_at,
        causes=ranked,
        path=_read_path(inquiry, facts.unique_id, ranked[0], through) if ranked else (),
        past=_say_past(inquiry, facts.outcomes) if judgement.state in SEEN_THROUGH else None,
        is_passed_on=judgement.state not in SEEN_THROUGH
        and not _is_renewed(inquiry, judgement)
        and not (ranked and _is_compared(inquiry, facts, judgement, ranked[0])),
    )


def _is_compared(inquiry: Inquiry, facts: NodeFacts, judgement: Judgement, cause: Cause) -> bool:
    """Whether a test fails that compares a node with another one, and the cause lies in that: its own data are well."""
    row = inquiry.graph.nodes.get(cause.unique_id or "")
    if judgement.state is not NodeState.TEST_FAILING or row is None:
        return False
    made_from = {facts.unique_id, *each_upstream(facts.unique_id, inquiry.graph.parents)}
    return row.resource_type not in TESTS and row.unique_id not in made_from


def _is_renewed(inquiry: Inquiry, judgement: Judgement) -> bool:
    failed = judgement.decided_by[0] if judgement.state is NodeState.FAILED else None
    row = inquiry.graph.nodes.get(failed.unique_id) if failed is not None else None
    if failed is None or row is None:
        return False
    return is_renewed(inquiry.tx, inquiry.graph.scope.account_key, row, failed)


def rank_causes(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Put the likeliest first; the same cause of several failures is one, with the evidence of all."""
    merged: dict[tuple[CauseKind, str | None, int | None, str | None], Cause] = {}
    for cause in causes:
        key = (cause.kind, cause.unique_id, None if cause.unique_id else cause.run_id, cause.about)
        known = merged.get(key)
        if known is None:
            merged[key] = cause
            continue
        better, other = sorted((known, cause), key=lambda found: -found.confidence)
        evidence = tuple(dict.fromkeys((*better.evidence, *other.evidence)))[:MOST_EVIDENCE]
        merged[key] = replace(better, evidence=evidence)
    return tuple(sorted(merged.values(), key=lambda cause: -cause.confidence))[:_MOST_CAUSES]


def _find_causes(inquiry: Inquiry, facts: NodeFacts, judgement: Judgement) -> list[Cause]:
    if judgement.state is NodeState.LATE and facts.job is not None:
        return explain_late(inquiry, facts.unique_id, facts.job, judgement)
    if judgement.state is NodeState.STALE or (judgement.state is NodeState.MISSING and judgement.decided_by):
        return [explain_source(judgement)]
    if judgement.state is NodeState.ANOMALOUS:
        builds = [outcome for outcome in facts.outcomes if outcome.status == "success"]
        return explain_build(inquiry, builds[0], builds[1])
    if judgement.state in {NodeState.FAILED, NodeState.SKIPPED, NodeState.TEST_FAILING}:
        found = [cause for outcome in judgement.decided_by for cause in explain_outcome(inquiry, outcome)]
        tests = [outcome for outcome in judgement.decided_by if outcome.status == "fail"]
        return found + [cause for outcome in tests[:1] for cause in _explain_old_data(inquiry, outcome)]
    if judgement.state is NodeState.WARNED:
        return [cause for outcome in judgement.decided_by for cause in explain_warning(inquiry, outcome)]
    return []


def _explain_old_data(inquiry: Inquiry, test: Outcome) -> list[Cause]:
    """A test may fail because a job that builds what it reads was late."""
    upstream = list(each_upstream(test.unique_id, inquiry.graph.parents))
    latest = read_latest(inquiry.tx, inquiry.graph, upstream, test.at)
    late = late_jobs(replace(inquiry, now=test.at), upstream, latest, test.job_id, dict.fromkeys(upstream, test.at))
    return [
        replace(cause, confidence=min(cause.confidence, _LATE_AT_MOST), failed=test.unique_id)
        for _, causes in late
        for cause in causes
    ]


def _judge_described(inquiry: Inquiry, facts: NodeFacts) -> Judgement:
    """An exposure and its like are well where all that they are made from is."""
    upstream = each_upstream(facts.unique_id, inquiry.graph.parents)
    latest = read_latest(inquiry.tx, inquiry.graph, upstream, inquiry.now)
    if not latest:
        return judge(facts, inquiry.now)
    reason = "All that it is made from is as it should be."
    return Judgement(state=NodeState.HEALTHY, reason=reason, last_good_at=max(found.at for found in latest.values()))


def _read_path(inquiry: Inquiry, asked: str, cause: Cause, through: Verdict | None) -> tuple[Step, ...]:
    """Follow a node to its likeliest cause; what lies in another project is that one's own path."""
    graph = inquiry.graph
    if through is not None and through.path:
        names = find_path(asked, through.unique_id, None, graph.parents, ())
        return (*_steps(inquiry, names[:-1], {}), *through.path)
    failed = cause.failed or asked
    subject = cause.unique_id if cause.unique_id in graph.nodes else None
    latest = read_latest(inquiry.tx, graph, dict.fromkeys((asked, failed)), inquiry.now)
    root = latest.get(failed) or latest.get(asked)
    bad = read_bad(inquiry, root) if root is not None and not root.is_good else {}
    steps = _steps(inquiry, find_path(asked, failed, subject, graph.parents, bad.keys()), latest | bad)
    if subject is not None:
        return steps
    return (*steps, Step(name=name_subject(cause), unique_id=cause.unique_id, run_id=cause.run_id))


def _steps(inquiry: Inquiry, names: Iterable[str], known: Mapping[str, Outcome]) -> tuple[Step, ...]:
    listed = list(names)
    unknown = [name for name in listed if name not in known]
    latest = read_latest(inquiry.tx, inquiry.graph, unknown, inquiry.now) | dict(known)
    return tuple(
        Step(
            name=short_name(name),
            unique_id=name,
            status=latest[name].status if name in latest else None,
            run_id=latest[name].run_id if name in latest else None,
        )
        for name in listed
    )


def _say_past(inquiry: Inquiry, outcomes: tuple[Outcome, ...]) -> str | None:
    """Say of a node that is well how it was bad before, and whether another try of that run repaired it."""
    recent = [outcome for outcome in outcomes[:_LOOKED_BACK] if inquiry.now - outcome.at <= _REMEMBERED]
    place = next((place for place, outcome in enumerate(recent) if not outcome.is_good), 0)
    if place == 0:
        return None
    bad, good = recent[place], recent[place - 1]
    how = "was skipped" if bad.status == "skipped" else "failed"
    said = f"It {how} at {bad.at:%Y-%m-%d %H:%M} UTC"
    if bad.run_id is None or good.run_id is None:
        return f"{said} and was good again at {good.at:%Y-%m-%d %H:%M} UTC."
    by = "the retry" if _is_same_work(inquiry, bad.run_id, good.run_id) else "a later run"
    if bad.run_id == good.run_id:
        return f"{said} in run {bad.run_id} and was good at its next try in that run."
    return f"{said} in run {bad.run_id} and was repaired by {by}, run {good.run_id}."


def _is_same_work(inquiry: Inquiry, one: int, other: int) -> bool:
    account_key = inquiry.graph.scope.account_key
    attempts = [placed.attempt for placed in list_attempts(inquiry.tx, [(account_key, other)])]
    return any({one, other} <= set(chain.run_ids) for chain in build_chains(attempts))
