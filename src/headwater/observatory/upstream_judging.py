"""A node that is well by itself, judged by what it was built from: failures, late jobs and other projects upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.analysis.failures import classify_failure
from headwater.analysis.lateness import find_lateness
from headwater.analysis.reads import read_times
from headwater.analysis.roots import each_upstream
from headwater.analysis.states import DESCRIBED, Judgement, NodeFacts, streak_start
from headwater.model.build import WRITTEN
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, NodeState, Verdict
from headwater.observatory.doubts import in_doubt_since, is_renewed, is_stored
from headwater.observatory.evidence import read_history, read_job, read_latest
from headwater.observatory.explaining import (
    MOST_ROOTS,
    Inquiry,
    explain_late,
    explain_outcome,
    explain_source,
    lead,
)
from headwater.observatory.lineage import TESTS
from headwater.observatory.missed import BUILT, LOOKED_BACK
from headwater.store.build_queries import find_main_jobs, list_newest

_MOST_JOBS = 8
SEEN_THROUGH = frozenset({NodeState.HEALTHY, NodeState.UNKNOWN, NodeState.WARNED, NodeState.ANOMALOUS})
"""The states of a node that may yet hold what is bad upstream."""


@dataclass(frozen=True, slots=True)
class Worse:
    """A judgement of a node by what is upstream, and why; `through` is the verdict of another project's node."""

    judgement: Judgement
    causes: Sequence[Cause]
    through: Verdict | None = None


@dataclass(frozen=True, slots=True)
class _Upstream:
    """Something bad above a node, and since when."""

    outcome: Outcome
    since: datetime


def look_upstream(inquiry: Inquiry, facts: NodeFacts, judgement: Judgement) -> Worse | None:
    """Judge a node that is well by itself by what it was built from; None where that is well too."""
    graph = inquiry.graph
    upstream = list(each_upstream(facts.unique_id, graph.parents))
    tests = {test for other in upstream for test in graph.readers.get(other, ())}
    stopped = [test for test in tests if set(graph.parents[test]) <= set(upstream)]
    latest = read_latest(inquiry.tx, graph, [*upstream, *stopped], inquiry.now)
    read_at = _read_times(inquiry, facts, latest)
    bad = [found for found in _each_reached(inquiry, latest, read_at) if not _is_unheard(inquiry, facts, found)]
    roots = [found for found in bad if not _has_bad_above(found, bad, inquiry)]
    if not roots:
        return _look_at_jobs(inquiry, facts, judgement, upstream, latest, read_at)
    causes = [
        cause
        for found in roots[:MOST_ROOTS]
        for cause in lead(_built_on(facts, found), _explain_upstream(inquiry, found))
    ]
    return Worse(_worsen(judgement, bad), causes)


def late_jobs(
    inquiry: Inquiry,
    upstream: Sequence[str],
    latest: dict[str, Outcome],
    own_job: int | None,
    until: Mapping[str, datetime],
) -> list[tuple[Judgement, list[Cause]]]:
    """Find the jobs that build nodes upstream, other than one's own, that were late already at a time, and why.

    A node waits for the job that builds it most often, whichever built it last.
    """
    found = []
    for unique_id in list(_nearest_by_job(inquiry, upstream, latest, own_job).values())[:_MOST_JOBS]:
        outcomes = read_history(inquiry.tx, inquiry.graph, unique_id, inquiry.now)
        job = read_job(inquiry.tx, inquiry.graph.scope.account_key, outcomes, inquiry.now)
        if job is None or job.job_id == own_job or not outcomes:
            continue
        late = find_lateness(job, outcomes[0].at, inquiry.now)
        read_at = until.get(unique_id)
        if late is None or (read_at is not None and (late.since is None or late.since > read_at)):
            continue
        judgement = Judgement(state=NodeState.LATE, reason=late.reason, since=late.since, runs=late.runs)
        said = f"{job.name} builds {short_name(unique_id)} upstream. {late.reason}"
        found.append((judgement, lead(said, explain_late(inquiry, unique_id, job, judgement))))
    return found


