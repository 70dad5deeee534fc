"""Who is limited to an account finds nothing of another one: every route, the live stream, and what people do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import product
from pathlib import Path
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

import pytest
import urllib3
from sqlalchemy import event, select, update
from web_people import log_in_as, log_in_named

import headwater
from cloud import Cloud, running_cloud, serving, watching
from conftest import Site
from headwater.errors import NotAllowed, NotKnown
from headwater.model.account import AccountStatus
from headwater.model.secret import Secret
from headwater.observatory import access, users
from headwater.observatory.access import Role
from headwater.observatory.accounts import add_account
from headwater.observatory.audit import Actor
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.explorer import LineageQuestion
from headwater.observatory.holder import Observatory
from headwater.observatory.incidents import IncidentQuestion, annotate, list_incidents
from headwater.observatory.references import NodeQuestion
from headwater.observatory.runs import RunFilter, list_runs
from headwater.observatory.syncing import sync_accounts
from headwater.store import inbox
from headwater.store.access import list_api_tokens
from headwater.store.accounts import find_account, raise_revision, save_connection
from headwater.store.aliases import save_alias
from headwater.store.inventory import list_account_jobs, list_projects
from headwater.store.overrides import save_override
from headwater.store.schema import jobs, metadata
from headwater.store.sync_passes import list_passes
from headwater.store.writing import Scope
from headwater.web.app import build_app
from headwater.web.door import open_door

OURS, THEIRS = "lisbon", "zanzibar"
OURSELVES = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
LIMITED = [f"{role} by {means}" for role, means in product(("viewer", "operator"), ("login", "token"))]
WORD = re.compile(r"[A-Za-z0-9_]{5,}")
PACKAGE = Path(headwater.__file__).parent


@dataclass(frozen=True)
class Things:
    """What addresses and questions may name of an account."""

    name: str
    key: int
    run_id: int
    job_id: int
    project: str
    environment_id: int
    unique_id: str
    relation: str
    incident: str

    @property
    def parts(self) -> dict[str, str]:
        """What stands in an address for each of its parts."""
        return {
            "{account:str}": self.name, "{document:str}": str(self.run_id), "{run_id:int}": str(self.run_id),
            "{job_id:int}": str(self.job_id), "{incident:str}": self.incident, "{picture:str}": f"{self.job_id}.svg",
            "{hook_id:str}": "hook", "{name:str}": "nobody", "{path:str}": "openapi.json",
            "{file_path:path}": "app.css",
        }  # fmt: skip

    @property
    def questions(self) -> list[dict[str, str]]:
        """Queries that name these things, each alone and together."""
        node = {"ref": self.unique_id}
        here = {"account": self.name, "project": self.project, "environment": str(self.environment_id)}
        return [
            {}, node, {**node, **here}, {**node, "account": self.name}, {**node, "direction": "both", "depth": "9"},
            {"account": self.name}, {"project": self.project}, {"environment": str(self.environment_id)},
            {"job": str(self.job_id)}, {"table": self.relation}, {"table": self.relation, "account": self.name},
            {"text": self.unique_id.rpartition(".")[2]},
            {"text": str(self.run_id)}, {"run": str(self.run_id)},
            {**node, "run": str(self.run_id)},
            {"state": "all", "days": "30", "limit": "500"}, {"table": self.relation.rpartition(".")[2]},
        ]  # fmt: skip


@dataclass(frozen=True)
class World:
    """Two accounts that share nothing, and who may see one of them."""

    cloud: Cloud
    observatory: Observatory
    site: Site
    ours: Things
    theirs: Things
    canaries: frozenset[str]
    logins: dict[str, dict[str, str]] = field(default_factory=dict)

    def ask(self, caller: str, path: str, method: str = "GET", **query: str):
        """Ask as one of those who are limited, or as the admin."""
        sent = f"{path}?{urlencode(query)}" if query else path
        body = (b'{"note": "seen"}' if path.startswith("/api/") else b"note=seen") if method == "POST" else None
        return self.site.ask(sent, method, headers=OURSELVES, body=body, **self.logins[caller])

    def leaks(self, reply, *asked: str) -> set[str]:
        """Find what an answer says of the other account, but for what was asked with."""
        known = {word for text in asked for word in WORD.findall(unquote_plus(text))}
        text = f"{reply.text} {unquote_plus(str(reply.headers))}"
        return (set(WORD.findall(text)) & self.canaries) - known

    @cached_property
    def routes(self) -> list[tuple[str, str]]:
        """Every route of the application, with its method."""
        app = build_app(open_door(self.observatory))
        served = {(method, route.path) for route in app.routes for method in route.methods}
        return sorted((method, path) for method, path in served if method not in {"OPTIONS", "HEAD"})


def address_of(route: str, things: Things, act: str = "rerun") -> str:
    """Give an address of a route."""
    if route.startswith("/jobs/") or "/jobs/" in route:
        route = route.replace("{document:str}", str(things.job_id))
    if "incidents" in route:
        act = "acknowledge"
    if route.startswith("/accounts/"):
        act = "pause"
    for part, value in {**things.parts, "{act:str}": act}.items():
        route = route.replace(part, quote(value, safe=""))
    return route


def read_words(observatory: Observatory, account_key: int) -> set[str]:
    """Read every word of every row of an account."""
    found: set[str] = set()
    with observatory.store.read() as tx:
        for table in metadata.sorted_tables:
            if "account_key" in table.c:
                for row in tx.execute(select(table).where(table.c.account_key == account_key)):
                    found |= {
                        word for value in row if not isinstance(value, bytes) for word in WORD.findall(str(value))
                    }
    return found


def find_canaries(observatory: Observatory, ours: Things, theirs: Things) -> frozenset[str]:
    """Find the words that only the other account has: its names, ids and hashes, not the words of our own pages."""
    said = {word for file in PACKAGE.rglob("*.*") if file.suffix in {".py", ".html", ".js", ".css", ".svg"}
            for word in WORD.findall(file.read_text())}  # fmt: skip
    only = read_words(observatory, theirs.key) - read_words(observatory, ours.key) - said
    ids = {word for word in only if word.isdigit() and len(word) >= 9}
    return frozenset({word for word in only if not word.isdigit()} | ids)


def add_marks(observatory: Observatory, name: str) -> None:
    """Give the other account what a sync does not bring, each with words of its own."""
    now = observatory.store.now()
    with observatory.store.write() as tx:
        account = find_account(tx, name)
        assert account is not None
        key = account.account_key
        project = list_projects(tx, key)[0]
        for job in list_account_jobs(tx, key):
            here = (jobs.c.account_key == key) & (jobs.c.job_id == job.job_id)
            tx.execute(update(jobs).where(here).values(name=f"Quagga {job.name}"))
        save_alias(tx, account, "https://okapi.example", now)
        save_override(tx, Scope(key, project.project_id, 0), "tapir_table", "model.roastery.tapir_model", now)
        save_connection(tx, key, AccountStatus.FAILING, "Marabou said no.", now)
        what = f"run 7 of account {account.address.account_id} at https://okapi.example"
        inbox.add_body(tx, b"numbat", b"numbat", what, now + timedelta(days=3650))  # so that nobody tries it meanwhile
        inbox.note_body_error(tx, b"numbat", "Numbat could not be stored.")
    for incident in list_incidents(observatory, IncidentQuestion(account=name, states=())).incidents:
        annotate(observatory, incident.id, Actor(name="dugong"), "Axolotl looks at it.")


def find_things(observatory: Observatory, name: str) -> Things:
    """Find something of each kind in an account."""
    runs = list_runs(observatory, RunFilter(account=name), limit=200).runs
    run = next(run for run in runs if run.job_id and run.status == "success")
    nodes = list_catalog(observatory, CatalogFilter(account=name, resource_type="model"), limit=5).nodes
    incident = list_incidents(observatory, IncidentQuestion(account=name, states=())).incidents[0]
    with observatory.store.read() as tx:
        account = find_account(tx, name)
        assert account is not None
        project = list_projects(tx, account.account_key)[0]
    return Things(
        name=name,
        key=account.account_key,
        run_id=run.run_id,
        job_id=run.job_id,
        project=project.name,
        environment_id=run.environment_id,
        unique_id=nodes[0].unique_id,
        relation=nodes[0].relation or nodes[0].unique_id,
        incident=incident.id,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    """Two days of two accounts, one of which nothing may be found of."""
    folder = tmp_path_factory.mktemp("limited")
    with running_cloud(days=2) as cloud, watching(cloud, folder, accounts=0) as observatory:
        for name, account in zip((OURS, THEIRS), cloud.simulator.accounts, strict=True):
            token, url = Secret(account.token), cloud.simulator.url
            add_account(observatory, name, account_id=account.id, url=url, token=token, allow_private=True)
        sync_accounts(observatory)
        add_marks(observatory, THEIRS)
        ours, theirs = find_things(observatory, OURS), find_things(observatory, THEIRS)
        canaries = find_canaries(observatory, ours, theirs) | {"quagga", "Numbat", "numbat", "okapi"}
        with serving(observatory) as url, urllib3.PoolManager(maxsize=8) as pool:
            found = World(cloud, observatory, Site(urlsplit(url).port, pool), ours, theirs, canaries)
            log_in(found)
            yield found


def log_in(world: World) -> None:
    """Let the admin in, a viewer and an operator of our account, each by login and by token, and a viewer of theirs."""
    observatory, logins = world.observatory, world.logins
    logins["admin"] = {"session": log_in_as(observatory, Role.ADMIN)}
    for role in (Role.VIEWER, Role.OPERATOR):
        users.add_user(observatory, f"some-{role}", role, accounts=[OURS])
        logins[f"{role} by login"] = {"session": log_in_as(observatory, role)}
        _, secret = access.create_token(observatory, f"some-{role}", role, accounts=[OURS])
        logins[f"{role} by token"] = {"token": secret.reveal()}
    _, secret = access.create_token(observatory, "theirs", Role.VIEWER, accounts=[THEIRS])
    logins["theirs"] = {"token": secret.reveal()}


def test_the_canaries_are_names_and_ids_of_everything(world):
    """They are many, of every kind, and an admin's answers are full of them: what follows can find them."""
    told = {
        path: world.leaks(world.ask("admin", path)) for path in ("/", "/runs", "/jobs", "/catalog", "/accounts.json")
    }
    node = world.ask("admin", "/nodes", ref=world.theirs.unique_id)
    incident = world.ask("admin", f"/incidents/{world.theirs.incident}")

    assert len(world.canaries) > 200
    assert {THEIRS, "Quagga", "okapi", "Marabou", "Axolotl", "dugong", "tapir_table", "Roastery", "roast_curves",
            str(world.theirs.run_id), str(world.theirs.job_id)} <= world.canaries  # fmt: skip
    assert all(told.values()), told
    assert {"okapi", "Numbat", "Marabou"} <= told["/accounts.json"]
    assert len(world.leaks(node)) > 10
    assert "Axolotl" in world.leaks(incident)


