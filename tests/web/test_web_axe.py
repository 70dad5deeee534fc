"""axe on every page, full and empty, refused and wrong: within WCAG 2.2 AA in light, dark and on a phone."""

from dataclasses import replace

import pytest
import web_node_reports
import web_reports
from axe_pages import find_violations
from test_web_pages import opened  # noqa: F401 - the fixture
from web_people import log_in_as

from headwater.model.secret import Secret
from headwater.observatory import users
from headwater.observatory.access import Role
from headwater.observatory.audit import COMMAND_LINE
from headwater.observatory.incident_reports import IncidentsReport
from headwater.observatory.webhooks import WebhookReport
from headwater.web.guard import COOKIE

LOOKS = ((1280, "light"), (1280, "dark"), (360, "light"))
PAGES = (
    "/", "/?days=30", "/runs", "/runs?status=error&text=x", "/runs/acme/300412980", "/jobs", "/jobs/acme/12",
    "/accounts", "/accounts/acme", "/accounts/acme?saved=pause", "/catalog", "/catalog?text=orders",
    "/nodes?ref=fct_orders", "/incidents", "/incidents?state=all", "/incidents/1-1", "/incidents/1-2?done=acknowledge",
    "/incidents/1-3", "/lineage", "/lineage?colour=age", "/settings", "/settings/users", "/settings/tokens",
    "/settings/webhooks", "/settings/retention", "/settings/audit", "/settings/about", "/confirm?then=/settings/users",
)  # fmt: skip
WRONG = {
    "/nowhere": 404, "/runs/acme/404": 404, "/incidents/1-404": 404, "/runs?limit=0": 400, "/lineage?depth=0": 400,
}  # fmt: skip
EMPTY = ("/", "/runs", "/jobs", "/accounts", "/catalog", "/incidents", "/settings/webhooks")


def check(window, address: str, width: int, status: int = 200) -> list[str]:
    """Open a page; gives what is wrong with it."""
    answer = window.goto(address)
    found = [] if answer.status == status else [f"answered {answer.status}"]
    wide = window.evaluate("document.documentElement.scrollWidth")
    found += [f"{wide} px wide"] if wide > width else []
    return [f"{address}: {fault}" for fault in found + find_violations(window)]


@pytest.fixture
def full(door, serve_door):
    """The pages with something on each, webhooks of accounts included."""

    def get_webhook(name: str) -> WebhookReport:
        return WebhookReport(account=name, sentence="Heard a minute ago.", url="https://a.example/hooks/dbt/x")

    with serve_door(people=replace(door.people, get_webhook=get_webhook)) as running:
        yield running


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_on_any_page(full, opened, observatory, width, scheme):  # noqa: F811
    """Every page an admin sees breaks no rule and scrolls only down."""
    users.add_user(observatory, "anouk", role=Role.VIEWER, by=COMMAND_LINE)
    window = opened(full, width, scheme)

    found = [fault for path in PAGES for fault in check(window, full.url + path, width)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_where_nothing_is_stored(serve_door, opened, width, scheme):  # noqa: F811
    """Empty pages are within the rules, too."""
    empty = web_node_reports.make_catalog(nodes=(), total=0, places=(), resource_types={}, materializations={})
    now = web_reports.NOW
    with serve_door(
        get_overview=lambda days: web_reports.make_overview(days, sentence="No account is connected yet.", accounts=()),
        list_accounts=lambda: web_reports.AccountsReport(accounts=(), as_of=now),
        list_jobs=lambda days: web_reports.JobsReport(jobs=(), days=days, as_of=now),
        list_runs=lambda *_: web_reports.RunsReport(total=0, runs=(), as_of=now),
        list_catalog=lambda *_: empty,
        list_incidents=lambda *_: IncidentsReport(total=0, open=0, acknowledged=0, incidents=(), as_of=now),
    ) as site:
        window = opened(site, width, scheme)
        found = [fault for path in EMPTY for fault in check(window, site.url + path, width)]
        assert not found, "\n".join(found)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_at_the_door(site, browser, observatory, width, scheme):
    """The login with a link, with a password, after a wrong one; what a viewer may not see; what is not there."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    window = context.new_page()
    found = check(window, f"{site.url}/login", width)
    users.add_user(observatory, "boss", Role.ADMIN, Secret("correct horse battery"), by=COMMAND_LINE)
    found += check(window, f"{site.url}/login", width)
    window.fill("#name", "anouk")
    window.fill("#password", "not it, surely")
    window.click("button:text-is('Log in') >> visible=true")
    window.locator("[role=alert]").wait_for()
    found += find_violations(window)
    session = log_in_as(observatory, Role.VIEWER)
    context.add_cookies([{"name": COOKIE, "value": session, "url": site.url}])
    wrong = {"/settings/users": 403} | WRONG
    found += [fault for path, status in wrong.items() for fault in check(window, site.url + path, width, status)]
    context.close()

    assert not found, "\n".join(found)
