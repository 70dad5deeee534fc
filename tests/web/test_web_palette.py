"""The palette: to any page, node, job, run and incident by a part of its name, from the keyboard."""

import json

import pytest
from axe_pages import find_violations
from sqlalchemy import event
from test_web_pages import opened  # noqa: F401 - the fixture

from cloud import running_cloud, watching
from headwater.observatory import access
from headwater.observatory.access import Role
from headwater.observatory.runs import RunFilter, list_runs
from headwater.observatory.search import search
from headwater.observatory.syncing import sync_accounts


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One account of which a day was copied."""
    folder = tmp_path_factory.mktemp("search")
    with running_cloud(days=1) as cloud, watching(cloud, folder, accounts=1, days=1) as observatory:
        sync_accounts(observatory)
        yield observatory


def test_a_part_of_a_name_finds_things_of_each_kind(world):
    """Nodes with it in their names come first, tests are found, too; jobs by name and number, runs by number."""
    found = search(world, "ORDERS")
    assert found.nodes[0].name == "orders"
    kinds = [node.resource_type in {"test", "unit_test"} for node in search(world, "orders", limit=100).nodes[1:]]
    assert True in kinds
    named = ["orders" in node.name for node in found.nodes]
    assert named == sorted(named, reverse=True)
    assert search(world, "fct_orders").nodes[0].name == "fct_orders"
    (nightly,) = search(world, "nightly").jobs[:1]
    assert search(world, str(nightly.job.job_id)).jobs == (nightly,)
    newest = list_runs(world, RunFilter(), limit=1).runs[0]
    assert [run.run_id for run in search(world, str(newest.run_id)).runs] == [newest.run_id]
    nothing = search(world, "%_'\"\\ nobody")
    assert (nothing.nodes, nothing.jobs, nothing.runs, nothing.incidents) == ((), (), (), ())


def test_a_search_asks_little_of_the_store(world):
    """A word needs a handful of queries, and no more where more is found; without a text nodes are not asked for."""
    told = []
    event.listen(world.store.engine, "before_cursor_execute", lambda *all_of_it: told.append(all_of_it[2]))

    def count(text: str) -> int:
        told.clear()
        search(world, text)
        return len(told)

    count("warm")
    assert count("o") == count("fct_orders") <= 24
    assert count("") < count("o")


def test_pages_are_found_by_who_may_see_them(site, tokens):
    """A viewer finds no page that only admins see; every address found is one of ours."""

    def pages(role: str, text: str) -> list[str]:
        document = site.ask(f"/api/v1/search?text={text}", token=tokens[role]).json
        assert all(one["address"].startswith("/") and not one["address"].startswith("//") for one in document["found"])
        return [one["name"] for one in document["found"] if one["kind"] == "page"]

    assert pages("viewer", "us") == []
    assert pages("admin", "us") == ["Users"]
    assert pages("viewer", "cata") == ["Catalog"]
    kinds = [one["kind"] for one in site.ask("/api/v1/search?text=12", token=tokens["viewer"]).json["found"]]
    assert kinds == ["run", "model", "model", "job"]


@pytest.mark.parametrize("key", ["Control+k", "Meta+k"])
def test_the_keyboard_goes_to_a_node_and_back(site, opened, key):  # noqa: F811
    """The key opens, letters find, arrows choose, Enter goes; Escape closes and gives the focus back."""
    window = opened(site)
    runs = window.locator(".rail a", has_text="Runs").first
    runs.focus()
    window.keyboard.press(key)
    window.locator("dialog.palette[open] li", has_text="Incidents").first.wait_for()
    window.keyboard.press("Escape")
    assert not window.locator("dialog.palette").is_visible()
    assert runs.evaluate("one => one === document.activeElement")

    window.keyboard.press(key)
    window.keyboard.type("orders")
    window.locator("dialog.palette li", has_text="fct_orders").wait_for()
    chosen = window.locator("dialog.palette li[aria-selected=true]")
    first = chosen.inner_text()
    window.keyboard.press("ArrowDown")
    assert chosen.inner_text() != first
    window.keyboard.press("ArrowUp")
    assert chosen.inner_text() == first
    assert find_violations(window) == []
    window.keyboard.press("Enter")
    window.wait_for_url("**/nodes?*")


def test_a_quick_hand_goes_to_what_was_typed(site, opened):  # noqa: F811
    """Enter before the answer is there waits for it, and goes to what was typed, not to what was listed before."""
    window = opened(site)
    window.keyboard.press("Control+k")
    window.locator("dialog.palette li").first.wait_for()
    held = []
    window.route("**/api/v1/search?text=300412980", lambda route: held.append(route))  # noqa: PLW0108
    window.keyboard.insert_text("300412980")
    window.keyboard.press("Enter")
    while not held:
        window.wait_for_timeout(10)
    held[-1].continue_()
    window.wait_for_url("**/runs/acme/*")


def test_a_phone_has_it_behind_a_button_and_a_browser_without_scripts_has_the_catalogue(site, opened):  # noqa: F811
    """Narrow, the button opens it and nothing scrolls sideways; names are text; without scripts it is a link."""
    window = opened(site, 360)
    window.click("#to-search")
    window.keyboard.insert_text("x")
    window.locator("dialog.palette li", has_text="<script>").first.wait_for()
    assert window.evaluate("document.documentElement.scrollWidth") <= 360
    assert window.locator("dialog.palette").bounding_box()["width"] <= 360
    assert find_violations(window) == []
    plain = opened(site, 360, java_script_enabled=False)
    plain.click("#to-search")
    assert plain.url == f"{site.url}/catalog"


def test_rows_are_walked_with_j_and_k(site, opened):  # noqa: F811
    """From nowhere j goes to the first row, arrows walk once a row has the focus, Enter opens; fields take letters."""
    window = opened(site)
    window.goto(f"{site.url}/runs")
    links = window.locator("main a.opens")
    window.keyboard.press("j")
    assert links.nth(0).evaluate("one => one === document.activeElement")
    window.keyboard.press("ArrowDown")
    window.keyboard.press("j")
    window.keyboard.press("k")
    assert links.nth(1).evaluate("one => one === document.activeElement")
    address = links.nth(1).get_attribute("href")
    window.keyboard.press("Enter")
    window.wait_for_url(f"**{address}")
    window.goto(f"{site.url}/runs")
    window.locator("main form input:visible").first.focus()
    before = json.dumps(window.evaluate("document.activeElement.id"))
    window.keyboard.press("j")
    assert json.dumps(window.evaluate("document.activeElement.id")) == before


def test_a_token_of_the_sdk_finds_nothing(site, observatory):
    """Who only hands in reads nothing here."""
    secret = access.create_token(observatory, "sdk", Role.INGEST)[1].reveal()
    assert site.ask("/api/v1/search?text=orders", token=secret).status == 403