@pytest.mark.parametrize("caller", ["viewer by token", "operator by login"])
def test_no_route_says_anything_of_another_account(world, caller):
    """Every route with nothing, with our things and with theirs in address and query: no canary in any answer."""
    said = []
    for (method, route), things in product(world.routes, (world.ours, world.theirs)):
        address = address_of(route, things)
        if method == "POST" or route in {"/api/v1/events", "/static/{file_path:path}"}:
            continue
        for query in things.questions + ([] if things is world.ours else world.ours.questions[1:3]):
            reply = world.ask(caller, address, **query)
            found = world.leaks(reply, address, *query.values())
            assert not found, (address, query, found)
            assert reply.status != 500, (address, query)
            assert "reaches beyond" not in reply.text, (address, query)
            said.append(reply.status)

    assert said.count(200) > 300


@pytest.mark.parametrize("caller", LIMITED)
def test_what_is_of_another_account_is_not_there(world, caller):
    """An address or a query that names a thing of theirs is answered as one that names what never was."""
    never = {THEIRS: "zanzibat", str(world.theirs.run_id): "99999999999999", str(world.theirs.job_id): "88888888888888",
             world.theirs.incident: "9-1"}  # fmt: skip
    seen = []
    for method, route in world.routes:
        parts = {part for part in ("{account:str}", "{incident:str}") if part in route}
        if not parts:
            continue
        address = nothing = address_of(route, world.theirs)
        for value, other in never.items():
            nothing = nothing.replace(value, other)
        reply, of_nothing = world.ask(caller, address, method), world.ask(caller, nothing, method)
        text, expected = reply.text, of_nothing.text
        for value, other in never.items():
            text, expected = text.replace(value, "…"), expected.replace(other, "…")

        assert reply.status == of_nothing.status, address
        assert reply.status in {403, 404}, address
        assert text == expected, address
        seen.append(reply.status)

    assert seen.count(404) >= (16 if caller.startswith("operator") else 9)


