"""How incidents move: one for each cause, opened again and not repeated, resolved once all is rebuilt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.incidents.evaluate import Judged, move_incidents
from headwater.model import incident as moves
from headwater.model.incident import (
    REOPEN_WITHIN,
    Finding,
    Incident,
    IncidentState,
    Standing,
    Transition,
    choose,
    group_findings,
    is_worth_opening,
    keep_on,
    key_of,
    open_incident,
    settle,
)
from headwater.model.lineage import NodeAddress
from headwater.model.verdict import Cause, CauseKind
from headwater.store.writing import Scope

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCOPE = Scope(1, 2, 3)
ORDERS, PAYMENTS = "source.shop.raw.orders", "source.shop.raw.payments"


def node(number: int) -> NodeAddress:
    return NodeAddress(1, 2, 3, f"model.shop.m{number}")


def cause(kind: CauseKind = CauseKind.COLUMNS_CHANGED, subject: str | None = ORDERS, sure: float = 0.9) -> Cause:
    return Cause(kind=kind, unique_id=subject, confidence=sure, evidence=("It is so.",))


def finding(root: str = "model.shop.m1", *causes: Cause, at: datetime = T0, affected: int = 3, **more) -> Finding:
    nodes = frozenset(node(number) for number in range(affected))
    given = causes or (cause(),)
    return Finding(root=root, causes=given, began_at=at, seen_at=at, affected=nodes, **more)


def opened(*findings: Finding, now: datetime = T0) -> Incident:
    (found,) = group_findings(findings or (finding(),))
    return open_incident(found, account_key=1, number=1, project_id=2, environment_id=3, now=now)[0]


def kinds(transitions: tuple[Transition, ...]) -> list[str]:
    return [str(transition.kind) for transition in transitions]


def again(incident: Incident, one: Finding, now: datetime) -> tuple[Incident, list[str]]:
    (found,) = group_findings((one,), (incident,))
    after, transitions = keep_on(incident, found, now)
    return after, kinds(transitions)


@pytest.mark.parametrize(
    ("one", "job_id", "key"),
    [
        (cause(CauseKind.CODE_CHANGED, "model.shop.a"), None, "model.shop.a"),
        (cause(CauseKind.UPSTREAM_CODE_CHANGED, "model.shop.a"), 7, "model.shop.a"),
        (cause(CauseKind.COLUMNS_CHANGED), None, ORDERS),
        (cause(CauseKind.SOURCE_STALE), None, "source.shop.raw"),
        (cause(CauseKind.WAREHOUSE_TROUBLE, None), 7, "warehouse"),
        (cause(CauseKind.RUN_FAILED_BEFORE_DBT, None), 7, "before dbt"),
        (cause(CauseKind.RUN_CANCELLED, None), 7, "job:7"),
        (cause(CauseKind.RUN_QUEUED, None), 7, "job:7"),
        (cause(CauseKind.RUN_SLOW, None), None, "run_slow"),
    ],
)
def test_a_cause_is_known_by_what_stays_when_evidence_varies(one: Cause, job_id: int | None, key: str) -> None:
    """The node, the source, the whole environment or the job; not the rule that found it."""
    assert key_of(one, job_id) == key


def test_a_hundred_failures_with_one_cause_are_one() -> None:
    """However many roots there are, one subject is one group with all that suffers."""
    found = group_findings(finding(f"model.shop.m{number}", affected=number) for number in range(100))

    assert len(found) == 1
    assert len(found[0].roots) == 100
    assert len(found[0].affected) == 99


def test_two_causes_are_two() -> None:
    """Failures with nothing in common stay apart, although they began together."""
    found = group_findings((finding("model.shop.a"), finding("model.shop.b", cause(subject=PAYMENTS))))

    assert [one.key for one in found] == [ORDERS, PAYMENTS]


@pytest.mark.parametrize(("apart", "groups"), [(timedelta(), 1), (5 * HOUR, 2)])
def test_of_nearly_equal_causes_the_one_that_explains_others_counts(apart: timedelta, groups: int) -> None:
    """A failure whose second guess is another one's first is the same, where both began together."""
    unsure = (cause(CauseKind.COLUMNS_CHANGED, PAYMENTS, 0.8), cause(CauseKind.COLUMNS_CHANGED, ORDERS, 0.78))
    found = group_findings((finding("model.shop.a"), finding("model.shop.b", *unsure, at=T0 + apart)))

    assert len(found) == groups


