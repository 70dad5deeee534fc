"""How far a fetching is: what is noted, what is said of it, and that it never goes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud import make_settings, running_cloud, watching
from headwater.errors import TokenRejected
from headwater.model.filter import AccountFilter, Choice
from headwater.model.secret import Secret
from headwater.model.sync import SyncProgress, SyncState
from headwater.observatory.accounts import get_account_summary, set_token
from headwater.observatory.following import set_filter, set_followed
from headwater.observatory.holder import get_account, open_observatory
from headwater.observatory.progress import describe_progress
from headwater.observatory.syncing import make_pass, widen
from headwater.store.inventory import list_projects
from headwater.sync.progress import advance, begin_progress, listed_share

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = SyncState(backfill_from=NOW - 30 * DAY)

steps = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 5_000)), st.integers(0, 6), st.integers(0, 900)),
    max_size=40,
)


@given(steps=steps)
def test_no_order_of_finding_and_fetching_makes_it_fall(steps) -> None:
    """Whatever is found, fetched and listed in whichever order: the share only rises, and stays between 0 and 1."""
    now, state = NOW, MONTH
    progress = begin_progress(state, now)
    for fetched, waiting, days, seconds in steps:
        now += timedelta(seconds=seconds)
        state = replace(state, backfilled_to=max((state.backfilled_to or NOW) - days * DAY, MONTH.backfill_from))
        after = advance(progress, state, now, fetched=fetched, waiting=waiting)
        assert progress.share <= after.share <= 1.0
        assert after.fetched >= progress.fetched
        assert after.found >= after.fetched
        assert timedelta() <= after.worked - progress.worked <= timedelta(minutes=1)
        progress = after


def test_while_the_history_is_listed_the_share_is_of_all_of_it() -> None:
    """A sixth of the days is listed and all that was found there is fetched: that is a sixth, and five are left."""
    progress = begin_progress(MONTH, NOW)
    state = replace(MONTH, backfilled_to=NOW - 5 * DAY)
    later = NOW + timedelta(seconds=10)
    half = advance(advance(progress, state, NOW, waiting=40), state, later, fetched=40)
    told = describe_progress(half, state, is_paused=False, per_minute=60_000, now=later)

    assert listed_share(progress, state) == pytest.approx(1 / 6)
    assert half.share == pytest.approx(1 / 6)
    assert (told.runs_done, told.runs_found, told.is_listed) == (40, 40, False)
    assert told.seconds_left == pytest.approx(50.0)


def test_what_is_left_takes_as_long_as_the_request_budget_says() -> None:
    """Twelve requests a run at sixty a minute: ninety runs take eighteen minutes, however fast the first ten went."""
    state = SyncState(requests_total=1_120)
    progress = SyncProgress(
        began_at=NOW, noted_at=NOW, listed_from=NOW, worked=timedelta(seconds=1), fetched=10, found=100,
        share=0.1, requests_before=1_000,
    )  # fmt: skip
    told = describe_progress(progress, state, is_paused=False, per_minute=60, now=NOW)

    assert told.seconds_left == pytest.approx(90 * 12.0)


def test_a_fetching_that_nobody_goes_on_with_says_so() -> None:
    """After minutes without a note it has stopped, a paused one is paused, and neither says how long it still takes."""
    progress = replace(begin_progress(MONTH, NOW), fetched=10, found=20, share=0.5, worked=DAY)
    listing = replace(MONTH, backfilled_to=NOW - DAY)
    seen = [
        describe_progress(progress, listing, is_paused=paused, per_minute=500, now=NOW + timedelta(minutes=minutes))
        for minutes, paused in ((2, False), (20, False), (20, True))
    ]
    fresh = [describe_progress(None, state, is_paused=False, per_minute=500, now=NOW) for state in (MONTH, SyncState())]

    assert [told.standing for told in seen] == ["running", "stopped", "paused"]
    assert [told.seconds_left is None for told in seen] == [False, True, True]
    assert fresh[0].standing == "waiting"
    assert fresh[1] is None


@pytest.fixture(scope="module")
def cloud():
    """A cloud with some days of history."""
    with running_cloud(days=12) as running:
        yield running


@pytest.fixture
def observatory(cloud, tmp_path):
    """One account, with nothing copied yet."""
    with watching(cloud, tmp_path, accounts=1, days=12) as opened:
        yield opened


def told_by(observatory):
    return get_account_summary(observatory, "first").backfill


def test_another_process_sees_how_far_a_backfill_is(cloud, observatory, tmp_path) -> None:
    """From waiting to done, seen from another opening of the store: it rises, and at the end every run is fetched."""
    with open_observatory(make_settings(tmp_path, days=12), clock=cloud.clock) as other:
        seen, has_more = [told_by(other)], True
        while has_more:
            has_more = make_pass(observatory, "first").has_more
            cloud.advance(5)
            seen.append(told_by(other))
        runs = get_account_summary(other, "first").runs

    shares = [told.share for told in seen[:-1]]
    assert (seen[0].standing, seen[-1]) == ("waiting", None)
    assert {told.standing for told in seen[1:-1]} == {"running"}
    assert shares == sorted(shares)
    assert len(set(shares)) > 4
    assert max(told.runs_found for told in seen[:-1]) <= runs
    assert [told.is_listed for told in seen[1:-1]] == sorted(told.is_listed for told in seen[1:-1])
    assert all(told.seconds_left for told in seen[2:-1])


def test_a_wider_wish_begins_anew_and_a_few_runs_are_not_told(cloud, observatory) -> None:
    """More days, or a filter that admits more, begin a new progress; what one write takes is none."""
    while make_pass(observatory, "first").has_more:
        cloud.advance(5)
    cloud.advance(600)
    order = {"job_id": next(iter(cloud.truth(cloud.simulator.accounts[0].id).values()))["job_id"]}
    cloud.simulator.control("POST", "runs", order | {"queue_seconds": 1, "duration_seconds": 60})
    cloud.advance(300)
    assert (make_pass(observatory, "first").artifacts_stored > 0, told_by(observatory)) == (True, None)
    widen(observatory, "first", 40)
    assert told_by(observatory).standing == "waiting"
    while make_pass(observatory, "first").has_more:
        cloud.advance(5)
    with observatory.store.read() as tx:
        project = list_projects(tx, get_account(observatory, "first").account_key)[0].project_id
    set_filter(observatory, "first", AccountFilter(projects=Choice(ids=frozenset({project}))))
    assert told_by(observatory) is None
    set_filter(observatory, "first", AccountFilter())
    assert (told_by(observatory).standing, told_by(observatory).runs_done) == ("waiting", 0)


def test_a_backfill_that_breaks_off_stands_where_it_was(tmp_path) -> None:
    """A refused token in the middle: what was fetched stays said, as stopped, and the next good pass goes on."""
    with running_cloud(days=6) as cloud, watching(cloud, tmp_path, accounts=1, days=6) as observatory:
        make_pass(observatory, "first")
        before = told_by(observatory)
        account = cloud.simulator.accounts[0]
        cloud.simulator.control("POST", "faults", {"revoke_tokens": [account.token]})
        with pytest.raises(TokenRejected):
            make_pass(observatory, "first")
        cloud.advance(1_200)
        stopped = told_by(observatory)
        set_token(observatory, "first", Secret(account.tokens["read_only"]))
        make_pass(observatory, "first")
        after = told_by(observatory)
        set_followed(observatory, "first", is_paused=True)

        assert (stopped.standing, stopped.runs_done, stopped.seconds_left) == ("stopped", before.runs_done, None)
        assert (after.standing, after.runs_done > before.runs_done) == ("running", True)
        assert told_by(observatory).standing == "paused"