def _nearest_by_job(
    inquiry: Inquiry, upstream: Sequence[str], latest: dict[str, Outcome], own_job: int | None
) -> dict[int, str]:
    """Give for each job other than one's own the nearest of the tables upstream that it builds most often."""
    graph, now = inquiry.graph, inquiry.now
    stored = {name: graph.nodes[name].node_key for name in upstream if name in latest and is_stored(graph.nodes[name])}
    main = find_main_jobs(inquiry.tx, graph.scope.account_key, stored.values(), now - LOOKED_BACK, now)
    nearest: dict[int, str] = {}
    for unique_id, node_key in stored.items():
        job_id = main.get(node_key, latest[unique_id].job_id)
        if job_id is not None and job_id != own_job:
            nearest.setdefault(job_id, unique_id)
    return nearest


def _look_at_jobs(
    inquiry: Inquiry,
    facts: NodeFacts,
    judgement: Judgement,
    upstream: Sequence[str],
    latest: dict[str, Outcome],
    read_at: Mapping[str, datetime],
) -> Worse | None:
    is_described = facts.resource_type in DESCRIBED  # of which dbt reports that nothing was to be done
    own_job = facts.job.job_id if facts.job is not None and not is_described else None
    late = late_jobs(inquiry, upstream, latest, own_job, read_at)
    if not late:
        return None
    reason = f"It was built from data that is older than it should be. {late[0][0].reason}"
    worse = replace(judgement, state=NodeState.STALE, reason=reason, since=late[0][0].since)
    return Worse(worse, [cause for _, causes in late for cause in causes])


def times_of(inquiry: Inquiry, facts: NodeFacts) -> dict[str, datetime]:
    """Give up to when the node's content was read from each ancestor."""
    upstream = each_upstream(facts.unique_id, inquiry.graph.parents)
    return _read_times(inquiry, facts, read_latest(inquiry.tx, inquiry.graph, upstream, inquiry.now))


def _read_times(inquiry: Inquiry, facts: NodeFacts, latest: Mapping[str, Outcome]) -> dict[str, datetime]:
    """Give up to when the node's content was read from each ancestor; a test of one counts as long as that does."""
    graph = inquiry.graph
    stored = {name for name in (facts.unique_id, *latest) if is_stored(graph.nodes[name])}
    built = {name: latest[name].at for name in stored if name in latest and latest[name].is_good}
    if facts.outcomes and facts.outcomes[0].is_good:
        built[facts.unique_id] = facts.outcomes[0].at
    found = read_times(facts.unique_id, graph.parents, built, stored, inquiry.now)
    tests = [name for name in latest if graph.nodes[name].resource_type in TESTS]
    told = {test: [found[read] for read in graph.parents[test] if read in found] for test in tests}
    return found | {test: max(moments) for test, moments in told.items() if moments}


def _each_reached(inquiry: Inquiry, latest: dict[str, Outcome], read_at: Mapping[str, datetime]) -> list[_Upstream]:
    """Give what was bad upstream when the node's content was read there: what turned bad later is not in it.

    A view that could not be renewed is none of it: who reads it gets what its parents hold. Nor is a table that another
    run wrote meanwhile.
    """
    found = []
    for outcome in latest.values():
        if outcome.is_good or _does_no_harm(inquiry, outcome):
            continue
        since = _bad_since(inquiry, outcome)
        if since <= read_at.get(outcome.unique_id, inquiry.now):
            found.append(_Upstream(outcome, since))
    return sorted(found, key=lambda one: (one.since, one.outcome.unique_id))


def _is_unheard(inquiry: Inquiry, facts: NodeFacts, found: _Upstream) -> bool:
    """Whether it is a test that the warehouse kept from speaking, which is nothing to tables made from its."""
    is_test = inquiry.graph.nodes[found.outcome.unique_id].resource_type in TESTS
    is_table = facts.resource_type not in DESCRIBED
    return is_test and is_table and classify_failure(found.outcome.message).is_warehouse_trouble


