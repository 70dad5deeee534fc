"""The documents: the JSON beside each page, its description, and what the SDK hands in."""

from dataclasses import fields
from datetime import UTC, datetime
from functools import partial

import pytest
import web_reports

from headwater.collect import CollectedTarget, encode
from headwater.errors import StoreBusy, WrongUse
from headwater.model.account import ANY_ORIGIN, AccountAddress
from headwater.observatory import access, inbox
from headwater.observatory.access import Role
from headwater.observatory.runs import RunFilter
from headwater.web import api
from headwater.web.door import Door, open_door
from headwater.web.filters import read_runs_question

TWINS = {
    "/overview.json": "/api/v1/overview",
    "/runs.json": "/api/v1/runs",
    "/runs/acme/7.json": "/api/v1/runs/acme/7",
    "/jobs.json": "/api/v1/jobs",
    "/accounts.json": "/api/v1/accounts",
    "/catalog.json": "/api/v1/catalog",
}


@pytest.mark.parametrize("path", TWINS)
def test_each_page_has_a_document_and_the_api_has_the_same(site, tokens, path):
    """The document beside a page is that of the API."""
    beside, under = (site.ask(address, token=tokens["viewer"]) for address in (path, TWINS[path]))

    assert beside.status == 200
    assert beside.headers["content-type"] == "application/json"
    assert beside.json == under.json


def test_times_are_in_utc_and_nothing_is_lost(site, tokens):
    """A run's document has every field of its report; times are ISO-8601 in UTC, spans are seconds."""
    document = site.ask("/api/v1/runs/acme/7", token=tokens["viewer"]).json

    assert set(document) == set(web_reports.RunReport.__dataclass_fields__)
    assert document["as_of"] == "2026-11-20T12:04:31Z"
    assert document["elapsed_seconds"] == 128.0
    assert document["executions"][7]["is_failed"] is True


def test_what_a_form_left_empty_was_not_asked():
    """An empty field does not filter; a time without an offset is in UTC, as the page says."""
    asked = read_runs_question({"account": " acme ", "job": "", "status": " ", "created_from": "2026-11-20T06:00"})

    assert asked.runs == RunFilter(account="acme", created_from=datetime(2026, 11, 20, 6, tzinfo=UTC))
    assert asked.link(offset=50) == "/runs?account=acme&created_from=2026-11-20T06%3A00&offset=50"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "ten"},
        {"offset": "-1"},
        {"offset": "９"},
        {"created_to": "9999-99-99"},
        {"created_from": "0001-01-01T00:00+23:59"},
    ],
)
def test_what_cannot_be_read_is_said(query):
    """A part of the query that means nothing ends in a sentence that names it."""
    (name,) = query
    with pytest.raises(WrongUse, match=f"^{name} is not"):
        read_runs_question(query)


def test_the_filter_of_the_address_reaches_the_question(serve_door, tokens):
    """Page and document ask the observatory what the address says."""
    asked = []

    def list_runs(*question):
        asked.append(question)
        return web_reports.make_runs(2, 0)

    query = "?account=acme&status=error&job=nightly&created_to=2026-11-20T06:00Z&text=a%26b&limit=2&offset=4"
    with serve_door(list_runs=list_runs) as site:
        for path in ("/runs", "/runs.json", "/api/v1/runs"):
            assert site.ask(path + query, token=tokens["viewer"]).status == 200

    wanted = RunFilter(
        account="acme", status="error", job="nightly", created_to=datetime(2026, 11, 20, 6, tzinfo=UTC), text="a&b"
    )
    assert asked == [(wanted, 2, 4)] * 3


def test_errors_are_documents_that_say_what_to_do(site, serve_door, tokens):
    """A run that is not there, a wrong query and a database that is busy each have a sentence and a hint."""

    def list_jobs(_days):
        raise StoreBusy("The database is being written.", hint="Try again.")

    with serve_door(list_jobs=list_jobs) as busy:
        answers = [
            (site.ask("/api/v1/runs/acme/404", token=tokens["viewer"]), 404, "There is no run 404."),
            (site.ask("/runs/acme/404.json", token=tokens["viewer"]), 404, "There is no run 404."),
            (
                site.ask("/overview.json?days=0", token=tokens["viewer"]),
                400,
                "days is not a whole number from 1 to 90.",
            ),
            (busy.ask("/api/v1/jobs", token=tokens["viewer"]), 503, "The database is being written."),
        ]

    for reply, status, message in answers:
        assert reply.status == status
        assert reply.json["error"]["message"] == message