def test_a_root_stays_with_its_incident_whatever_its_cause_looks_like() -> None:
    """An attempt to mend the model changes the likeliest cause; it is the same incident, and keeps its cause."""
    incident = opened()
    changed = finding("model.shop.m1", cause(CauseKind.CODE_CHANGED, "model.shop.m1", 0.93), cause(), at=T0 + HOUR)

    after, told = again(incident, changed, T0 + HOUR)

    assert (after.number, after.key, after.cause.kind) == (1, ORDERS, CauseKind.COLUMNS_CHANGED)
    assert told == []


def test_better_evidence_replaces_a_guess() -> None:
    """What was only known to have failed gets its cause when that is found."""
    incident = opened(finding("model.shop.m1", cause(CauseKind.NODE_FAILED, "model.shop.m1", 0.4)))

    after, _ = again(incident, finding("model.shop.m1"), T0 + HOUR)

    assert after.cause.kind is CauseKind.COLUMNS_CHANGED


def test_it_grows_shrinks_and_says_so_once() -> None:
    """Each change of the reach is a line of the timeline, and nothing is where nothing changed."""
    incident = opened()
    grown, first = again(incident, finding(affected=9), T0 + HOUR)
    same, second = again(grown, finding(affected=9), T0 + 2 * HOUR)
    shrunk, third = again(same, finding(affected=2), T0 + 3 * HOUR)

    assert (first, second, third) == (["grew"], [], ["shrank"])
    assert same == grown
    assert len(shrunk.affected) == 2


def test_it_is_resolved_when_the_cause_is_gone_and_the_reach_is_rebuilt() -> None:
    """First the cause is gone, then fewer tables are left, then none: only then it is at its end."""
    incident, rest = opened(), frozenset({node(0), node(1)})
    gone, first = settle(incident, Standing(gone_at=T0 + HOUR, remaining=rest), T0 + HOUR)
    less, second = settle(gone, Standing(gone_at=T0 + HOUR, remaining=frozenset({node(0)})), T0 + 2 * HOUR)
    ended, third = settle(less, Standing(gone_at=T0 + HOUR), T0 + 3 * HOUR)

    assert [kinds(told) for told in (first, second, third)] == [["cause gone", "shrank"], ["shrank"], ["resolved"]]
    assert (ended.state, ended.gone_at, ended.resolved_at) == (IncidentState.RESOLVED, T0 + HOUR, T0 + 3 * HOUR)
    assert settle(ended, Standing(gone_at=T0), T0 + 4 * HOUR) == (ended, ())


@pytest.mark.parametrize(("later", "is_same"), [(HOUR, True), (REOPEN_WITHIN, True), (REOPEN_WITHIN + HOUR, False)])
def test_the_same_cause_soon_after_is_the_same_incident(later: timedelta, is_same: bool) -> None:
    """It is opened again within the window, and a new one after it."""
    ended, _ = settle(opened(), Standing(gone_at=T0), T0)
    (found,) = group_findings((finding(at=T0 + later),), (ended,))

    assert (choose(found, (ended,), T0 + later) is not None) == is_same


def test_it_comes_back_without_the_acknowledgement_of_before() -> None:
    """Who looked at it then does not look at it now."""
    looked, _ = moves.acknowledge(opened(), "ada", "", T0)
    ended, _ = settle(looked, Standing(gone_at=T0), T0)

    back, told = again(ended, finding(at=T0 + HOUR), T0 + HOUR)

    assert told == ["reopened"]
    assert (back.state, back.acknowledged_by, back.began_at) == (IncidentState.OPEN, "", T0 + HOUR)


def test_what_a_person_resolved_stays_so_until_it_happens_once_more() -> None:
    """The evidence that was known then opens nothing, whatever cause it has by now; a new failure does."""
    ended, _ = moves.resolve(opened(), "ada", "It does not matter.", T0 + HOUR)
    other_cause = finding("model.shop.m1", cause(CauseKind.CODE_CHANGED, "model.shop.m1"))

    assert again(ended, finding(), T0 + 2 * HOUR) == (ended, [])
    assert again(ended, other_cause, T0 + 100 * HOUR) == (ended, [])
    assert again(ended, finding(at=T0 + 2 * HOUR), T0 + 2 * HOUR)[1] == ["reopened"]