def _does_no_harm(inquiry: Inquiry, outcome: Outcome) -> bool:
    row = inquiry.graph.nodes[outcome.unique_id]
    if row.resource_type not in BUILT:
        return False
    return not is_stored(row) or (
        outcome.is_failed and is_renewed(inquiry.tx, inquiry.graph.scope.account_key, row, outcome)
    )


def _bad_since(inquiry: Inquiry, outcome: Outcome) -> datetime:
    """Tell since when something is bad; of a test since when what it reads is in doubt."""
    history = read_history(inquiry.tx, inquiry.graph, outcome.unique_id, inquiry.now)
    first = streak_start(history) if history and not history[0].is_good else outcome
    row = inquiry.graph.nodes[outcome.unique_id]
    if row.resource_type not in TESTS or not outcome.is_failed:
        return first.at
    tested = [inquiry.graph.nodes.get(name) for name in row.parents] or [None]
    account_key = inquiry.graph.scope.account_key
    return max(in_doubt_since(inquiry.tx, account_key, one, first) for one in tested)


def _has_bad_above(found: _Upstream, bad: Sequence[_Upstream], inquiry: Inquiry) -> bool:
    """Whether something failed further upstream, so that this is its symptom; skipped nodes always are one."""
    if found.outcome.status == "skipped":
        return any(other.outcome.is_failed for other in bad)
    above = set(each_upstream(found.outcome.unique_id, inquiry.graph.parents))
    return any(
        other.outcome.unique_id in above and other.outcome.is_failed and other.since <= found.since for other in bad
    )


def _explain_upstream(inquiry: Inquiry, found: _Upstream) -> list[Cause]:
    row = inquiry.graph.nodes[found.outcome.unique_id]
    if row.resource_type == "source":
        state = NodeState.STALE if found.outcome.status == "error" else NodeState.MISSING
        said = f"The source {short_name(row.unique_id)} failed its freshness check."
        return [explain_source(Judgement(state=state, reason=said, since=found.since, decided_by=(found.outcome,)))]
    return explain_outcome(inquiry, found.outcome)


def _built_on(facts: NodeFacts, found: _Upstream) -> str:
    how = {"skipped": "was skipped", "fail": "fails"}.get(found.outcome.status, "failed")
    since = f"{found.since:%Y-%m-%d %H:%M} UTC"
    return (
        f"{short_name(facts.unique_id)} is made from {short_name(found.outcome.unique_id)}, which {how} since {since}."
    )


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


def look_across(
    inquiry: Inquiry, facts: NodeFacts, judgement: Judgement, ask: Callable[[NodeAddress, datetime], Verdict]
) -> Worse | None:
    """Ask the projects that own what this node is made from and its own project only imports.

    What was built again since this node read it is asked as it was then: what is in it now is not what was read.
    """
    estate, held = inquiry.estate, inquiry.estate.held[inquiry.graph.scope]
    upstream = list(each_upstream(facts.unique_id, inquiry.graph.parents))
    read_at = times_of(inquiry, facts)
    for other in upstream:
        owner = estate.stands_for.get(held.address(other))
        if owner is None or estate.row(owner) is None:
            continue
        when = read_at.get(other, inquiry.now)
        found = ask(owner, inquiry.now)
        if found.is_passed_on and _is_rebuilt(inquiry, owner, when):
            found = ask(owner, when)
        if not found.is_passed_on or (found.since and found.since > when):
            continue
        reason = f"It was built from {short_name(other)} of another project, which is {found.state}."
        worse = replace(judgement, state=NodeState.STALE, reason=reason, since=found.since)
        return Worse(worse, found.causes, through=found)
    return None


def _is_rebuilt(inquiry: Inquiry, owner: NodeAddress, since: datetime) -> bool:
    row = inquiry.estate.row(owner)
    if row is None or not is_stored(row):
        return False
    built = list_newest(inquiry.tx, owner.account_key, [row.node_key], inquiry.now, statuses=WRITTEN)
    return row.node_key in built and built[row.node_key].at > since