def test_queries_for_things_of_theirs_find_nothing(world):
    """Nodes, lineage, badges, impact, why, matches, runs and incidents by their names: 404, or an empty list."""
    ref = {"ref": world.theirs.unique_id}
    where = {"account": THEIRS}
    for path in ("/nodes", "/nodes.json", "/impact.json", "/why.json", "/lineage", "/lineage.json", "/lineage.svg",
                 "/api/v1/lineage/states", "/badges/nodes.svg"):  # fmt: skip
        assert world.ask("admin", path, **ref).status == 200, path
        assert world.ask("viewer by login", path, **ref).status == 404, path
        assert world.ask("viewer by login", path, **ref, **where).status == 404, path
        own = {"ref": world.ours.unique_id, "account": OURS}
        assert world.ask("viewer by login", path, **own).status == 200, path
    for path in ("/runs.json", "/catalog.json", "/incidents.json"):
        assert world.ask("viewer by login", path, **where).status == 404, path
    assert world.ask("viewer by login", "/api/v1/search", text=world.theirs.unique_id.rpartition(".")[2]).status == 200


@pytest.mark.parametrize("caller", LIMITED)
def test_numbers_count_our_account_alone(world, caller):
    """The counts of the overview, of the catalogue and of what is stored are those of our account."""
    everything = {
        path: world.ask("admin", path).json for path in ("/overview.json", "/catalog.json", "/settings/about.json")
    }
    ours = {path: world.ask(caller, path).json for path in everything}
    own_runs = world.ask("admin", "/runs.json", account=OURS).json["total"]
    accounts = world.ask(caller, "/accounts.json").json

    assert [account["account"] for account in ours["/overview.json"]["accounts"]] == [OURS]
    assert ours["/catalog.json"]["total"] < everything["/catalog.json"]["total"]
    assert (ours["/settings/about.json"]["accounts"], ours["/settings/about.json"]["runs"]) == (1, own_runs)
    assert world.ask(caller, "/runs.json").json["total"] == own_runs
    assert accounts["inbox"] == {"waiting": 0, "faults": []}
    assert ours["/overview.json"]["incidents"]["open"] < everything["/overview.json"]["incidents"]["open"]
    assert world.ask(caller, "/settings.json").json["accounts"] == [OURS]
    assert OURS in world.ask(caller, "/settings").text