def test_people_acknowledge_once_and_take_it_back() -> None:
    """Once more by the same person changes nothing; by another it is theirs; a note is always kept."""
    seen, first = moves.acknowledge(opened(), "ada", "On it.", T0)
    same, second = moves.acknowledge(seen, "ada", "", T0)
    _, third = moves.acknowledge(seen, "ada", "Still.", T0)
    other, fourth = moves.acknowledge(seen, "bob", "", T0)
    back, fifth = moves.unacknowledge(other, "bob", "", T0)

    told = [kinds(one) for one in (first, second, third, fourth, fifth)]
    assert told == [["acknowledged"], [], ["noted"], ["acknowledged"], ["unacknowledged"]]
    assert (seen.acknowledged_by, same, other.acknowledged_by, back.state) == ("ada", seen, "bob", IncidentState.OPEN)
    assert moves.unacknowledge(back, "ada", "", T0) == (back, ())


def test_what_nobody_has_run_for_long_opens_nothing() -> None:
    """A job that failed long ago and was given up is no news."""
    (found,) = group_findings((finding(),))

    assert is_worth_opening(found, T0 + timedelta(days=13))
    assert not is_worth_opening(found, T0 + timedelta(days=15))


SUBJECTS = [f"source.shop.raw.s{number}" for number in range(3)]
FINDINGS = st.builds(
    lambda root, subjects, affected, is_over: finding(
        f"model.shop.m{root}",
        *(cause(CauseKind.COLUMNS_CHANGED, subject, 0.9 - 0.05 * place) for place, subject in enumerate(subjects)),
        affected=affected,
        is_over=is_over,
    ),
    st.integers(0, 5),
    st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=3, unique=True),
    st.integers(0, 5),
    st.booleans(),
)
STEPS = st.lists(
    st.tuples(
        st.lists(FINDINGS, max_size=5, unique_by=lambda one: one.root),
        st.sampled_from(["", "acknowledge", "resolve"]),
        st.integers(1, 100),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_whatever_is_found_one_cause_has_one_open_incident(steps) -> None:
    """Over any history: no two open ones for one key, the same judgement twice changes nothing, each cause has one."""
    known: dict[int, Incident] = {}
    timelines: dict[int, list[str]] = {}
    numbers, now = count(1), T0
    for findings, act, hours, is_rebuilt in steps:
        now += hours * HOUR
        judged = _judge([replace(one, began_at=now, seen_at=now) for one in findings], known, now, is_rebuilt)
        _apply(judged, known, timelines, numbers, now)
        open_keys = [one.key for one in known.values() if not one.is_resolved]
        assert len(open_keys) == len(set(open_keys))
        assert {root for one in judged.findings for root in (one.root,)} <= {
            root for one in known.values() if not one.is_resolved for root in one.roots
        }
        repeated = _judge(judged.findings, known, now, is_rebuilt)
        assert all(not told for _, told in move_incidents(repeated, list(known.values()), numbers, now))
        for one in [one for one in known.values() if act and not one.is_resolved][:1]:
            after, told = (moves.acknowledge if act == "acknowledge" else moves.resolve)(one, "ada", "so", now)
            known[one.number] = after
            timelines[one.number] += kinds(told)
    for told in timelines.values():
        ends = [kind for kind in told if kind in {"opened", "resolved", "reopened"}]
        assert ends[::2] == ["opened", *["reopened"] * (len(ends[::2]) - 1)]
        assert set(ends[1::2]) <= {"resolved"}


def _judge(findings, known: dict[int, Incident], now: datetime, is_rebuilt: bool) -> Judged:
    found = {one.key for one in group_findings(findings, list(known.values()))}
    rest = frozenset() if is_rebuilt else frozenset({node(0)})
    gone = [one.number for one in known.values() if not one.is_resolved and one.key not in found]
    standings = {number: Standing(gone_at=now, remaining=rest) for number in gone}
    return Judged(scope=SCOPE, findings=tuple(findings), standings=standings)


def _apply(judged: Judged, known: dict[int, Incident], timelines, numbers, now: datetime) -> None:
    for incident, told in move_incidents(judged, list(known.values()), numbers, now):
        known[incident.number] = incident
        timelines.setdefault(incident.number, []).extend(kinds(told))
