"""How far a backfill is, on the pages: live, in words without scripts, and the same in the documents."""

from __future__ import annotations

import pytest
from web_people import log_in_as

from cloud import running_cloud, watching
from headwater.observatory import sessions
from headwater.observatory.access import Role
from headwater.observatory.accounts import get_account_summary
from headwater.observatory.syncing import make_pass
from headwater.web.door import open_door


@pytest.fixture(scope="module")
def cloud():
    with running_cloud(days=8) as running:
        yield running


@pytest.fixture
def observatory(cloud, tmp_path):
    """An account in the middle of its backfill, and one that waits for its first pass."""
    with watching(cloud, tmp_path, days=8) as opened:
        for _ in range(2):
            make_pass(opened, "first")
            cloud.advance(20)
        yield opened


@pytest.fixture
def door(observatory):
    return open_door(observatory)


def log_in(window, site, observatory) -> None:
    window.goto(f"{site.url}/login")
    window.fill("#link", sessions.create_login_link(observatory).reveal())
    window.click("text=Log in")
    window.wait_for_url(f"{site.url}/")


def test_page_and_document_say_the_same(site, cloud, observatory) -> None:
    """The words of the bar are the numbers of the document, in the middle, stopped, and before the first pass."""
    session = log_in_as(observatory, Role.VIEWER)
    told = site.ask("/accounts/first.json", session=session).json["account"]["backfill"]
    words = f"{told['runs_done']} of {told['runs_found']} runs"
    pages = [site.ask(path, session=session).text for path in ("/", "/accounts", "/accounts/first")]
    cloud.advance(1_200)
    later = site.ask("/accounts.json", session=session).json["accounts"]
    stopped = site.ask("/accounts", session=session).text

    assert (told["standing"], told["is_listed"], told["seconds_left"] > 0) == ("running", True, True)
    assert [words in page and f'value="{told["share"]:.3f}"' in page for page in pages] == [True] * 3
    assert [account["backfill"]["standing"] for account in later] == ["stopped", "waiting"]
    assert "1 account of 2 has stopped short" in stopped
    assert f"at {words}" in stopped
    assert "begins with the next pass" in stopped


def test_the_bar_moves_beside_a_form_that_is_being_filled(site, cloud, observatory, browser) -> None:
    """A pass elsewhere moves the bar without a reload; what was ticked and typed stays, and at the end all is there."""
    with browser.new_context() as context:
        window = context.new_page()
        log_in(window, site, observatory)
        window.goto(f"{site.url}/accounts/first")
        window.evaluate("window.wasHere = true")
        window.uncheck("input[name=with_ci]")
        window.fill("#days", "77")
        window.click("h1")
        before = float(window.get_attribute("#facts progress", "value"))
        cloud.advance(20)
        has_more = make_pass(observatory, "first").has_more
        window.wait_for_function("(was) => Number(document.querySelector('#facts progress').value) > was", arg=before)
        while has_more:
            cloud.advance(20)
            has_more = make_pass(observatory, "first").has_more
        window.locator("#facts", has_text="all there is").wait_for()
        kept = window.is_checked("input[name=with_ci]"), window.input_value("#days"), window.evaluate("window.wasHere")

    assert kept == (False, "77", True)
    assert get_account_summary(observatory, "first").backfill is None


def test_sync_now_stays_on_the_page_until_it_is_done(site, observatory, browser) -> None:
    """With scripts the button says that it works and the page comes back with what was done; without, the form does."""
    for scripts in (True, False):
        with browser.new_context(java_script_enabled=scripts) as context:
            window = context.new_page()
            log_in(window, site, observatory)
            window.goto(f"{site.url}/accounts/first")
            before = get_account_summary(observatory, "first").backfill.runs_done
            window.click("text=Sync now")
            window.locator(".toast", has_text="A pass was made").wait_for()
            assert get_account_summary(observatory, "first").backfill.runs_done > before
