"""The guard: every route of the application as everybody who may come, and everybody who may not."""

import pytest
from litestar import get

from headwater.errors import HeadwaterError
from headwater.observatory.access import Role, create_login_link, redeem_link
from headwater.web.app import build_app
from headwater.web.guard import PUBLIC, SIGNED

READING = {"viewer", "operator", "admin"}
ROUTES = {
    ("GET", "/"): READING,
    ("GET", "/runs"): READING,
    ("GET", "/runs/{account:str}/{document:str}"): READING,
    ("GET", "/jobs"): READING,
    ("GET", "/accounts"): READING,
    ("POST", "/accounts"): {"admin"},
    ("GET", "/accounts/{account:str}"): READING,
    ("POST", "/accounts/{account:str}/filter"): {"admin"},
    ("POST", "/accounts/{account:str}/history"): {"admin"},
    ("POST", "/accounts/{account:str}/token"): {"admin"},
    ("POST", "/accounts/{account:str}/{act:str}"): {"admin"},
    ("GET", "/incidents"): READING,
    ("GET", "/incidents/{incident:str}"): READING,
    ("POST", "/incidents/{incident:str}/{act:str}"): {"operator", "admin"},
    ("GET", "/incidents.json"): READING,
    ("GET", "/api/v1/incidents"): READING,
    ("GET", "/api/v1/incidents/{incident:str}"): READING,
    ("POST", "/api/v1/incidents/{incident:str}/{act:str}"): {"operator", "admin"},
    ("GET", "/nodes"): READING,
    ("GET", "/catalog"): READING,
    ("GET", "/lineage"): READING,
    ("GET", "/lineage.svg"): READING,
    ("GET", "/lineage.json"): READING,
    ("GET", "/api/v1/lineage"): READING,
    ("GET", "/api/v1/lineage/states"): READING,
    ("GET", "/nodes.json"): READING,
    ("GET", "/impact.json"): READING,
    ("GET", "/why.json"): READING,
    ("GET", "/api/v1/why"): READING,
    ("GET", "/catalog.json"): READING,
    ("GET", "/api/v1/nodes"): READING,
    ("GET", "/api/v1/impact"): READING,
    ("GET", "/api/v1/catalog"): READING,
    ("GET", "/overview.json"): READING,
    ("GET", "/runs.json"): READING,
    ("GET", "/jobs.json"): READING,
    ("GET", "/accounts.json"): READING,
    ("GET", "/api/v1/overview"): READING,
    ("GET", "/api/v1/runs"): READING,
    ("GET", "/api/v1/runs/{account:str}/{run_id:int}"): READING,
    ("GET", "/api/v1/jobs"): READING,
    ("GET", "/api/v1/accounts"): READING,
    ("GET", "/api/v1/accounts/{account:str}"): READING,
    ("GET", "/api/v1/match"): READING,
    ("GET", "/api/v1/revision"): READING,
    ("GET", "/api/v1/openapi"): READING,
    ("GET", "/api/v1/openapi/openapi.json"): READING,
    ("GET", "/api/v1/openapi/{path:str}"): READING,
    ("POST", "/api/v1/collected"): {"ingest"},
    ("POST", "/hooks/dbt/{hook_id:str}"): SIGNED,
    ("POST", "/logout"): READING,
    ("GET", "/login"): PUBLIC,
    ("POST", "/login"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/static/{file_path:path}"): PUBLIC,
}
CALLERS = ("viewer", "operator", "admin", "ingest", "revoked", "expired", "anonymous", "forged")


def test_the_table_of_this_test_names_every_route(door):
    """A route that is added is a row here, or this fails."""
    app = build_app(door)
    served = {(method, route.path) for route in app.routes for method in route.methods}

    assert {(method, path) for method, path in served if method not in {"OPTIONS", "HEAD"}} == set(ROUTES)


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_it_declares_and_nobody_else(site, tokens, caller):
    """Each route × each caller: 401 for who is nobody, 403 for the wrong role, and else an answer."""
    token = {"anonymous": None, "forged": "hw_a_" + "0" * 38}.get(caller, tokens.get(caller))
    fill = {"{account:str}": "acme", "{document:str}": "7", "{run_id:int}": "7", "{file_path:path}": "app.css"}
    fill |= {"{hook_id:str}": "hook", "{act:str}": "pause", "{incident:str}": "1-1"}
    for (method, path), allowed in ROUTES.items():
        address = path.replace("/{path:str}", "/openapi.json")
        for name, value in fill.items():
            address = address.replace(name, value)
        reply = site.ask(address, method, token=token, headers={"Sec-Fetch-Site": "same-origin"})
        refused = reply.status in {401, 403} and "login" not in path
        is_sent_to_login = reply.status == 303 and reply.headers["location"] == "/login" and path != "/logout"

        if allowed == SIGNED:
            assert (reply.status, reply.json) == (401, {"status": "refused"}), (method, path)
        elif allowed == PUBLIC or caller in allowed:
            assert not refused, (method, path)
            assert not is_sent_to_login, (method, path)
        elif caller == "ingest" or caller in READING:
            assert reply.status == 403, (method, path)
        elif caller == "anonymous" and not path.startswith("/api/") and not path.endswith(".json"):
            assert (reply.status, reply.headers["location"]) == (303, "/login"), (method, path)
        else:
            assert reply.status == 401, (method, path)
            assert set(reply.json["error"]) == {"message", "hint"}


@pytest.mark.parametrize("path", ["/%72uns", "//runs", "/runs/", "/RUNS", "/static/..%2f..%2fapp.py", "/runs;x=/login"])
def test_tricks_with_the_path_open_nothing(site, path):
    """Other ways to write a path lead nowhere without a login."""
    reply = site.ask(path)

    assert reply.status in {303, 404}
    assert reply.headers.get("location", "/login") == "/login"


def test_an_application_with_an_undeclared_route_does_not_start(door):
    """Default is deny: a route without a role, or public without being on the list, stops the start."""

    @get("/more", sync_to_thread=False)
    def undeclared() -> str:
        return ""

    @get("/open", role=PUBLIC, sync_to_thread=False)
    def public() -> str:
        return ""

    @get("/called", role=SIGNED, sync_to_thread=False)
    def signed() -> str:
        return ""

    faults = (
        (undeclared, "/more declares no role"),
        (public, "/open is public but not on the list"),
        (signed, "/called takes signed calls but is not on the list"),
    )
    for handler, fault in faults:
        with pytest.raises(HeadwaterError, match=fault):
            build_app(door, [handler])


def test_a_token_is_taken_only_from_its_header(site, tokens):
    """A token in the address or as another scheme lets nobody in; a session cookie is no bearer."""
    assert site.ask(f"/api/v1/runs?token={tokens['admin']}").status == 401
    assert site.ask("/api/v1/runs", headers={"Authorization": f"Basic {tokens['admin']}"}).status == 401
    assert site.ask("/api/v1/runs", session=tokens["admin"]).status == 401


def test_a_token_that_is_revoked_stops_working_at_once(site, tokens, observatory):
    """The request after the revocation is refused."""
    from headwater.observatory.access import revoke_token

    assert site.ask("/api/v1/revision", token=tokens["viewer"]).status == 200
    revoke_token(observatory, "viewer")

    assert site.ask("/api/v1/revision", token=tokens["viewer"]).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, 403),
        ({"Origin": "SELF"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(site, observatory, headers, status):
    """With a session's cookie, only requests from our own pages change something."""
    session = redeem_link(observatory, create_login_link(observatory).reveal()).reveal()
    sent = {name: site.url if value == "SELF" else value for name, value in headers.items()}

    assert site.ask("/logout", "POST", session=session, headers=sent).status == status


def test_roles_are_a_ladder_and_ingest_stands_beside_it():
    """An admin may do what a viewer may; ingest may do only what asks for ingest."""
    may = {(role, least) for role in Role for least in Role if role.includes(least)}

    assert may == {
        ("viewer", "viewer"),
        ("operator", "viewer"),
        ("operator", "operator"),
        ("admin", "viewer"),
        ("admin", "operator"),
        ("admin", "admin"),
        ("ingest", "ingest"),
    }
