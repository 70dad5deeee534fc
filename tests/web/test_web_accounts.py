"""The account's page changes what is followed: on a real store, against a simulated dbt Cloud, by plain forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from web_people import log_in_as

from cloud import Cloud, running_cloud, watching
from headwater.model.filter import Kind
from headwater.observatory import sessions
from headwater.observatory.access import Role
from headwater.observatory.accounts import add_account, list_accounts
from headwater.observatory.following import AccountReport, FilterThing, get_account_report, read_names
from headwater.observatory.holder import Observatory, get_account
from headwater.store.sync_states import get_sync_state
from headwater.web.door import Door, open_door

OURS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud whose accounts are followed here."""
    with running_cloud(days=1) as running:
        yield running


@pytest.fixture
def observatory(cloud: Cloud, tmp_path: Path) -> Iterator[Observatory]:
    """An observatory with one account, its names read and nothing synced."""
    with watching(cloud, tmp_path, accounts=1, days=1) as opened:
        read_names(opened, "first")
        yield opened


@pytest.fixture
def door(observatory: Observatory) -> Door:
    """The door to that observatory."""
    return open_door(observatory)


def log_in(observatory: Observatory, role: Role = Role.ADMIN) -> str:
    """Give the session of somebody with a role."""
    return log_in_as(observatory, role)


def send(site, session: str, act: str, fields: object = ()):
    """Send a form of the account's page."""
    return site.ask(f"/accounts/first/{act}", "POST", session=session, headers=OURS, body=urlencode(fields))


def things(report: AccountReport, kind: Kind) -> dict[str, FilterThing]:
    """Give the things of a kind by name."""
    (choice,) = [choice for choice in report.choices if choice.kind == kind]
    return {thing.name: thing for thing in choice.things}


@contextmanager
def pages(browser, site, observatory: Observatory, **options) -> Iterator:
    """Open a window of somebody who is logged in."""
    context = browser.new_context(**options)
    try:
        window = context.new_page()
        window.set_default_timeout(6000)
        window.goto(f"{site.url}/login")
        window.fill("#link", sessions.create_login_link(observatory).reveal())
        window.click("text=Log in")
        window.wait_for_url(f"{site.url}/")
        window.goto(f"{site.url}/accounts/first")
        yield window
    finally:
        context.close()


def test_a_filter_is_chosen_by_ticking_without_scripts(site, observatory: Observatory, browser) -> None:
    """Without JavaScript: choose a project, leave out CI, save; the page says what is followed, the store holds it."""
    with pages(browser, site, observatory, java_script_enabled=False) as window:
        window.check("input[name=project_mode][value=only]")
        window.check("text=Finance >> nth=0")
        window.uncheck("input[name=with_ci]")
        window.click("text=Save what is followed")
        said = window.inner_text("h1"), window.inner_text("[role=status]")

    report = get_account_report(observatory, "first")
    assert said[0] == "first. Follows project Finance, without CI jobs."
    assert said[1].startswith("The filter is saved.")
    assert report.account.follows == "Follows project Finance, without CI jobs."
    assert [name for name, thing in things(report, Kind.JOB).items() if thing.is_followed] == [
        "Metrics hourly",
        "Nightly build",
    ]


def test_what_cannot_be_is_said_beside_its_field_and_stays_chosen(site, observatory: Observatory, browser) -> None:
    """A choice of nothing and a contradiction change nothing; the sentence is there, and so is what was ticked."""
    with pages(browser, site, observatory) as window:
        window.check("input[name=job_mode][value=without]")
        window.check("input[name=project_mode][value=only]")
        window.check("text=Finance >> nth=0")
        window.click("text=Save what is followed")
        window.wait_for_url(f"{site.url}/accounts/first/filter")
        fault = window.inner_text("#job-fault")
        kept = window.is_checked("input[name=project_mode][value=only]"), window.is_checked("input[name=project]")
        hidden = window.is_visible("#environment-things"), window.is_visible("#job-things")
        window.fill("#days", "400")
        window.click("text=Copy history")
        days = window.inner_text("#history-fault"), window.input_value("#days")

    report = get_account_report(observatory, "first")
    storefront = things(report, Kind.PROJECT)["Storefront"].id
    finance_job = things(report, Kind.JOB)["Metrics hourly"].id
    crossed = [("project_mode", "only"), ("project", storefront), ("job_mode", "only"), ("job", finance_job)]
    refused = send(site, log_in(observatory), "filter", crossed)
    unknown = send(site, log_in(observatory), "filter", [("job_mode", "only"), ("job", "7")])
    assert fault == "Choose at least one job, or All."
    assert kept == (True, True)
    assert hidden == (False, True)
    assert days == ("Days are a whole number from 0 to 365.", "400")
    assert (refused.status, unknown.status) == (400, 400)
    assert "The job Metrics hourly is chosen, but" in refused.text
    assert "first has no job 7." in unknown.text
    assert get_account_report(observatory, "first").account.follows == "Follows every run."


