"""The ways people go, in a real browser over a simulated dbt Cloud: by mouse, on a phone, by keys, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from web_people import log_in_as

from cloud import running_cloud, watching
from conftest import run_site
from headwater.observatory import accounts
from headwater.observatory.access import Role
from headwater.observatory.evaluating import evaluate_stored
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.jobs import list_jobs
from headwater.observatory.syncing import sync_accounts
from headwater.web.door import open_door
from headwater.web.guard import COOKIE

LOOKS = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "dark phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True},
    "no scripts": {"viewport": {"width": 1280, "height": 900}, "java_script_enabled": False},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One account of two, a day of it copied, whose nightly build just failed on data that break a contract."""
    folder = tmp_path_factory.mktemp("journeys")
    with running_cloud(days=1) as cloud, watching(cloud, folder, accounts=1, days=1) as observatory:
        sync_accounts(observatory)
        jobs = [one for one in list_jobs(observatory, days=1).jobs if one.project_name == "Storefront"]
        (job,) = (one.job_id for one in jobs if one.job_name == "Nightly build" and not one.is_deleted)
        order = {"job_id": job, "recording_id": "storefront/nightly/contract_breach", "duration_seconds": 30}
        cloud.simulator.control("POST", "runs", order)
        cloud.advance(120)
        sync_accounts(observatory)
        evaluate_stored(observatory)
        door = open_door(observatory)

        def add_account(name, account_id, url, token, by):
            return accounts.add_account(
                observatory, name, account_id=account_id, url=url, token=token, allow_private=True, by=by
            )

        with run_site(replace(door, add_account=add_account)) as site:
            yield cloud, observatory, site


@pytest.fixture
def opened(world, browser):
    """A window of somebody with a role; what the browser complains about fails the test."""
    _, observatory, site = world
    complaints: list[str] = []

    @contextmanager
    def open_window(role=Role.ADMIN, **options) -> Iterator:
        context = browser.new_context(**options)
        context.set_default_timeout(30_000)
        context.add_cookies([{"name": COOKIE, "value": log_in_as(observatory, role), "url": site.url}])
        window = context.new_page()
        window.on("console", lambda message: complaints.append(message.text) if is_fault(message) else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.goto(f"{site.url}/")
        try:
            yield window
        finally:
            context.close()

    yield open_window
    assert complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_from_the_overview_to_the_cause_in_three_clicks(world, opened, look):
    """An incident of the overview, its cause, and the page that names what broke: two clicks, however one looks."""
    _, observatory, _ = world
    going_on = list_incidents(observatory, IncidentQuestion(), limit=5).incidents
    incident = next(one.id for one in going_on if (one.cause.unique_id or "macro.").partition(".")[0] != "macro")
    with opened(Role.VIEWER, **LOOKS[look]) as window:
        window.locator(f"main a.opens[href='/incidents/{incident}']").click()
        window.wait_for_url("**/incidents/*")
        assert window.locator("#cause").is_visible()
        cause = window.locator("section[aria-labelledby=cause] a").first
        name = cause.inner_text()
        cause.click()
        window.wait_for_url(re.compile("/nodes\\?"))
        assert name.rpartition(".")[2] in window.locator("h1").inner_text()
        wide = window.locator("html").bounding_box()["width"]
        assert wide <= LOOKS[look]["viewport"]["width"]


def test_an_account_is_added_by_its_form(world, opened):
    """A wrong token is refused with why and the form keeps the rest; the right one connects and says what is next."""
    cloud, _, site = world
    account = cloud.simulator.accounts[1]
    with opened() as window:
        window.goto(f"{site.url}/accounts")
        for token in ("not-the-token", account.token):
            window.fill("#name", "second")
            window.fill("#account_id", str(account.id))
            window.fill("#url", cloud.simulator.url)
            window.fill("#token", token)
            window.click("button:text-is('Try and connect')")
            if token != account.token:
                window.locator("[role=alert]", has_text="401").wait_for()
                assert window.input_value("#name") == "second"
                assert window.input_value("#token") == ""
        window.wait_for_url("**/accounts/second*")
        toast = window.locator(".toast [role=status]")
        assert toast.inner_text().startswith("The account is connected.")
        assert "saved" not in window.url
        assert account.token not in window.content()
        window.click("#toast-close")
        assert toast.count() == 0


def test_what_one_person_does_another_sees_and_it_can_be_undone(world, opened):
    """An incident is acknowledged; who looks at it elsewhere sees that without a reload; Undo takes it back."""
    _, observatory, site = world
    going_on = list_incidents(observatory, IncidentQuestion()).incidents
    address = f"{site.url}/incidents/{next(one.id for one in going_on if one.state == 'open')}"
    with opened(Role.OPERATOR) as actor, opened(Role.VIEWER) as watcher:
        watcher.goto(address)
        watcher.evaluate("window.wasHere = true")
        actor.goto(address)
        actor.fill("#note", "I am on it")
        actor.click("button:text-is('Acknowledge')")
        actor.locator(".toast", has_text="Acknowledged.").wait_for()
        watcher.locator(".under-verdict", has_text="acknowledged").first.wait_for()
        watcher.get_by_text("I am on it").first.wait_for()
        assert watcher.locator("button:text-is('Acknowledge')").count() == 0
        actor.click("button:text-is('Undo')")
        actor.locator(".toast", has_text="It is no longer acknowledged.").wait_for()
        watcher.locator(".under-verdict", has_text="open").first.wait_for()
        assert watcher.evaluate("window.wasHere")


def test_a_table_is_found_and_its_lineage_walked_by_keys_alone(world, opened):
    """⌘K to a model, Tab to its lineage, arrows to a parent, Enter to that one's page: no mouse."""
    with opened(Role.VIEWER, **LOOKS["desk"]) as window:
        press = window.keyboard.press
        press("Control+k")
        window.locator("dialog.palette li").first.wait_for()
        window.keyboard.insert_text("fct_orders")
        window.locator("dialog.palette li[aria-selected=true]", has_text="fct_orders").wait_for()
        press("Enter")
        window.wait_for_url("**/nodes?*")
        explore = "document.activeElement.textContent === 'Explore'"
        tab_to(window, explore)
        press("Enter")
        window.wait_for_url("**/lineage?*")
        window.locator("#stage a.node.is-focus").wait_for()
        tab_to(window, "document.activeElement.id === 'stage'")
        press("ArrowRight")
        press("ArrowLeft")
        parent = window.evaluate("document.activeElement.ariaLabel.split(', ')[0]")
        assert parent != "fct_orders"
        press("Enter")
        window.wait_for_url("**/nodes?*")
        assert parent in window.locator("h1").inner_text()


def test_rows_are_opened_by_keys_alone(world, opened):
    """From the overview to the runs by the rail, to a run by j and Enter, and its focus is seen."""
    with opened(Role.VIEWER, **LOOKS["desk"]) as window:
        tab_to(window, "document.activeElement.getAttribute('href') === '/runs'")
        window.keyboard.press("Enter")
        window.wait_for_url("**/runs")
        window.keyboard.press("j")
        assert window.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        window.keyboard.press("Enter")
        window.wait_for_url("**/runs/first/*")


def is_fault(message) -> bool:
    """Whether what the browser says is a fault of the page; that a form was refused with 400 is none."""
    return message.type == "error" and "status of 400" not in message.text


def tab_to(window, told: str) -> None:
    """Press Tab until a line of script is true."""
    for _ in range(120):
        if window.evaluate(told):
            return
        window.keyboard.press("Tab")
    raise AssertionError(told)
