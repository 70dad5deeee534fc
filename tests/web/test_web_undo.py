"""The way back from what a form did: offered to who did it, by the page and without scripts, and to nobody else."""

from __future__ import annotations

from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from web_people import log_in_as

from cloud import running_cloud, watching
from headwater.model.filter import AccountFilter, Choice, Kind
from headwater.observatory import access, users
from headwater.observatory.access import Role
from headwater.observatory.following import get_account_report, read_names, set_filter
from headwater.observatory.users import list_users, set_accounts
from headwater.web.door import open_door
from headwater.web.guard import COOKIE

OURS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def cloud():
    with running_cloud(days=1) as running:
        yield running


@pytest.fixture
def observatory(cloud, tmp_path):
    """An account whose filter leaves a project and CI out, a user, and a token."""
    with watching(cloud, tmp_path, accounts=1, days=1) as opened:
        read_names(opened, "first")
        set_filter(opened, "first", without(opened, "Finance"))
        users.add_user(opened, "bob", Role.OPERATOR)
        access.create_token(opened, "grafana", Role.VIEWER)
        yield opened


@pytest.fixture
def door(observatory):
    return open_door(observatory)


def without(observatory, project):
    (kind,) = [choice for choice in get_account_report(observatory, "first").choices if choice.kind == Kind.PROJECT]
    ids = frozenset(thing.id for thing in kind.things if thing.name == project)
    return AccountFilter(with_ci=False, projects=Choice(ids=ids, is_exclusion=True))


@contextmanager
def window_of(browser, site, observatory, path, *, scripts=True):
    """Open a page in a window of an admin who has just logged in."""
    with browser.new_context(java_script_enabled=scripts) as context:
        context.set_default_timeout(60_000)
        context.add_cookies([{"name": COOKIE, "value": log_in_as(observatory, Role.ADMIN), "url": site.url}])
        window = context.new_page()
        window.goto(site.url + path)
        yield window


def find_user(observatory, name):
    return next(user for user in list_users(observatory).users if user.name == name)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_filter_goes_back_to_what_it_was(site, observatory, browser, scripts):
    """Saved anew, a filter is undone by one click, down to CI; what that undid can be undone again."""
    before = get_account_report(observatory, "first")
    with window_of(browser, site, observatory, "/accounts/first", scripts=scripts) as window:
        window.check("input[name=project_mode][value=all]")
        window.check("input[name=with_ci]")
        window.click("text=Save what is followed")
        window.locator("h1", has_text="Follows every run.").wait_for()
        window.click(".toast button:text-is('Undo')")
        window.locator("h1", has_text=before.account.follows).wait_for()
        after = get_account_report(observatory, "first")
        assert (after.choices, after.with_ci) == (before.choices, False)
        window.click(".toast button:text-is('Undo')")
        window.locator("h1", has_text="Follows every run.").wait_for()


def test_what_is_done_with_a_user_is_taken_back(site, observatory, browser):
    """Another role and a disabled user have their undo; a revoked token says that there is none."""
    with window_of(browser, site, observatory, "/settings/users") as window:
        row = window.locator("tr", has=window.locator("td.lead", has_text="bob"))
        row.locator("select").select_option("admin")
        row.locator("button:text-is('Set')").click()
        row.locator("option[selected]:text-is('admin')").wait_for(state="attached")
        window.click(".toast button:text-is('Undo')")
        row.locator("option[selected]:text-is('operator')").wait_for(state="attached")
        row.locator("button", has_text="Disable").click()
        window.locator(".toast", has_text="disabled").wait_for()
        assert find_user(observatory, "bob").is_disabled
        window.click(".toast button:text-is('Undo')")
        window.locator(".toast", has_text="may come in again").wait_for()
        set_accounts(observatory, "bob", ("first",))
        body = {"sees": "all"}
        window.request.post(f"{site.url}/settings/users/bob/accounts", form=body, headers=OURS)
        window.goto(f"{site.url}/settings/users?saved=accounts")
        assert find_user(observatory, "bob").accounts is None
        window.click(".toast button:text-is('Undo')")
        row.locator("text=sees first only").wait_for()
        window.goto(f"{site.url}/settings/tokens")
        window.locator("button", has_text="Revoke").click()
        toast = window.locator(".toast", has_text="revoked for good")
        toast.wait_for()

        assert toast.locator("form").count() == 0
    bob = find_user(observatory, "bob")
    assert (bob.role, bob.is_disabled) == (Role.OPERATOR, False)


def test_an_address_alone_offers_no_way_back(site, observatory):
    """Who follows a link that says something was done sees no form for it, nor one of another page's."""
    session = log_in_as(observatory, Role.ADMIN)
    sent = urlencode([("project_mode", "all"), ("with_ci", "yes")])
    saved = site.ask("/accounts/first/filter", "POST", session=session, headers=OURS, body=sent)
    cookie = saved.headers["set-cookie"]
    mine = {"Cookie": f"{COOKIE}={session}; {cookie.partition(';')[0]}"}
    shown = [
        site.ask("/accounts/first?saved=filter", headers=mine).text,
        site.ask("/accounts/first?saved=filter", session=session).text,
        site.ask("/settings/users?saved=role", headers=mine).text,
        site.ask("/accounts/first?saved=filter", headers={"Cookie": f"{COOKIE}={session}; headwater_undo=%%%"}).text,
    ]

    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert [">Undo<" in text for text in shown] == [True, False, False, False]