def test_what_the_sdk_hands_in_is_passed_on_whole(serve_door, tokens, observatory):
    """The bytes of a run reach the observatory as they came, with what the token is for; the answer, 202, names it."""
    received = []

    def accept(body, *, only):
        received.append((body, only))
        return api.AcceptReport(run_id=7, is_new=True, accepted_at=web_reports.NOW)

    body = bytes(range(256)) * 4096
    _, of_one = access.create_token(observatory, "of one account", Role.INGEST, account_id=7)
    with serve_door(accept=accept) as site:
        reply = site.ask("/api/v1/collected", "POST", token=tokens["ingest"], body=body)
        site.ask("/api/v1/collected", "POST", token=of_one.reveal(), body=b"of one")

    assert reply.status == 202
    assert reply.json == {
        "run_id": 7,
        "is_new": True,
        "accepted_at": web_reports.NOW.isoformat().replace("+00:00", "Z"),
    }
    assert received == [(body, None), (b"of one", (AccountAddress(ANY_ORIGIN, 7),))]


def test_a_run_that_a_token_may_not_hand_in_is_a_403(serve_door, observatory):
    """The answer says which account the token is for."""
    _, of_one = access.create_token(observatory, "of one account", Role.INGEST, account_id=7)
    accept = partial(inbox.accept, observatory)
    body = encode(CollectedTarget(files=(), collected_at=web_reports.NOW))
    with serve_door(accept=accept) as site:
        reply = site.ask("/api/v1/collected", "POST", token=of_one.reveal(), body=body)

    assert reply.status == 403
    assert reply.json["error"]["message"].startswith("This token hands in runs of account 7 only")


def test_more_than_the_cap_is_refused(site, tokens):
    """A body that says it is larger than the cap is refused before it is read."""
    size = str(api.COLLECTED_SIZE_LIMIT + 1)
    reply = site.ask("/api/v1/collected", "POST", token=tokens["ingest"], headers={"Content-Length": size})

    assert reply.status == 413


def test_the_openapi_document_describes_every_document(site, tokens):
    """Each path of the API stands in the description, with its parameters."""
    described = site.ask("/api/v1/openapi", token=tokens["viewer"]).json
    paths = set(described["paths"])

    assert set(TWINS.values()) - {"/api/v1/runs/acme/7"} <= paths
    assert {"/api/v1/runs/{account}/{run_id}", "/api/v1/collected", "/api/v1/revision", "/healthz"} <= paths
    names = {parameter["name"] for parameter in described["paths"]["/api/v1/runs"]["get"]["parameters"]}
    assert names == {*RunFilter.__dataclass_fields__, "limit", "offset"}


def test_a_match_is_asked_and_described(serve_door, site, tokens):
    """The table and what narrows the question reach it as written; hostile names are answered, none is refused."""
    asked = []

    def match_table(*question):
        asked.append(question)
        raise WrongUse("asked")

    with serve_door(match_table=match_table) as door:
        door.ask("/api/v1/match?table=%22a.b%22.c&account=acme&environment=", token=tokens["viewer"])
    hostile = [
        site.ask(f"/api/v1/match?table={name}", token=tokens["viewer"])
        for name in ("", "%22", "%00", "%F0%9F%92%A5.%60", "x" * 10_000, "%ff")
    ]
    unnamed = site.ask("/api/v1/match", token=tokens["viewer"])
    described = site.ask("/api/v1/openapi", token=tokens["viewer"]).json["paths"]["/api/v1/match"]["get"]

    assert asked == [('"a.b".c', "acme", None, None)]
    assert [reply.status for reply in hostile] == [200] * 6
    assert [(reply.json["matches"], reply.json["near"]) for reply in hostile] == [([], [])] * 6
    assert unnamed.status == 400
    assert {one["name"] for one in described["parameters"]} == {"table", "account", "project", "environment"}


def test_the_real_observatory_answers_behind_every_page(observatory, tokens, serve_door):
    """With nothing connected yet, the real questions answer every page and document."""
    real = open_door(observatory)
    with serve_door(**{field.name: getattr(real, field.name) for field in fields(Door)}) as site:
        paths = ("/", "/runs", "/jobs", "/accounts", "/catalog", *TWINS)
        answers = {path: site.ask(path, token=tokens["viewer"]) for path in paths}
        garbage = site.ask("/api/v1/collected", "POST", token=tokens["ingest"], body=b"\x00not a run")

    missing = {path for path, reply in answers.items() if reply.status != 200}
    assert missing == {"/runs/acme/7.json"}
    assert answers["/runs/acme/7.json"].json["error"]["message"] == "There is no account 'acme'."
    assert garbage.status == 400