def test_what_was_shown_to_one_is_not_shown_to_another(world):
    """Pages that are remembered were asked for by the admin before; two limits on other accounts do not mix either."""
    for path in ("/catalog.json", "/lineage.json", "/jobs.json", "/overview.json"):
        for caller, things in (("admin", world.theirs), ("viewer by token", world.ours), ("theirs", world.theirs)) * 2:
            query = {"ref": things.unique_id, "account": things.name} if "lineage" in path else {}
            reply = world.ask(caller, path, **query)
            found = world.leaks(reply)
            assert bool(found) == (caller != "viewer by token") or reply.status == 404, (path, caller, found)
            assert caller != "theirs" or OURS not in reply.text


@contextmanager
def listening(world: World, caller: str):
    """Open the live stream and give a way to wait for the next revision it tells."""
    headers = {"Authorization": f"Bearer {world.logins[caller]['token']}"}
    url = f"{world.site.url}/api/v1/events"
    with world.site.pool.request("GET", url, headers=headers, preload_content=False, timeout=60) as reply:
        lines = (line for chunk in reply.stream() for line in chunk.decode().splitlines())
        yield lambda: int(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))


def test_the_live_stream_is_silent_about_another_account(world):
    """A change of theirs is not told, the next change of ours is; the numbers are those of our account alone."""
    asked = world.ask("viewer by token", "/api/v1/revision").json["revision"]
    with listening(world, "viewer by token") as following:
        first = following()
        with world.observatory.store.write() as tx:
            raise_revision(tx, world.theirs.key)
        with listening(world, "theirs") as other:
            other()  # the one task has looked since, and the limited streams beside it
        with world.observatory.store.write() as tx:
            raise_revision(tx, world.ours.key)
        second = following()

    assert (first, second) == (asked, asked + 1)


