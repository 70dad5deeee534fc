"""The explorer of the lineage over a simulated dbt Cloud, in a real browser: found, walked, opened, saved, read."""

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from axe_pages import find_violations
from sqlalchemy import event

from cloud import running_cloud, serving, watching
from conftest import Site
from headwater.observatory import access, sessions
from headwater.observatory.access import Role
from headwater.observatory.explorer import LineageQuestion, get_lineage
from headwater.observatory.explorer_states import get_lineage_states, prepare_lineage
from headwater.observatory.holder import get_account, open_observatory
from headwater.observatory.syncing import sync_accounts
from headwater.store.accounts import raise_revision
from headwater.web import lineage_svg
from headwater.web.app import prepare_pages
from headwater.web.lineage_filters import read_lineage_question

STATIC = Path(lineage_svg.__file__).parent / "static"
ORDERS = "model.storefront.fct_orders"
STEPS = ("stg_shop__order_items", "int_order_items_priced", "int_order_totals")
"""What fct_orders is made from, from the source of order lines on."""
FIRST = "account=first"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two accounts of which two days were copied."""
    with running_cloud(days=2) as cloud, watching(cloud, tmp_path_factory.mktemp("explorer"), days=2) as observatory:
        sync_accounts(observatory)
        with serving(observatory) as url, urllib3.PoolManager() as pool:
            yield observatory, Site(urlsplit(url).port, pool)


@pytest.fixture(scope="module")
def token(world):
    return access.create_token(world[0], "reader", Role.VIEWER)[1].reveal()


@pytest.fixture
def opened(browser, world):
    """A window of somebody who is logged in; what the browser complains about fails the test."""
    observatory, site = world
    contexts, complaints = [], []

    def open_window(width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        window = context.new_page()
        window.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.goto(f"{site.url}/login")
        window.fill("#link", sessions.create_login_link(observatory).reveal())
        window.click("text=Log in")
        window.wait_for_url(f"{site.url}/")
        return window

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def show(window, site, query: str) -> None:
    window.goto(f"{site.url}/lineage?{query}")
    until(window, "document.documentElement.dataset.view !== undefined")


def names(window) -> set[str]:
    """The names of the nodes that are drawn."""
    return set(window.locator("a.node").evaluate_all("all => all.map(one => one.ariaLabel.split(', ')[0])"))


def wait_for(window, said: str) -> None:
    """Wait for what a line of script says of the page."""
    until(window, f"(() => {{ const all = (what) => [...document.querySelectorAll(what)]; return {said}; }})()")


def until(window, told: str) -> None:
    """Wait until a line of script is true; the pages forbid the browser's own way to wait for one."""
    end = time.monotonic() + 60
    while not window.evaluate(told):
        assert time.monotonic() < end, told
        window.wait_for_timeout(20)


def until_true(window, check) -> None:
    """Wait until something outside the page is so, while its events are heard."""
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end
        window.wait_for_timeout(20)


def asked(window) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(window.url).query).items()}


def test_from_a_search_to_a_picture_that_its_link_brings_back(world, opened):
    """Search, put in the middle, show more, colour, draw folders as one; the link alone shows the same again."""
    _, site = world
    window = opened()
    show(window, site, FIRST)
    window.keyboard.press("/")
    window.keyboard.insert_text("fct_orders")
    window.locator("#found li", has_text="fct_orders").first.wait_for()
    window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    until(window, "document.querySelector('.node.is-focus')")

    assert asked(window)["ref"] == ORDERS
    first = names(window)
    assert {"fct_orders", "stg_shop__orders"} <= first
    assert window.inner_text("h1").startswith("fct_orders, with ")

    before = len(first)
    window.select_option("#depth", "3")
    wait_for(window, f"document.querySelectorAll('#table-twin tbody tr').length > {before}")
    window.select_option("#colour", "duration")
    window.locator(".legend", has_text="under 10 s").wait_for()
    assert window.locator("a.node[class*='shade-']").count() == window.locator("a.node").count()
    window.select_option("#collapse", "folder")
    window.locator("a.node.group").first.wait_for()
    window.locator("#table-twin", has_text="show nodes").wait_for()

    link, shown, sentence = window.url, names(window), window.inner_text("h1")
    again = opened()
    again.goto(link)
    until(again, "document.documentElement.dataset.view !== undefined")
    assert names(again) == shown
    assert again.inner_text("h1") == sentence
    assert again.locator("#colour").input_value() == "duration"


