"""The guard: every route of the application as everybody who may come, and everybody who may not."""

from datetime import timedelta

import pytest
from litestar import get
from web_people import log_in_as

from headwater.errors import HeadwaterError
from headwater.observatory.access import Role
from headwater.observatory.sessions import create_login_link, redeem_link
from headwater.web.app import build_app
from headwater.web.guard import PUBLIC, SIGNED

READING = {"viewer", "operator", "admin"}
ROUTES = {
    ("GET", "/"): READING,
    ("GET", "/runs"): READING,
    ("GET", "/runs/{account:str}/{document:str}"): READING,
    ("GET", "/jobs"): READING,
    ("GET", "/jobs/{account:str}/{document:str}"): READING,
    ("GET", "/api/v1/jobs/{account:str}/{job_id:int}"): READING,
    ("POST", "/jobs/{account:str}/{document:str}/run"): {"operator", "admin"},
    ("POST", "/api/v1/jobs/{account:str}/{job_id:int}/run"): {"operator", "admin"},
    ("POST", "/runs/{account:str}/{document:str}/{act:str}"): {"operator", "admin"},
    ("POST", "/api/v1/runs/{account:str}/{run_id:int}/{act:str}"): {"operator", "admin"},
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
    ("GET", "/api/v1/events"): READING,
    ("GET", "/api/v1/search"): READING,
    ("GET", "/badges/nodes.svg"): READING,
    ("GET", "/badges/jobs/{account:str}/{picture:str}"): READING,
    ("GET", "/settings.json"): READING,
    ("GET", "/settings/users.json"): {"admin"},
    ("GET", "/settings/tokens.json"): {"admin"},
    ("GET", "/settings/webhooks.json"): {"admin"},
    ("GET", "/settings/retention.json"): READING,
    ("GET", "/settings/audit.json"): {"admin"},
    ("GET", "/settings/about.json"): READING,
    ("GET", "/api/v1/settings"): READING,
    ("GET", "/api/v1/settings/users"): {"admin"},
    ("GET", "/api/v1/settings/tokens"): {"admin"},
    ("GET", "/api/v1/settings/webhooks"): {"admin"},
    ("GET", "/api/v1/settings/audit"): {"admin"},
    ("GET", "/api/v1/settings/about"): READING,
    ("GET", "/api/v1/openapi"): READING,
    ("GET", "/api/v1/openapi/openapi.json"): READING,
    ("GET", "/api/v1/openapi/{path:str}"): READING,
    ("POST", "/api/v1/collected"): {"ingest"},
    ("POST", "/hooks/dbt/{hook_id:str}"): SIGNED,
    ("GET", "/settings"): READING,
    ("GET", "/settings/users"): {"admin"},
    ("GET", "/settings/tokens"): {"admin"},
    ("GET", "/settings/webhooks"): {"admin"},
    ("GET", "/settings/retention"): READING,
    ("GET", "/settings/audit"): {"admin"},
    ("GET", "/settings/about"): READING,
    ("POST", "/settings/password"): READING,
    ("POST", "/settings/logout"): READING,
    ("POST", "/settings/users"): {"admin"},
    ("POST", "/settings/users/{name:str}/{act:str}"): {"admin"},
    ("POST", "/settings/tokens"): {"admin"},
    ("POST", "/settings/tokens/{name:str}/revoke"): {"admin"},
    ("GET", "/confirm"): READING,
    ("POST", "/confirm"): READING,
    ("POST", "/logout"): READING,
    ("GET", "/login"): PUBLIC,
    ("POST", "/login"): PUBLIC,
    ("GET", "/login/provider"): PUBLIC,
    ("GET", "/login/callback"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/static/{file_path:path}"): PUBLIC,
}
CALLERS = ("viewer", "operator", "admin", "ingest", "revoked", "expired", "anonymous", "forged")
PROVED = {
    ("POST", "/settings/users"),
    ("POST", "/settings/users/{name:str}/{act:str}"),
    ("POST", "/settings/tokens"),
    ("POST", "/settings/tokens/{name:str}/revoke"),
    ("POST", "/accounts"),
    ("POST", "/accounts/{account:str}/token"),
}
"""What only a person does who proved lately who it is."""

FILL = {
    "{account:str}": "acme", "{document:str}": "7", "{run_id:int}": "7", "{job_id:int}": "12",
    "{file_path:path}": "app.css",
    "{hook_id:str}": "hook", "{act:str}": "pause", "{name:str}": "nobody", "{path:str}": "openapi.json",
    "{incident:str}": "1-1", "{picture:str}": "7.svg",
}  # fmt: skip


def test_the_table_of_this_test_names_every_route(door):
    """A route that is added is a row here, or this fails."""
    app = build_app(door)
    served = {(method, route.path) for route in app.routes for method in route.methods}

    assert {(method, path) for method, path in served if method not in {"OPTIONS", "HEAD"}} == set(ROUTES)


def fill(path: str) -> str:
    """Give an address of a route."""
    for name, value in FILL.items():
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_it_declares_and_nobody_else(site, tokens, caller):
    """Each route × each API token: 401 for who is nobody, 403 for the wrong role, and else an answer."""
    token = {"anonymous": None, "forged": "hw_a_" + "0" * 38}.get(caller, tokens.get(caller))
    for (method, path), allowed in ROUTES.items():
        reply = site.ask(fill(path), method, token=token, headers={"Sec-Fetch-Site": "same-origin"})
        refused = reply.status in {401, 403} and not path.startswith("/login")
        is_sent_to_login = reply.status == 303 and reply.headers["location"] == "/login" and path != "/logout"

        if allowed == SIGNED:
            assert (reply.status, reply.json) == (401, {"status": "refused"}), (method, path)
        elif (method, path) in PROVED and caller in READING:
            assert reply.status == 403, (method, path)
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


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_every_route_lets_a_person_in_by_its_role(site, observatory, role):
    """Each route × each role of people who have just logged in: the wrong role is a page with 403."""
    for (method, path), allowed in ROUTES.items():
        session = log_in_as(observatory, role)
        reply = site.ask(fill(path), method, session=session, headers={"Sec-Fetch-Site": "same-origin"})

        if allowed == SIGNED:
            assert reply.status == 401, (method, path)
        elif allowed == PUBLIC or role in allowed:
            assert reply.status not in {401, 403} or path in {"/login", "/login/callback", "/confirm"}, (method, path)
            assert not reply.headers.get("location", "").startswith("/confirm"), (method, path)
        else:
            assert reply.status == 403, (method, path)


def test_head_and_options_open_nothing_that_get_does_not(site, tokens, observatory):
    """HEAD is refused where GET is; OPTIONS tells nobody anything who may not read; no answer allows another origin."""
    session = log_in_as(observatory, Role.VIEWER)
    for path in {path for _, path in ROUTES}:
        sent = {"Origin": "https://evil.example"}
        nobody = site.ask(fill(path), "HEAD", headers=sent)
        wrong = site.ask(fill(path), "HEAD", token=tokens["ingest"], headers=sent)
        asked = site.ask(fill(path), "OPTIONS", headers=sent)
        person = site.ask(fill(path), "OPTIONS", session=session, headers=sent)
        is_public = path.startswith("/login") or ROUTES.get(("GET", path)) == PUBLIC
        has_get = ("GET", path) in ROUTES

        assert (nobody.status == 405) is not has_get, path
        assert is_public or nobody.status in {303, 401, 405}, path
        assert is_public or wrong.status in {403, 405}, path
        assert asked.status in ({204, 303, 401} if is_public or "hooks" in path else {303, 401}), path
        assert person.status == 204, path
        for reply in (nobody, wrong, asked, person):
            assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


def test_what_needs_a_proof_is_declared_and_asks_for_it(site, door, timed_door, clock):
    """Eleven minutes after the login the forms of users, tokens and secrets lead to the proof; the others do not."""
    app = build_app(door)
    declared = {
        (method, route.path)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
        if handler.opt.get("proof")
    }
    assert declared == PROVED
    with timed_door() as (running, timed):
        session = log_in_as(timed, Role.ADMIN)
        clock.now += timedelta(minutes=11)
        for method, path in sorted(PROVED):
            reply = running.ask(fill(path), method, session=session, headers={"Sec-Fetch-Site": "same-origin"})

            assert reply.status == 303, path
            assert reply.headers["location"] == "/confirm?then=" + "/".join(fill(path).split("/")[:3])


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
