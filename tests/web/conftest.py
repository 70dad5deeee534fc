"""The web application over real sockets, with the real store behind its guard, and Debian's chromium before it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
import web_incident_reports
import web_node_reports
import web_reports
from web_search_reports import make_search

from headwater.config import Settings
from headwater.errors import NotKnown, WrongUse
from headwater.observatory import access, matching, webhooks
from headwater.observatory.access import Role
from headwater.observatory.audit import Actor
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.inbox_reports import AcceptReport
from headwater.observatory.reports import CheckReport
from headwater.web.app import build_app
from headwater.web.door import Door
from headwater.web.guard import COOKIE
from headwater.web.people import open_people
from headwater.web.serve import listen, make_server
from headwater.web.shield import shield

CHROMIUM = "/usr/bin/chromium"


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Site:
    """A running web application, and how to speak to it."""

    port: int
    pool: urllib3.PoolManager

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", *, token=None, session=None, headers=None, body=None) -> Reply:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if session is not None:
            sent["Cookie"] = f"{COOKIE}={session}"
        reply = self.pool.request(
            method, self.url + path, headers=sent, body=body, redirect=False, retries=False, preload_content=False
        )
        is_endless = reply.headers.get("content-type", "").startswith("text/event-stream") and method != "HEAD"
        content = b"" if is_endless else reply.read()
        (reply.close if is_endless else reply.release_conn)()
        return Reply(reply.status, reply.headers, content)


@pytest.fixture
def observatory(tmp_path: Path) -> Iterator[Observatory]:
    with open_observatory(Settings(data_folder=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
def door(observatory: Observatory) -> Door:
    """Reports of our own making behind the real tokens and sessions."""

    def get_run(account: str, run_id: int):
        if run_id == 404:
            raise NotKnown("There is no run 404.", hint="See the runs.")
        changes = web_node_reports.make_changes()
        return web_reports.make_run_report(run_id=run_id, account=account, changes=changes)

    def get_incident(incident_id: str):
        if incident_id == "1-404":
            raise NotKnown("There is no incident '1-404'.", hint="See the incidents.")
        return web_incident_reports.make_incident({"1-2": "acknowledged", "1-3": "resolved"}.get(incident_id, "open"))

    def annotate(_id: str, by: Actor, note: str):
        if not note.strip():
            raise WrongUse("The note is empty.", hint="Write what is to be known.")
        return web_incident_reports.make_incident(by=by.name, note=note)

    def limited_to(_keys):
        raise AssertionError("nobody who comes to these reports is limited")

    return Door(
        get_overview=web_reports.make_overview,
        list_runs=lambda _asked, limit, offset: web_reports.make_runs(limit, offset),
        get_run=get_run,
        list_jobs=web_reports.make_jobs,
        get_job=lambda account, job_id, days: web_reports.make_job(days, account=account, job_id=job_id),
        rerun=lambda account, run_id, _by: web_reports.make_started(account, run_id + 1),
        retry=lambda account, run_id, _by: web_reports.make_started(account, run_id + 1, retrying_run_id=run_id),
        start_job=lambda account, _job_id, _by: web_reports.make_started(account, 300_412_991),
        list_accounts=web_reports.make_accounts,
        get_account=web_reports.make_account_report,
        add_account=lambda name, _account_id, _url, _token, _by: web_reports.make_account_report(name),
        set_filter=lambda name, _chosen, **_: web_reports.make_account_report(name),
        set_followed=lambda name, *, is_paused, **_: web_reports.make_account_report(name, is_paused=is_paused),
        set_history=lambda _name, _days, **_: None,
        set_token=lambda _name, _token, **_: CheckReport(lines=(), is_usable=True),
        sync_now=lambda _name, _by: None,
        remove_account=lambda _name, *, by: "",  # noqa: ARG005
        get_node=lambda _asked, _shown: web_node_reports.make_node(),
        get_full_node=lambda _asked, _shown: web_node_reports.make_full_node(),
        get_impact=lambda _asked, _shown: web_node_reports.make_impact(),
        get_verdict=lambda _asked: web_node_reports.make_verdict(),
        get_lineage=lambda _asked: web_node_reports.make_lineage(),
        get_lineage_states=lambda _asked: web_node_reports.make_lineage_states(),
        prepare_lineage=lambda: None,
        list_catalog=lambda _asked, limit, offset: web_node_reports.make_catalog(limit, offset),
        list_incidents=lambda asked, _limit: web_incident_reports.make_incidents(asked),
        get_incident=get_incident,
        acknowledge=lambda _id, by, note: web_incident_reports.make_incident("acknowledged", by=by.name, note=note),
        unacknowledge=lambda _id, by, note: web_incident_reports.make_incident("open", by=by.name, note=note),
        annotate=annotate,
        resolve=lambda _id, by, note: web_incident_reports.make_incident("resolved", by=by.name, note=note),
        match_table=lambda table, account, project, environment: matching.match_table(
            observatory, table, account=account, project=project, environment=environment
        ),
        search=make_search,
        get_revision=lambda: 41,
        accept=lambda _body, **_: AcceptReport(run_id=7, is_new=True, accepted_at=web_reports.NOW),
        hear=lambda hook_id, body, signature: webhooks.hear(observatory, hook_id, body, signature),
        people=open_people(observatory),
        limited_to=limited_to,
    )


@contextmanager
def run_site(door: Door, allowed_hosts=()) -> Iterator[Site]:
    """Serve a door on a free port."""
    server = make_server(shield(build_app(door), allowed_hosts))
    with listen("127.0.0.1", 0) as listener, urllib3.PoolManager() as pool:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Site(listener.getsockname()[1], pool)
        finally:
            pool.clear()
            server.should_exit = True
            thread.join()


@pytest.fixture
def site(door: Door) -> Iterator[Site]:
    with run_site(door) as running:
        yield running


@pytest.fixture
def serve_door(door: Door):
    """Serve the door with some of it changed."""

    @contextmanager
    def serve(*, allowed_hosts=(), **changes):
        with run_site(replace(door, **changes), allowed_hosts) as running:
            yield running

    return serve


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(tmp_path, clock):
    """An observatory on a clock that the test moves."""
    with open_observatory(Settings(data_folder=tmp_path / "timed"), clock=clock) as opened:
        yield opened


@pytest.fixture
def timed_door(timed, door):
    """Serve the door with people and clock of the test's own; gives the site and the observatory."""

    @contextmanager
    def serve():
        with run_site(replace(door, people=open_people(timed))) as running:
            yield running, timed

    return serve


@pytest.fixture
def tokens(observatory: Observatory) -> dict[str, str]:
    """An API token of each role, one revoked and one expired."""
    made = {role: access.create_token(observatory, role, role)[1].reveal() for role in Role}
    made["revoked"] = access.create_token(observatory, "revoked", Role.ADMIN)[1].reveal()
    access.revoke_token(observatory, "revoked")
    made["expired"] = access.create_token(observatory, "expired", Role.ADMIN, lifetime=timedelta(0))[1].reveal()
    return {str(name): secret for name, secret in made.items()}


@pytest.fixture(scope="session")
def browser():
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing; the pages were not tried in a browser")
        pytest.skip(f"{CHROMIUM} is missing")
    from playwright.sync_api import sync_playwright

    arguments = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    more = "--disable-component-update --disable-sync"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=f"{arguments} {more}".split())
        yield chromium
        chromium.close()