def test_a_choice_made_while_an_answer_is_under_way_wins(world, opened):
    """The answer to an earlier choice comes last and changes nothing; what was typed meanwhile stays, too."""
    _, site = world
    window = opened()
    show(window, site, f"ref={ORDERS}")
    held, ended = [], []
    window.on("requestfailed", lambda request: ended.append(request.url))
    window.on("requestfinished", lambda request: ended.append(request.url))
    window.route(
        re.compile(r"/lineage\?.*depth=3"),
        lambda route: route.fallback() if "colour" in route.request.url or held else held.append(route),
    )
    window.select_option("#depth", "3")
    until(window, "location.search.includes('depth=3')")
    window.select_option("#colour", "duration")
    window.locator(".legend", has_text="under 10 s").wait_for()
    (first,) = held
    first.continue_()
    until_true(window, lambda: first.request.url in ended)

    assert asked(window) | {"view": ""} == {"ref": ORDERS, "depth": "3", "colour": "duration", "view": ""}
    wait_for(window, "!all('#stage')[0].classList.contains('is-busy')")
    assert window.locator("#colour").input_value() == "duration"
    assert window.locator("#depth").input_value() == "3"
    assert window.locator(".legend", has_text="under 10 s").count() == 1

    held.clear()
    window.route(re.compile(r"/lineage\?.*depth=5"), lambda route: held.append(route))  # noqa: PLW0108 - a bound method is no handler
    window.select_option("#depth", "5")
    until_true(window, lambda: held)
    window.fill("#ref", "stg_shop__or")
    held[0].continue_()
    until(window, "document.getElementById('depth').querySelector('[selected]').value === '5'")
    assert window.locator("#ref").input_value() == "stg_shop__or"


def test_the_link_keeps_what_is_looked_at(world, opened):
    """Dragging and zooming are in the address, and a reload shows the same part at the same size."""
    _, site = world
    window = opened()
    show(window, site, f"{FIRST}&collapse=none")
    box = window.locator("#stage").bounding_box()
    window.mouse.move(box["x"] + 300, box["y"] + 300)
    window.mouse.down()
    window.mouse.move(box["x"] + 120, box["y"] + 180, steps=5)
    window.mouse.up()
    window.click("text=+ >> visible=true")
    until(window, "location.search.includes('view=')")
    window.wait_for_timeout(400)
    kept = asked(window)["view"]
    transform = window.locator("#stage > svg > g").get_attribute("transform")
    window.reload()
    until(window, "document.documentElement.dataset.view !== undefined")

    assert asked(window)["view"] == kept
    assert numbers(window.locator("#stage > svg > g").get_attribute("transform")) == pytest.approx(
        numbers(transform), abs=3
    )


def test_a_group_opens_and_a_node_shows_its_neighbours(world, opened):
    """A click on a folder shows its nodes, one on +n what is hidden beside a node."""
    _, site = world
    window = opened()
    show(window, site, f"{FIRST}&collapse=folder")
    group = window.locator("a.node.group").first
    name = group.get_attribute("aria-label").split(", ")[0]
    group.click()
    window.wait_for_url(re.compile("opened="))
    gone = f"!all('a.node.group').some(one => one.ariaLabel.startsWith({json.dumps(name + ',')}))"
    wait_for(window, gone)
    assert asked(window)["opened"] == name

    show(window, site, f"ref={ORDERS}&depth=1")
    before = names(window)
    window.locator("a.more").first.dispatch_event("click")
    window.wait_for_url(re.compile("more="))
    until(window, f"document.querySelectorAll('a.node').length > {len(before)}")
    assert before < names(window)


