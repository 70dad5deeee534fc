"""The sync log of an account, from real passes over the simulated dbt Cloud."""

from datetime import timedelta

import pytest

from cloud import running_cloud, watching
from headwater.errors import TokenRejected, WrongUse
from headwater.model.sync import SyncPass
from headwater.observatory.audit import Actor, list_audit
from headwater.observatory.following import get_account_report, set_followed
from headwater.observatory.syncing import make_pass, sync_accounts, sync_now
from headwater.store.sync_passes import list_passes, log_pass

MAYA = Actor(name="maya")


@pytest.fixture
def watched(tmp_path):
    """A simulated dbt Cloud and one account that was copied."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        sync_accounts(observatory)
        yield cloud, observatory


def test_what_a_pass_brought_stands_in_the_log(watched):
    """The first passes brought runs and artifacts, and the log counts every request that was sent."""
    _, observatory = watched
    report = get_account_report(observatory, "first")

    assert sum(line.runs_new for line in report.passes) == report.account.runs
    assert sum(line.artifacts_stored for line in report.passes) > 0
    assert sum(line.requests for line in report.passes) == report.account.requests


def test_a_pass_that_fails_is_a_line_with_its_error(watched):
    """Every pass is counted once in the log; one whose token is refused says so, after what went before."""
    cloud, observatory = watched
    before = get_account_report(observatory, "first").passes
    for _ in range(3):
        cloud.advance(1)
        make_pass(observatory, "first")
    cloud.simulator.control("POST", "faults", {"revoke_tokens": [cloud.simulator.accounts[0].token]})
    cloud.advance(1)
    with pytest.raises(TokenRejected):
        make_pass(observatory, "first")
    lines = get_account_report(observatory, "first").passes

    assert sum(line.passes for line in lines) == sum(line.passes for line in before) + 4
    assert "401" in lines[0].error
    assert lines[1].error == ""


def test_passes_that_bring_nothing_are_one_line(watched):
    """Quiet passes that go alike lengthen one line; what brings something, or fails otherwise, begins another."""
    cloud, observatory = watched
    lines = []
    for seconds, changes in enumerate(({}, {}, {"error": "401"}, {"error": "401"}, {"runs_new": 1}, {"runs_new": 1})):
        at = cloud.now + timedelta(days=1, seconds=seconds)
        with observatory.store.write() as tx:
            log_pass(tx, 1, SyncPass(began_at=at, ended_at=at, requests=2, **changes))
            lines = list_passes(tx, 1, limit=4)

    assert [(line.passes, line.requests, line.error, line.runs_new) for line in lines] == [
        (1, 2, "", 1),
        (1, 2, "", 1),
        (2, 4, "401", 0),
        (2, 4, "", 0),
    ]


def test_the_log_does_not_grow_for_ever(watched):
    """The newest two hundred lines are kept."""
    cloud, observatory = watched
    with observatory.store.write() as tx:
        for seconds in range(230):
            at = cloud.now + timedelta(days=1, seconds=seconds)
            log_pass(tx, 1, SyncPass(began_at=at, ended_at=at, runs_new=seconds + 1))
        lines = list_passes(tx, 1, limit=1_000)

    assert [line.runs_new for line in (lines[0], lines[-1])] == [230, 31]


def test_a_pass_that_was_asked_for_is_noted(watched):
    """Who asked stands in the audit log; an account that is paused is not synced."""
    cloud, observatory = watched
    cloud.advance(4 * 3600)
    report = sync_now(observatory, "first", MAYA)

    assert report.runs_new > 0
    assert list_audit(observatory, limit=1).events[0].action == "sync asked for"
    set_followed(observatory, "first", is_paused=True)
    with pytest.raises(WrongUse, match="first is paused"):
        sync_now(observatory, "first", MAYA)
