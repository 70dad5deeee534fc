"""Every page has a document beside it, and the OpenAPI document describes it."""

from dataclasses import replace

import pytest
from litestar.routes import HTTPRoute

from headwater.observatory.webhooks import WebhookReport
from headwater.web.app import build_app

ADMIN, HOOK = "admin", "0123456789abcdef"
TWINS = {
    "/": ("/overview.json", "/api/v1/overview"),
    "/runs": ("/runs.json", "/api/v1/runs"),
    "/runs/{account:str}/{document:str}": ("/runs/acme/7.json", "/api/v1/runs/{account}/{run_id}"),
    "/jobs": ("/jobs.json", "/api/v1/jobs"),
    "/jobs/{account:str}/{document:str}": ("/jobs/acme/12.json", "/api/v1/jobs/{account}/{job_id}"),
    "/accounts": ("/accounts.json", "/api/v1/accounts"),
    "/accounts/{account:str}": ("/accounts/acme.json", "/api/v1/accounts/{account}"),
    "/catalog": ("/catalog.json", "/api/v1/catalog"),
    "/nodes": ("/nodes.json?ref=fct_orders", "/api/v1/nodes"),
    "/lineage": ("/lineage.json", "/api/v1/lineage"),
    "/incidents": ("/incidents.json", "/api/v1/incidents"),
    "/incidents/{incident:str}": ("/incidents/1-1.json", "/api/v1/incidents/{incident}"),
    "/settings": ("/settings.json", "/api/v1/settings"),
    "/settings/users": ("/settings/users.json", "/api/v1/settings/users"),
    "/settings/tokens": ("/settings/tokens.json", "/api/v1/settings/tokens"),
    "/settings/webhooks": ("/settings/webhooks.json", "/api/v1/settings/webhooks"),
    "/settings/retention": ("/settings/retention.json", "/api/v1/settings/about"),
    "/settings/audit": ("/settings/audit.json", "/api/v1/settings/audit"),
    "/settings/about": ("/settings/about.json", "/api/v1/settings/about"),
}
WITHOUT = {"/login", "/login/provider", "/login/callback", "/confirm"}
"""Forms of the door: they show nothing that is stored."""


@pytest.fixture
def site(door, serve_door):
    """The pages, with webhooks of the accounts that the reports make up."""
    hook = WebhookReport(account="acme", sentence="Heard.", url=f"https://headwater.example.com/hooks/dbt/{HOOK}")
    with serve_door(people=replace(door.people, get_webhook=lambda _: hook)) as running:
        yield running


def list_pages(door) -> set[str]:
    """List the addresses that answer a GET and are not themselves described: the pages."""
    handlers = (
        (route.path, handler)
        for route in build_app(door).routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
    )
    return {
        path
        for path, handler in handlers
        if "GET" in handler.http_methods and handler.resolve_include_in_schema() is False
        if not path.startswith(("/static", "/api/", "/lineage.svg"))
    }


def test_every_page_has_its_row_here(door):
    """A page that is added gets a document, or this fails."""
    assert list_pages(door) - WITHOUT == set(TWINS)


@pytest.mark.parametrize("page", TWINS)
def test_the_document_is_there_and_described(site, tokens, page):
    """The document beside the page is JSON and the API's, and stands in the OpenAPI document with its fields."""
    beside, described = TWINS[page]
    document = site.ask(beside, token=tokens[ADMIN])
    fill = {"{account}": "acme", "{run_id}": "7", "{job_id}": "12", "{incident}": "1-1"}
    address = described
    for name, value in fill.items():
        address = address.replace(name, value)
    under = site.ask(f"{address}?{beside.partition('?')[2]}", token=tokens[ADMIN])
    paths = site.ask("/api/v1/openapi", token=tokens[ADMIN]).json["paths"]

    assert (document.status, document.headers["content-type"].partition(";")[0]) == (200, "application/json")
    assert document.json.keys() == under.json.keys()
    assert paths[described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_documents_of_the_settings_hold_no_secret(site, tokens):
    """No token, no hash, and nothing of a webhook's address that only dbt Cloud is told."""
    for beside, _ in TWINS.values():
        text = site.ask(beside, token=tokens[ADMIN]).text
        assert not any(secret in text for secret in (*tokens.values(), HOOK))
        assert "hash" not in text