def test_the_keyboard_walks_the_lines_and_opens_a_node(world, opened):
    """Arrows go to parents and children, f puts a node in the middle, Enter opens its page; the focus is seen."""
    _, site = world
    window = opened()
    show(window, site, f"ref={ORDERS}")
    window.locator("#stage").focus()
    window.keyboard.press("ArrowRight")
    assert focused(window) == "fct_orders"
    window.keyboard.press("ArrowLeft")
    parent = focused(window)
    assert parent in {"stg_shop__orders", "int_order_totals", "int_payments_by_order", "int_refunds_by_order"}
    assert window.evaluate("getComputedStyle(document.activeElement.querySelector('.outline')).strokeWidth") == "3px"
    window.keyboard.press("ArrowDown")
    assert focused(window) != parent
    window.keyboard.press("f")
    wait_for(window, "!all('#stage')[0].classList.contains('is-busy')")
    wait_for(window, "!document.activeElement.ariaLabel?.startsWith('fct_orders')")
    middle = window.locator("a.node.is-focus").get_attribute("aria-label").split(", ")[0]
    assert middle != "fct_orders"
    window.locator("a.node.is-focus").focus()
    window.keyboard.press("Enter")
    window.wait_for_url(re.compile("/nodes"))
    assert window.locator("#lineage-graph a.node.is-focus").count() == 1


def test_a_cause_path_and_what_it_reaches_are_drawn(world, opened):
    """An address with a path shows its steps however far away they are, and tints what the cause reaches."""
    _, site = world
    window = opened()
    way = ("source.storefront.shop.order_items", *(f"model.storefront.{name}" for name in STEPS), ORDERS)
    path = "|".join(way)
    show(window, site, f"ref={ORDERS}&depth=1&direction=down&path={path}&reach=yes")

    assert window.locator(".line.path").count() == len(way) - 1
    assert window.locator("a.node.on-path").count() == len(way)
    assert window.locator("a.node.reached").count() >= len(way)
    assert window.locator(".steps li").count() == len(way)


def test_it_is_saved_as_svg_png_and_json(world, opened):
    """The three files are what is shown; the SVG stands alone."""
    _, site = world
    window = opened()
    show(window, site, f"ref={ORDERS}&depth=1")
    count = window.locator("a.node").count()
    saved = {}
    for kind in ("SVG", "PNG", "JSON"):
        with window.expect_download() as download:
            window.click(f".exports >> text={kind}")
        saved[kind] = Path(download.value.path()).read_bytes()

    svg = saved["SVG"].decode()
    assert svg.lstrip().startswith("<svg")
    assert svg.count('class="node ') == count
    assert "style=" not in svg
    assert "<script" not in svg
    assert saved["PNG"].startswith(b"\x89PNG")
    assert len(json.loads(saved["JSON"])["names"]) == count


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(world, opened, width, scheme):
    """The explorer and a node's picture are within WCAG 2.2 AA, narrow and dark too, and scroll only down."""
    _, site = world
    window = opened(width, scheme)
    for query in (f"ref={ORDERS}", f"{FIRST}&collapse=folder&colour=age"):
        show(window, site, query)
        if width < 720:
            window.click("#drawer > summary")
        assert find_violations(window) == []
        assert window.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_picture_has_the_window(world, opened):
    """Seven tenths of the height are the picture's; what can be chosen unfolds by keys, and stays open meanwhile."""
    _, site = world
    window = opened(360)
    window.set_viewport_size({"width": 360, "height": 740})
    show(window, site, f"ref={ORDERS}")
    bar = window.locator(".rail").bounding_box()["y"]
    stage = window.locator("#stage").bounding_box()

    assert stage["height"] >= 0.7 * 740
    assert stage["y"] + stage["height"] <= bar
    assert not window.locator("#depth").is_visible()
    window.locator("#drawer > summary").focus()
    window.keyboard.press("Enter")
    before = len(names(window))
    window.select_option("#depth", "1")
    until(window, f"document.querySelectorAll('a.node').length < {before}")
    assert window.locator("#depth").is_visible()
    assert window.locator("#stage").bounding_box() == stage
    window.set_viewport_size({"width": 1280, "height": 900})
    assert not window.locator("#drawer > summary").is_visible()
    assert window.locator("#depth").is_visible()