def test_pausing_history_and_token_by_the_forms(site, observatory: Observatory, cloud: Cloud) -> None:
    """Each form does what it says and leads back to the page; a wrong token is told and replaces nothing."""
    session, tokens = log_in(observatory), cloud.simulator.accounts[0].tokens
    paused = send(site, session, "pause")
    is_paused = get_account(observatory, "first").is_paused
    resumed = send(site, session, "resume")
    longer = send(site, session, "history", [("days", "365")])
    with observatory.store.read() as tx:
        reach = get_sync_state(tx, get_account(observatory, "first").account_key).backfill_from
    wrong = send(site, session, "token", [("token", "dbtc_" + "0" * 40)])
    kept = get_account(observatory, "first").token_hint
    replaced = send(site, session, "token", [("token", tokens["read_only"])])
    shown = site.ask("/accounts/first?saved=token", session=session)

    assert [reply.headers["location"] for reply in (paused, resumed, longer, replaced)] == [
        f"/accounts/first?saved={act}" for act in ("pause", "resume", "history", "token")
    ]
    assert (is_paused, get_account(observatory, "first").is_paused) == (True, False)
    assert reach is not None
    assert (cloud.now - reach).days == 365
    assert (wrong.status, kept) == (400, tokens["service"][-4:])
    assert "does not accept the token" in wrong.text
    assert get_account(observatory, "first").token_hint == tokens["read_only"][-4:]
    assert "The token was tried and replaced." in shown.text
    assert [secret for secret in tokens.values() if secret in shown.text + wrong.text] == []


def test_only_an_admin_changes_an_account(site, observatory: Observatory) -> None:
    """Viewers and operators see what is followed and find no form; what they send all the same changes nothing."""
    for role in (Role.VIEWER, Role.OPERATOR):
        session = log_in(observatory, role)
        shown = site.ask("/accounts/first", session=session)
        refused = [send(site, session, act, [("with_ci", "no")]).status for act in ("filter", "pause", "token")]

        assert (shown.status, refused) == (200, [403, 403, 403])
        assert shown.text.count('action="/accounts') == (1 if role is Role.OPERATOR else 0)
        assert ('action="/accounts/first/sync"' in shown.text) == (role is Role.OPERATOR)
        assert "Finance" in shown.text
    elsewhere = site.ask(
        "/accounts/first/pause", "POST", session=log_in(observatory), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert elsewhere.status == 403
    assert not get_account(observatory, "first").is_paused


def test_nobody_and_nothing_at_an_account(site, observatory: Observatory) -> None:
    """An account that is not there, and an act that is none, are not found; the document says what the page says."""
    session = log_in(observatory)
    document = site.ask("/api/v1/accounts/first", session=session)

    assert site.ask("/accounts/nobody", session=session).status == 404
    assert send(site, session, "frobnicate").status == 404
    assert document.json["account"]["follows"] == "Follows every run."
    assert [choice["kind"] for choice in document.json["choices"]] == ["project", "environment", "job"]


def test_an_account_is_connected_by_the_form(site, serve_door, observatory: Observatory, cloud: Cloud) -> None:
    """It is tried and saved, sealed; what is wrong is said, is not saved, and only the token is to be typed again."""
    account = cloud.simulator.accounts[1]
    session = log_in(observatory)
    form = {"name": "second", "account_id": account.id, "url": cloud.simulator.url, "token": account.token}

    def connect(to, **changes):
        return to.ask("/accounts", "POST", session=session, headers=OURS, body=urlencode(form | changes))

    private = connect(site)
    wrong_id = connect(site, account_id="twelve")
    with serve_door(
        add_account=lambda name, account_id, url, token, by: add_account(
            observatory, name, account_id=account_id, url=url, token=token, allow_private=True, by=by
        )
    ) as other:
        wrong_token = connect(other, token="dbtc_" + "0" * 40)
        known = list_accounts(observatory).accounts
        connected = connect(other)
        shown = other.ask(connected.headers["location"], session=session)

    assert (private.status, wrong_id.status, wrong_token.status) == (400, 400, 400)
    assert "is an address of a private network" in private.text
    assert "The account&#39;s id is the number" in wrong_id.text
    assert "does not accept the token" in wrong_token.text
    assert 'value="second"' in wrong_token.text
    assert account.token not in private.text + wrong_id.text + shown.text
    assert [row.account for row in known] == ["first"]
    assert (connected.status, connected.headers["location"]) == (303, "/accounts/second?saved=added")
    assert "The account is connected." in shown.text
    assert get_account(observatory, "second").has_token
