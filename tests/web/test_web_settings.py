"""The login page and the settings in a real browser: by hand, without scripts, and as axe sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from axe_pages import find_violations

from headwater.model.account import AccountAddress
from headwater.model.secret import Secret
from headwater.observatory import access, users
from headwater.observatory.access import Role
from headwater.observatory.holder import Observatory
from headwater.observatory.sessions import create_login_link
from headwater.store.accounts import save_account, set_token
from headwater.store.webhooks import Webhook, save_webhook, touch_webhook
from headwater.web.door import open_door

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
SETTINGS = ("", "/users", "/tokens", "/webhooks", "/retention", "/audit", "/about")
WINDOWS = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 720}},
}


@pytest.fixture
def door(observatory: Observatory):
    """The whole of a real observatory with people and tokens."""
    users.add_user(observatory, "ada@example.com", Role.ADMIN, Secret(PASSWORD))
    users.add_user(observatory, "bob@example.com", Role.VIEWER)
    users.add_user(observatory, "eve@example.com", Role.OPERATOR, Secret(PASSWORD))
    users.disable_user(observatory, "eve@example.com")
    access.create_token(observatory, "airflow production", Role.INGEST)
    access.create_token(observatory, "grafana", Role.VIEWER)
    access.revoke_token(observatory, "grafana")
    return open_door(observatory)


@contextmanager
def window_of(browser, site, **options) -> Iterator:
    """Open a window of ada, who logs in by her password; what the browser complains about fails the test."""
    complaints: list[str] = []
    context = browser.new_context(**options)
    context.set_default_timeout(60_000)
    window = context.new_page()
    window.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        window.goto(f"{site.url}/login")
        window.fill("#name", "ada@example.com")
        window.fill("#password", PASSWORD)
        window.click("button.first")
        window.wait_for_url(f"{site.url}/")
        yield window
    finally:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("look", WINDOWS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(site, browser, look) -> None:
    """The login page, each page of the settings and the proof, in light, dark and on a phone."""
    found: dict[str, list[str]] = {}
    with window_of(browser, site, **WINDOWS[look]) as window:
        for path in (*(f"/settings{part}" for part in SETTINGS), "/confirm?then=/settings/users"):
            window.goto(site.url + path)
            found[path] = find_violations(window)
            assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        window.goto(f"{site.url}/settings")
        window.click("main >> text=Log out everywhere")
        window.wait_for_url(f"{site.url}/login")
        found["/login"] = find_violations(window)

    assert {path: faults for path, faults in found.items() if faults} == {}


def test_people_and_tokens_are_managed_without_scripts(site, browser, observatory) -> None:
    """Add a user and a token, see each secret once, change a role, revoke, with forms alone."""
    with window_of(browser, site, java_script_enabled=False) as window:
        window.goto(f"{site.url}/settings/users")
        window.fill("#name", "dan@example.com")
        window.select_option("#role", "operator")
        window.click("text=Add and invite")
        link = window.inner_text("pre")
        window.click("a:has-text('Users') >> nth=0")
        assert link not in window.content()
        row = window.locator("tr", has_text="bob@example.com")
        row.locator("select").select_option("operator")
        row.locator("text=Set").click()
        said = window.inner_text("[role=status]")
        window.goto(f"{site.url}/settings/tokens")
        window.fill("#name", "ci")
        window.click("text=Create >> nth=-1")
        secret = window.inner_text("pre")
        window.goto(f"{site.url}/settings/tokens")
        assert secret not in window.content()
        window.locator("tr", has_text="ci").locator("text=Revoke").click()

    roles = {user.name: user.role for user in users.list_users(observatory).users}
    assert re.fullmatch(rf"{site.url}/login#[\w-]{{43}}", link)
    assert said == "The role is changed, and the user is logged out everywhere."
    assert (roles["dan@example.com"], roles["bob@example.com"]) == ("operator", "operator")
    assert access.is_token(secret)
    assert {token.name: token.is_revoked for token in access.list_tokens(observatory)}["ci"]


def test_a_login_link_still_opens_by_itself_beside_the_password(site, browser, observatory) -> None:
    """Where the page asks for a password, an opened link logs in all the same, and leaves the address."""
    context = browser.new_context()
    window = context.new_page()
    window.goto(f"{site.url}/login#{create_login_link(observatory, 'ada@example.com').reveal()}")
    window.wait_for_url(f"{site.url}/")
    name = window.goto(f"{site.url}/settings").text()
    context.close()

    assert "You are <b>ada@example.com</b>, an admin." in name


def test_what_others_change_shows_without_a_reload(site, observatory: Observatory, browser) -> None:
    """Users, tokens and webhooks appear as they change elsewhere; what is typed meanwhile stays."""
    hook = Webhook(account_key=connect(observatory), hook_id="hook", public_url="https://example.com", added_at=NOW)
    with observatory.store.write() as tx:
        save_webhook(tx, hook)
    with window_of(browser, site, **WINDOWS["light"]) as window:
        window.goto(f"{site.url}/settings/users")
        users.add_user(observatory, "zoe@example.com", Role.VIEWER)
        window.locator("td.lead", has_text="zoe@example.com").wait_for()
        window.goto(f"{site.url}/settings/webhooks")
        window.locator("td.mark", has_text="not heard").wait_for()
        with observatory.store.write() as tx:
            touch_webhook(tx, hook.account_key, NOW)
        window.locator("td.mark .word", has_text=re.compile("^heard")).wait_for()
        window.goto(f"{site.url}/settings/tokens")
        window.fill("#name", "for the nightly job")
        access.create_token(observatory, "dagster", Role.INGEST)
        window.locator("td.lead", has_text="dagster").wait_for()
        assert window.input_value("#name") == "for the nightly job"


def test_a_secret_that_is_shown_once_stays_until_one_leaves(site, observatory: Observatory, browser) -> None:
    """What a form answers with is not live: news does not take the new token away."""
    with window_of(browser, site, **WINDOWS["light"]) as window:
        window.goto(f"{site.url}/settings/tokens")
        window.fill("#name", "ci")
        window.click("text=Create >> nth=-1")
        window.locator(".once pre").wait_for()

        assert window.locator("script[src='/static/live.js']").count() == 0
        assert window.locator("main[data-revision]").count() == 0


def connect(observatory: Observatory) -> int:
    """Store an account with a token, of which nobody asks anything."""
    address = AccountAddress("https://cloud.getdbt.com", 5)
    with observatory.store.write() as tx:
        account_key = save_account(tx, "acme", address, NOW).account_key
        set_token(tx, account_key, b"sealed", "x9Qa", NOW)
    return account_key