def test_on_a_phone_the_choices_need_no_script(world, opened):
    """Without scripts the drawer opens all the same, and its form shows the view that was chosen."""
    _, site = world
    window = opened(360, java_script_enabled=False)
    window.goto(f"{site.url}/lineage?ref={ORDERS}&depth=1")
    drawn = window.locator("#stage a.node").count()
    window.click("#drawer > summary")
    window.select_option("#depth", "2")
    window.click("button:text-is('Show')")
    window.wait_for_url("**/lineage?*depth=2*")

    assert window.locator("#stage a.node").count() > drawn


def test_it_is_read_without_scripts(world, opened):
    """The picture, the choices, the table and the way to another node are there without a script."""
    _, site = world
    window = opened(java_script_enabled=False)
    window.goto(f"{site.url}/lineage?ref={ORDERS}&depth=1")
    drawn = window.locator("#stage a.node").count()
    assert drawn == window.locator("#table-twin tbody tr").count() >= 8
    window.select_option("#depth", "2")
    window.click("button:text-is('Show')")
    window.wait_for_url("**/lineage?*depth=2*")
    assert window.locator("#stage a.node").count() > drawn
    window.locator("#table-twin a", has_text="around it").nth(1).click()
    assert asked(window)["ref"] != ORDERS
    window.locator("#table-twin a.opens").first.click()
    assert "/nodes?" in window.url


def test_the_documents_are_small_and_sent_once(world, token):
    """Compressed where that is taken; who has a view or its states already is told so by 304."""
    _, site = world
    for path in ("/api/v1/lineage?account=first&collapse=none", "/api/v1/lineage/states?account=first&collapse=none"):
        plain = site.ask(path, token=token)
        small = site.pool.request(
            "GET",
            site.url + path,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"},
            decode_content=False,
        )
        again = site.ask(path, token=token, headers={"If-None-Match": plain.headers["etag"]})

        assert json.loads(gzip.decompress(small.data)) == plain.json
        assert small.headers["cache-control"] == "private, no-cache"
        assert (again.status, again.body) == (304, b"")
    view, states = site.ask("/lineage.json?account=first&collapse=none", token=token).json, plain.json
    assert states["of"] == view["etag"]
    assert len(states["state_numbers"]) == len(view["names"]) == len(view["x"])


def test_the_page_asks_for_what_the_script_needs_before_it_runs(world, opened):
    """Scripts and documents are fetched with the page; the script finds them there and asks for the view only once."""
    window = opened()
    show(window, world[1], f"{FIRST}&collapse=none&direction=both&colour=age&ref=")
    asked = window.evaluate(
        "performance.getEntriesByType('resource').map((one) => [new URL(one.name).pathname, one.initiatorType])"
    )
    told = window.evaluate("[...document.querySelectorAll('link[rel=modulepreload]')].map((one) => one.href)")
    assert [how for path, how in asked if path == "/api/v1/lineage"] == ["link"]
    assert {path.name for path in (STATIC / "lineage").glob("*.js")} <= {*map(name_of, told), "explorer.js"}


def test_what_is_prepared_is_what_is_asked_for_first(world):
    """Whoever opens the lineage after it was prepared waits for no manifest and no execution to be read."""
    told = []
    with open_observatory(world[0].settings) as fresh:
        event.listen(fresh.store.engine, "before_cursor_execute", lambda *call: told.append(call[2]))
        prepare_pages(fresh)
        before = count_read(told)
        for query in ({}, {"account": "first"}, {"account": "second"}):
            asked = read_lineage_question(query).lineage
            get_lineage(fresh, asked)
            get_lineage_states(fresh, asked)
        after = count_read(told)
    assert after == before
    assert min(before) > 0


def count_read(statements: list[str]) -> tuple[int, ...]:
    """Count the statements that read manifests, and those that read what happened to nodes."""
    return tuple(sum(table in statement for statement in statements) for table in ("node_versions", "executions"))


def test_states_that_are_remembered_are_as_of_the_moment_they_are_asked_for(world):
    """How long ago something ran counts from the question, not from when its state was worked out."""
    with open_observatory(world[0].settings) as fresh:
        first, again = (get_lineage_states(fresh, LineageQuestion(account="first")) for _ in range(2))
    assert again.as_of > first.as_of
    assert replace(again, as_of=first.as_of) == first