def test_an_operator_acts_on_our_account_alone(world):
    """Rerun, retry, start, sync, acknowledge, note, resolve, pause: of theirs nothing is there, of ours they work."""
    theirs, ours = world.theirs, world.ours
    before = world.cloud.requests(), read_state(world)
    for caller, method in product(("operator by login", "operator by token"), ("page", "api")):
        api = "/api/v1" if method == "api" else ""
        acts = [f"{api}/runs/{THEIRS}/{theirs.run_id}/{act}" for act in ("rerun", "retry")]
        acts += [f"{api}/jobs/{THEIRS}/{theirs.job_id}/run", f"/accounts/{THEIRS}/sync"]
        acts += [
            f"{api}/incidents/{theirs.incident}/{act}" for act in ("acknowledge", "unacknowledge", "note", "resolve")
        ]
        assert {world.ask(caller, path, "POST").status for path in acts} == {404}, (caller, method)
        assert world.ask(caller, f"/accounts/{THEIRS}/pause", "POST").status == 403
    assert (world.cloud.requests(), read_state(world)) == before

    caller = "operator by login"
    assert world.ask(caller, f"/runs/{OURS}/{ours.run_id}/rerun", "POST").status == 303
    assert world.ask(caller, f"/api/v1/jobs/{OURS}/{ours.job_id}/run", "POST").status == 201
    assert world.ask(caller, f"/accounts/{OURS}/sync", "POST").status == 303
    assert world.ask("operator by token", f"/api/v1/incidents/{ours.incident}/acknowledge", "POST").status == 200
    assert world.ask(caller, f"/incidents/{ours.incident}/note", "POST").status == 303
    assert world.ask(caller, "/incidents/1-1.json").json["incident"]["account"] == OURS


def read_state(world: World) -> str:
    """Read what acts on the other account would change."""
    with world.observatory.store.read() as tx:
        account = find_account(tx, THEIRS)
        assert account is not None
        passes = list_passes(tx, account.account_key, limit=50)
    incident = world.ask("admin", f"/incidents/{world.theirs.incident}.json").json
    return f"{account} {passes} {incident['timeline']} {incident['incident']['state']}"


def test_even_an_admins_act_is_refused_behind_a_limited_door(world):
    """Should a route forget who may use it, the store does not: what is of all accounts cannot be written."""
    limited = open_door(world.observatory).limited_to(frozenset({world.ours.key}))
    by = Actor(name="nobody")

    with pytest.raises(NotAllowed):
        limited.people.create_token("x", Role.ADMIN, by=by)
    with pytest.raises(NotKnown):
        limited.remove_account(THEIRS, by=by)
    with pytest.raises(NotKnown):
        limited.set_followed(THEIRS, is_paused=True, by=by)
    with world.observatory.store.read() as tx:
        assert "x" not in {token.name for token in list_api_tokens(tx)}


def test_whose_limit_changes_sees_the_change_at_once(world):
    """The session ends with the change; lifted, everything is there, and an account that is gone leaves nothing."""
    observatory = world.observatory
    users.add_user(observatory, "carl", Role.VIEWER, accounts=[THEIRS])
    link = users.list_users(observatory)
    carl = next(user for user in link.users if user.name == "carl")
    sessions = [log_in_named(observatory, "carl")]
    first = world.site.ask("/accounts.json", session=sessions[0]).json
    users.set_accounts(observatory, "carl", [OURS])
    ended = world.site.ask("/accounts.json", session=sessions[0]).status
    second = world.site.ask("/accounts.json", session=log_in_named(observatory, "carl")).json
    users.set_accounts(observatory, "carl", None)
    third = world.site.ask("/accounts.json", session=log_in_named(observatory, "carl")).json

    assert carl.accounts == (THEIRS,)
    assert ended == 401
    assert [[one["account"] for one in told["accounts"]] for told in (first, second, third)] == [
        [THEIRS],
        [OURS],
        [OURS, THEIRS],
    ]


