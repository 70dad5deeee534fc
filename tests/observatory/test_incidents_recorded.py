"""Incidents from what real dbt did when real faults were made: one for each, resolved by itself, opened again.

The simulated jobs run by their schedule too, now and then with a fault of their own: only what is played is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from test_verdicts import play

from cloud import Cloud, running_cloud, watching
from headwater.errors import NotKnown, WrongUse
from headwater.observatory import incidents as family
from headwater.observatory.audit import Actor, list_audit
from headwater.observatory.holder import Observatory
from headwater.observatory.incident_reports import IncidentSummary
from headwater.observatory.incidents import IncidentQuestion, get_incident, list_incidents
from headwater.observatory.references import NodeQuestion
from headwater.observatory.syncing import sync_accounts
from headwater.observatory.verdicts import get_verdict

GOOD = "nightly/healthy-c"
PRODUCTS = "source.storefront.shop.products"
SESSIONS = "model.storefront.int_sessions_attributed"
FAULTS = (
    ("nightly/broken_sql", SESSIONS, "code_changed", "failed"),
    ("nightly/dropped_column", PRODUCTS, "columns_changed", "failed"),
    ("nightly/contract_breach", "model.storefront.fct_orders", "contract_breach", "failed"),
    ("nightly/missing_source", "source.storefront.support.tickets", "source_missing", "failed"),
    ("nightly/macro_change_breaks_tests", "macro.storefront.cents_to_euros", "macro_changed", "failed"),
    ("nightly/parse_error", None, "run_failed_before_dbt", "late"),
)
ADA, BOB = Actor(name="ada", address="10.0.0.1"), Actor(name="bob")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud(days=1) as running:
        yield running


@pytest.fixture(scope="module")
def observatory(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observatory]:
    with watching(cloud, tmp_path_factory.mktemp("incidents"), accounts=1) as opened:
        sync_accounts(opened)
        play(cloud, opened, GOOD)
        play(cloud, opened, "freshness/healthy-c")
        yield opened


@pytest.mark.parametrize(("bad", "subject", "kind", "how"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_one_fault_is_one_incident_that_ends_by_itself(
    cloud: Cloud, observatory: Observatory, bad: str, subject: str | None, kind: str, how: str
) -> None:
    """However many nodes fail and are skipped, one incident names the cause; after a good run it is resolved.

    Who suffers is what `why` says of a node in which it began.
    """
    play(cloud, observatory, GOOD)
    play(cloud, observatory, bad)
    (incident,) = about(observatory, subject)
    report = get_incident(observatory, incident.id)
    told = get_verdict(observatory, NodeQuestion(ref=report.roots[0].unique_id)).consequences.affected
    play(cloud, observatory, GOOD)

    assert {(one.project_name, one.unique_id) for one in report.affected} == {
        (one.project_name, one.unique_id) for one in told
    }
    assert incident.cause.kind == kind
    assert incident.cause.evidence
    assert incident.tables > 1
    assert incident.tables + incident.exposures <= len(report.affected)
    assert len(report.affected_exposures) == incident.exposures
    assert {"fail": "fail", "late": "late"}[how.removesuffix("ed")] in incident.sentence
    assert report.timeline[0].kind == "opened"
    assert [again.command.split()[:2] for again in report.reruns] == [["dbt", "build"]]
    assert report.reruns[0].nodes > 0
    ended = get_incident(observatory, incident.id)
    assert (ended.incident.state, ended.incident.resolved_by) == ("resolved", "")
    assert ended.reruns == ()


def test_the_same_fault_in_another_job_is_the_same_incident_and_comes_back_as_it(
    cloud: Cloud, observatory: Observatory
) -> None:
    """The column is missed by the hourly job, then by the nightly one, and again after it was there: one incident."""
    play(cloud, observatory, "hourly/healthy-c")
    play(cloud, observatory, "hourly/dropped_column")
    (first,) = about(observatory, PRODUCTS)
    play(cloud, observatory, "nightly/dropped_column")
    (second,) = about(observatory, PRODUCTS)
    play(cloud, observatory, GOOD)
    between = about(observatory, PRODUCTS)
    play(cloud, observatory, "nightly/dropped_column")
    (third,) = about(observatory, PRODUCTS)
    play(cloud, observatory, GOOD)

    assert first.id == second.id == third.id
    assert second.tables > first.tables
    assert between == []
    kinds = [line.kind for line in get_incident(observatory, first.id).timeline]
    assert kinds.count("reopened") >= 1
    assert kinds[-1] == "resolved"


def test_a_pull_request_opens_nothing(cloud: Cloud, observatory: Observatory) -> None:
    """A CI run in which the contract breaks is no incident of production."""
    play(cloud, observatory, GOOD)
    play(cloud, observatory, "ci/contract_breach")

    assert about(observatory, "model.storefront.fct_orders") == []


def test_people_act_and_their_words_are_kept(cloud: Cloud, observatory: Observatory) -> None:
    """Resolved by hand, it stays so for what is known then, and is opened again by the next failure; all is noted."""
    play(cloud, observatory, GOOD)
    play(cloud, observatory, "nightly/broken_sql")
    (incident,) = about(observatory, SESSIONS)
    family.acknowledge(observatory, incident.id, ADA, "On it.")
    family.annotate(observatory, incident.id, BOB, "It was <b>me</b>.")
    resolved = family.resolve(observatory, incident.id, ADA, "We can wait.")
    noted = [event for event in list_audit(observatory).events if event.subject == incident.id]
    sync_accounts(observatory)
    quiet = about(observatory, SESSIONS)
    with pytest.raises(WrongUse, match="is resolved"):
        family.acknowledge(observatory, incident.id, ADA)
    play(cloud, observatory, "nightly/broken_sql")
    (again,) = about(observatory, SESSIONS)
    play(cloud, observatory, GOOD)

    told = [(line.kind, line.by, line.note) for line in resolved.timeline][-3:]
    assert told == [
        ("acknowledged", "ada", "On it."),
        ("noted", "bob", "It was <b>me</b>."),
        ("resolved", "ada", "We can wait."),
    ]
    assert [(event.actor, event.address, event.action) for event in noted[::-1]] == [
        ("ada", "10.0.0.1", "incident acknowledged"),
        ("bob", "", "incident noted"),
        ("ada", "10.0.0.1", "incident resolved"),
    ]
    assert quiet == []
    assert (again.id, again.state) == (incident.id, "open")


@pytest.mark.parametrize("wrong", ["", "1", "1-", "x-1", "1-999", "999-1", "-1-1", "1-1-1", "١-١", "1" * 500 + "-1"])
def test_what_is_no_incident_is_said(observatory: Observatory, wrong: str) -> None:
    """An id that means nothing is an error in one sentence."""
    with pytest.raises(NotKnown, match="There is no incident"):
        get_incident(observatory, wrong)


@pytest.mark.parametrize("note", ["", "  \n", "x" * 4_001])
def test_a_note_that_says_nothing_or_too_much_is_refused(observatory: Observatory, note: str) -> None:
    """Nothing is written then."""
    one = everything(observatory)[0]
    before = len(get_incident(observatory, one.id).timeline)

    with pytest.raises(WrongUse):
        family.annotate(observatory, one.id, ADA, note)
    assert len(get_incident(observatory, one.id).timeline) == before


def about(observatory: Observatory, subject: str | None) -> list[IncidentSummary]:
    """List the incidents of the storefront that go on and lie in a node, or in no node."""
    listed = list_incidents(observatory, IncidentQuestion(project="Storefront"), limit=None).incidents
    return [one for one in listed if one.cause.unique_id == subject]


def everything(observatory: Observatory) -> list[IncidentSummary]:
    """List every incident of the storefront."""
    return list(list_incidents(observatory, IncidentQuestion(project="Storefront", states=()), limit=None).incidents)