def test_news_of_one_account_leave_the_states_of_another_as_they_are(world):
    """States are worked out anew for the account that something was stored of, and for no other."""
    told = []
    with open_observatory(world[0].settings) as fresh:
        prepare_lineage(fresh)
        with fresh.store.write() as tx:
            raise_revision(tx, get_account(fresh, "first").account_key)
        event.listen(fresh.store.engine, "before_cursor_execute", lambda *call: told.append(call[2]))
        get_lineage_states(fresh, LineageQuestion(account="second"))
        others = count_read(told)
        get_lineage_states(fresh, LineageQuestion(account="first"))
    assert others == (0, 0)
    assert count_read(told)[1] > 0


def test_a_view_that_answers_two_questions_says_of_each_why_its_place_does(world):
    """The same nodes are drawn once, whether the environment was named or not; the sentence is that of the question."""
    asked = LineageQuestion(ref="fct_orders", account="first")
    plain, named = get_lineage(world[0], asked), get_lineage(world[0], replace(asked, environment="Production"))
    assert plain.etag == named.etag
    assert "no environment was named" in plain.sentence
    assert named.sentence.endswith("as asked.")


def test_a_thing_has_the_state_that_its_verdict_begins_from(world, token):
    """What failed or was skipped by its own last outcome says so here as on its own page."""
    _, site = world
    view = site.ask("/api/v1/lineage?account=second&collapse=none&tests=yes", token=token).json
    states = site.ask("/api/v1/lineage/states?account=second&collapse=none&tests=yes", token=token).json
    told = dict(zip(view["unique_ids"], (states["states"][number] for number in states["state_numbers"]), strict=True))
    checked = [
        name
        for name, state in told.items()
        if state in {"failed", "skipped", "test-failing"} and name.startswith("model.")
    ]
    assert checked
    for unique_id in checked[:5]:
        assert site.ask(f"/api/v1/why?account=second&ref={unique_id}", token=token).json["state"] == told[unique_id]


@pytest.mark.parametrize(
    "query",
    [
        "depth=0",
        "depth=many",
        "direction=left",
        "collapse=colour",
        "colour=red",
        "tests=maybe",
        "at=once",
        "ref=no_such_node",
        "account=nobody",
    ],
)
def test_what_cannot_be_read_is_said(world, token, query):
    """A wrong part of an address is a sentence, not a picture of something else."""
    _, site = world
    reply = site.ask(f"/lineage?{query}", token=token)

    assert reply.status in {400, 404}
    assert set(reply.json["error"]) == {"message", "hint"}


def test_names_from_outside_are_text(serve_door, tokens):
    """A node that is called like a script is drawn as its name."""
    with serve_door() as site:
        page = site.ask("/lineage", token=tokens["viewer"]).text
        picture = site.ask("/lineage.svg", token=tokens["viewer"])

    assert "<script>" not in picture.text
    assert "stg_&lt;script&gt;" in picture.text
    assert "stg_<script>" not in page
    assert picture.headers["content-disposition"] == 'attachment; filename="lineage.svg"'


def test_the_page_is_light():
    """Style sheet and modules of the explorer are within the budget of a page, 150 kB compressed, by far."""
    files = [STATIC / "app.css", STATIC / "lineage.css", STATIC / "times.js", *(STATIC / "lineage").glob("*.js")]

    assert len(files) >= 8
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 40_000


@pytest.mark.parametrize(("palette", "place"), [(lineage_svg.LIGHT, 0), (lineage_svg.DARK, 1)])
def test_a_picture_that_stands_alone_has_the_colours_of_the_style_sheet(palette, place):
    """The colours of the file are the tokens of the pages."""
    sheet = (STATIC / "app.css").read_text() + (STATIC / "lineage.css").read_text()
    for name in palette.__dataclass_fields__:
        written = re.findall(rf"--{name.replace('_', '-')}: (#[0-9a-f]{{6}});", sheet)
        assert written[place] == getattr(palette, name), name


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


def focused(window) -> str:
    return window.evaluate("document.activeElement.ariaLabel.split(', ')[0]")