def test_somebody_who_is_limited_looks_after_himself(world):
    """Password, proof, logins and log out are one's own and work as for everybody."""
    observatory, site, password = world.observatory, world.site, "correct horse battery"
    users.add_user(observatory, "dora", Role.OPERATOR, accounts=[OURS])

    def send(path: str, session: str, **fields: str):
        return site.ask(path, "POST", session=session, headers=OURSELVES, body=urlencode(fields))

    def session_of(reply) -> str:
        return reply.headers["set-cookie"].partition(";")[0].partition("=")[2]

    first = log_in_named(observatory, "dora")
    changed = send("/settings/password", first, new=password, again=password)
    proved = send("/confirm", session_of(changed), password=password, then="/settings")
    page = site.ask("/settings", session=session_of(proved))
    refused = send("/settings/users/dora/accounts", session_of(proved), sees="all")
    left = send("/settings/logout", session_of(proved))

    assert [reply.status for reply in (changed, proved, page, refused, left)] == [303, 303, 200, 403, 303]
    assert f"everything of {OURS} and act" in page.text
    assert site.ask("/settings.json", session=session_of(proved)).status == 401


def test_queries_stay_indexed_and_an_unlimited_caller_asks_as_before(world):
    """Behind a limit no table is read whole that was not before, none is copied first, and hardly more is asked."""
    whole = open_door(world.observatory)
    limited = whole.limited_to(frozenset({world.ours.key}))
    asked = [list_plans(world, door) for door in (whole, limited)]
    scanned = [{line.replace("main.", "").split(" USING")[0] for plan in plans.values() for line in plan
                if line.startswith("SCAN ") and "CONSTANT" not in line} for plans in asked]  # fmt: skip
    copied = {
        line.split()[1] for plan in asked[1].values() for line in plan if line.startswith(("MATERIALIZE", "CO-ROUTINE"))
    }

    assert not [sql for sql in asked[0] if "NOT MATERIALIZED" in sql]
    assert [sql for sql in asked[1] if "NOT MATERIALIZED" in sql]
    assert len(asked[1]) <= len(asked[0]) + 5
    assert not copied & {table.name for table in metadata.sorted_tables}
    tables = {f"SCAN {table.name}" for table in metadata.sorted_tables}
    assert (scanned[1] & tables) <= scanned[0]


def list_plans(world: World, door) -> dict[str, list[str]]:
    """List the statements that pages of our account need, each with how SQLite goes about it."""
    told: dict[str, object] = {}
    engine = world.observatory.store.engine

    def note(_connection, _cursor, statement, parameters, *_):
        told.setdefault(statement, parameters)

    event.listen(engine, "after_cursor_execute", note)
    try:
        ask_everything(world.ours, door)
    finally:
        event.remove(engine, "after_cursor_execute", note)
    with engine.connect() as connection:
        return {
            sql: [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            for sql, parameters in told.items()
            if sql.startswith(("SELECT", "WITH"))
        }


def ask_everything(things: Things, door) -> None:
    """Ask what the pages ask of one account."""
    node = NodeQuestion(ref=things.unique_id, account=things.name)
    door.get_overview(7)
    door.list_runs(RunFilter(account=things.name), 50, 0)
    door.get_run(things.name, things.run_id)
    door.list_jobs(7)
    door.get_job(things.name, things.job_id, 14)
    door.get_account(things.name)
    door.get_node(node, False)
    door.get_full_node(node, False)
    door.get_impact(node, False)
    door.get_verdict(node)
    door.get_lineage(LineageQuestion(ref=things.unique_id, account=things.name))
    door.get_lineage_states(LineageQuestion(ref=things.unique_id, account=things.name))
    door.get_incident(things.incident)
    door.match_table(things.relation, things.name, None, None)
