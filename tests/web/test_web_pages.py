"""The pages in a real browser: they open, fit, and say what the reports say."""

import re
from itertools import pairwise

import pytest
import web_reports
from axe_pages import find_violations

from headwater.observatory import sessions

PATHS = (
    "/", "/?days=1", "/?days=30", "/runs", "/runs/acme/300412980", "/jobs", "/accounts", "/accounts/acme",
    "/catalog", "/nodes?ref=fct_orders", "/incidents", "/incidents?state=resolved", "/incidents/1-1", "/incidents/1-3",
    "/lineage", "/lineage?colour=age",
)  # fmt: skip
LOOKS = tuple((width, scheme) for width in (360, 768, 1280) for scheme in ("light", "dark"))


@pytest.fixture
def opened(browser, observatory):
    """A window of somebody who is logged in; what the browser complains about fails the test."""
    contexts, complaints = [], []

    def open_window(site, width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        context.set_default_timeout(6000)
        window = context.new_page()
        window.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        link = sessions.create_login_link(observatory)
        if options.get("java_script_enabled", True):
            window.goto(f"{site.url}/login#{link.reveal()}")
        else:
            window.goto(f"{site.url}/login")
            window.fill("#link", link.reveal())
            window.click("text=Log in")
        window.wait_for_url(f"{site.url}/")
        return window

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_opens_without_complaint_and_scrolls_only_down(site, opened, width, scheme):
    """Each page opens at each width in light and dark; nothing is wider than the window."""
    window = opened(site, width, scheme)
    for path in PATHS:
        answer = window.goto(site.url + path)

        assert answer.status == 200
        assert window.evaluate("document.documentElement.scrollWidth") <= width, path
        assert window.locator("h1").count() == 1


def test_a_bar_opens_its_runs(site, opened):
    """The bar of a bucket says its counts and leads to the runs of its time."""
    window = opened(site)
    bar = window.locator("a.column").nth(9)
    assert bar.locator("title").text_content() == "16 Nov 00:00–06:00: 11 runs: 11 error"
    bar.locator("rect").nth(1).click()
    window.wait_for_url("**/runs?*")

    assert window.input_value("#created_from") == "2026-11-16T00:00"
    assert window.input_value("#created_to") == "2026-11-16T06:00"


def test_the_chart_has_the_same_numbers_as_a_table(site, opened):
    """The table switch opens one row for each bucket that had runs."""
    window = opened(site)
    window.click("#bars-table summary")

    rows = window.locator("#bars-rows tbody tr")
    assert rows.count() == sum(1 for bar in web_reports.make_bars() if bar.runs)
    assert rows.first.inner_text().split() == ["20", "Nov", "12:00–18:00", "5", "1", "1", "7"]


def test_pages_work_without_scripts(site, opened):
    """Without JavaScript one logs in by pasting, and times are absolute."""
    window = opened(site, java_script_enabled=False)

    assert window.locator("[aria-labelledby=accounts] tbody time").first.inner_text() == "20 Nov 11:57"
    window.click("text=Runs >> nth=0")
    assert "1,204 runs" in window.locator("h1").inner_text()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_phone_has_the_further_places_behind_more(site, opened, has_scripts):
    """Six entries stand side by side, each in its own room; the keyboard opens the rest, with or without scripts."""
    window = opened(site, 360, java_script_enabled=has_scripts)
    entries = window.locator(".rail > :is(a:not(.brand), details) > .label, .rail summary .label")
    boxes = [entry.bounding_box() for entry in entries.all()]

    assert entries.all_inner_texts() == ["Overview", "Incidents", "Runs", "Jobs", "Catalog", "More"]
    assert all(one["x"] + one["width"] < two["x"] for one, two in pairwise(boxes))
    further = window.locator(".further > div :is(a, button)")
    assert not further.first.is_visible()
    window.locator(".further summary").focus()
    window.keyboard.press("Enter")
    assert {"Lineage", "Accounts", "Log out"} <= set(further.all_inner_texts())
    if has_scripts:
        assert find_violations(window) == []
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    window.wait_for_url("**/lineage")
    assert window.locator(".further summary").get_attribute("aria-current") == "true"


def test_a_wide_window_shows_every_place(site, opened):
    """The rail of a desktop names all places and has no More."""
    window = opened(site)
    shown = [
        entry.inner_text() for entry in window.locator(".rail :is(a, button):not(.brand)").all() if entry.is_visible()
    ]

    assert {"Overview", "Catalog", "Lineage", "Accounts"} <= set(shown)
    assert shown[-1] == "Log out"
    assert not window.locator(".further").is_visible()


def test_a_page_brings_itself_up_to_date(serve_door, opened):
    """When the revision grows the page changes by itself; what was open stays open."""
    stored = {"revision": 41, "sentence": "All is well."}

    def get_overview(days):
        return web_reports.make_overview(days, **stored)

    with serve_door(get_overview=get_overview, get_revision=lambda: stored["revision"]) as site:
        window = opened(site)
        window.click("#bars-table summary")
        stored |= {"revision": 42, "sentence": "nightly failed."}
        window.get_by_text("nightly failed.").wait_for()

        assert window.locator("#bars-table").get_attribute("open") is not None


def test_a_time_says_when_it_was_on_the_viewers_clock(site, opened):
    """The text is how long ago; the title has the time in the viewer's zone and in UTC."""
    window = opened(site, timezone_id="Asia/Kolkata")
    time = window.locator("[aria-labelledby=accounts] tbody time").first

    assert re.fullmatch(r"\d+ (d|h|min|s) ago", time.inner_text())
    assert time.get_attribute("title") == "20 Nov 2026, 17:27:31 GMT+5:30, 2026-11-20 11:57:31 UTC"


def test_data_that_is_old_is_said_to_be_old(site, opened):
    """An account that was not read for long is named with the time its data is from; one that was read is not."""
    window = opened(site)

    (notice,) = window.locator(".notice").all_inner_texts()
    assert notice.startswith("Data of sandbox is as of ")
    assert notice.endswith("Replace the token.")


@pytest.mark.parametrize("width", [360, 1280])
def test_hostile_text_is_only_text(serve_door, opened, width):
    """Markup in any field of a report is shown as text, whatever its length."""
    bad = web_reports.HOSTILE
    run = web_reports.make_run(job_name=bad, environment_name=bad, trigger=bad, account=bad, status=bad, nodes={bad: 1})
    account = web_reports.make_account(bad, sentence=bad, status=bad, origin=bad, token_hint=bad)
    report = web_reports.make_run_report(
        job_name=bad,
        sentence=bad,
        cause=bad,
        git_branch=bad,
        git_sha=bad,
        href=f"javascript:alert('{bad}')",
        status=bad,
    )
    with serve_door(
        get_overview=lambda days: web_reports.make_overview(
            days,
            sentence=bad,
            accounts=(account,),
            failures=(run,),
            in_progress=(web_reports.make_open_run(run, 60.0),),
        ),
        list_runs=lambda *_: web_reports.RunsReport(total=1, runs=(run,), as_of=web_reports.NOW),
        get_run=lambda *_: report,
        list_accounts=lambda: web_reports.AccountsReport(accounts=(account,), as_of=web_reports.NOW),
    ) as site:
        window = opened(site, width)
        for path in ("/", "/runs", "/runs/acme/1", "/accounts", f"/runs?text={'%3Cscript%3E' * 40}"):
            window.goto(site.url + path)

            assert window.locator("main script, main img").count() == 0
            assert window.locator('a[href^="javascript"]').count() == 0
            assert window.evaluate("document.documentElement.scrollWidth") <= width, path


def test_without_an_account_the_pages_say_what_to_run(serve_door, opened):
    """Empty pages say the command that fills them."""
    with serve_door(
        get_overview=lambda days: web_reports.make_overview(days, sentence="No account is connected yet.", accounts=()),
        list_accounts=lambda: web_reports.AccountsReport(accounts=(), as_of=web_reports.NOW),
        list_jobs=lambda days: web_reports.JobsReport(jobs=(), days=days, as_of=web_reports.NOW),
        list_runs=lambda *_: web_reports.RunsReport(total=0, runs=(), as_of=web_reports.NOW),
    ) as site:
        window = opened(site)
        for path in ("/", "/runs", "/jobs", "/accounts"):
            window.goto(site.url + path)
            assert "headwater account add" in window.locator("main").inner_text()


def test_a_run_shows_its_attempts(site, opened):
    """Each attempt that is stored leads to its run; this one is marked, one that is not stored says so."""
    window = opened(site)
    window.goto(f"{site.url}/runs/acme/300412980")
    attempts = window.locator(".attempts li")

    assert [text.split("\n")[0] for text in attempts.all_inner_texts()] == [f"Attempt {number}" for number in (1, 2, 3)]
    assert "run 300412970, not stored" in attempts.nth(0).inner_text()
    assert attempts.nth(1).locator("[aria-current]").count() == 1
    assert [link.get_attribute("href") for link in attempts.locator("a").all()] == ["/runs/acme/300412985"]
    window.click("#supplied summary")
    assert window.locator("#supplied tbody tr").all_inner_texts() == ["poll\tjob_id, status, step 1", "sdk\tgit_sha"]


def test_what_was_typed_is_not_refreshed_away(serve_door, opened):
    """While a form holds something that was not sent, news does not replace the page under it."""
    asked = []

    def get_revision():
        asked.append(len(asked))
        return len(asked)

    with serve_door(get_revision=get_revision) as site:
        window = opened(site)
        window.goto(f"{site.url}/accounts")
        window.fill("#name", "beans")
        window.locator("#name").blur()
        before = len(asked)
        while len(asked) < before + 4:
            window.wait_for_timeout(50)

        assert window.input_value("#name") == "beans"
        with window.expect_response("**/accounts"):
            window.fill("#name", "")
            window.locator("#name").blur()
