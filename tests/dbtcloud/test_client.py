"""The client over HTTP that a test scripts: what it asks for, how it pages, waits and gives up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from evil_server import EvilServer, answer, says, then_resets

from headwater.dbtcloud.asking import RequestReport
from headwater.dbtcloud.client import Client
from headwater.dbtcloud.deadline import NoAnswer
from headwater.dbtcloud.query import RunQuery
from headwater.dbtcloud.retry import NO_RETRY, RetryPolicy
from headwater.dbtcloud.transport import HttpTransport, open_transport
from headwater.errors import (
    AccessDenied,
    AnswerUnreadable,
    DbtCloudError,
    NotVisible,
    RateLimited,
    ServerFault,
    TokenRejected,
)
from headwater.model.account import AccountAddress
from headwater.model.run import RunStatus
from headwater.model.secret import Secret

CANARY = "dbtc_canary-7f3a9"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HTML = b"<!DOCTYPE html><title>502 Bad Gateway</title>"


@dataclass
class World:
    """Time that passes only by sleeping, luck that is always the same, and a budget that writes down its claims."""

    now: datetime = NOON
    sleeps: list[float] = field(default_factory=list)
    claims: list[datetime] = field(default_factory=list)
    closed_until: list[datetime] = field(default_factory=list)
    reports: list[RequestReport] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += timedelta(seconds=seconds)

    def claim(self) -> None:
        self.claims.append(self.now)

    def block_until(self, moment: datetime) -> None:
        self.closed_until.append(moment)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with open_transport(deadline=5.0) as opened:
        yield opened


def client_of(server: EvilServer, transport: HttpTransport, world: World, *, metered: bool = True, **options) -> Client:
    return Client(
        AccountAddress(server.origin, 70437497968255),
        Secret(CANARY),
        transport,
        budget=world if metered else None,
        sleep=world.sleep,
        random=lambda: 0.5,
        clock=lambda: world.now,
        on_request=world.reports.append,
        **options,
    )


@contextmanager
def asked(world: World, transport: HttpTransport, *answers: bytes, **options) -> Iterator[tuple[Client, EvilServer]]:
    with EvilServer(says(*answers)) as server:
        yield client_of(server, transport, world, **options), server


def ok(data: object, total: int | None = None) -> bytes:
    extra = {} if total is None else {"pagination": {"count": 0, "total_count": total}}
    return answer(json.dumps({"status": {"code": 200}, "data": data, "extra": extra}).encode())


def refused(status: int, message: str = "", *headers: str, data: object = None) -> bytes:
    body = {"status": {"code": status, "is_success": False, "user_message": message}, "data": data}
    return answer(json.dumps(body).encode(), *headers, status=f"{status} No")


def lists(records: list[dict[str, object]], *, page: int = 100) -> Callable[..., None]:
    """A server that filters by id__gt and pages by offset, as dbt Cloud does, `page` at the most."""

    def speak(connection, server: EvilServer) -> None:
        query = parse_qs(urlsplit(server.requests[-1].split(b" ")[1].decode()).query)
        found = [item for item in records if item["id"] > int(query.get("id__gt", ["-1"])[0])]
        start = int(query.get("offset", ["0"])[0])
        size = min(page, int(query["limit"][0]))
        connection.sendall(ok(found[start : start + size], len(found)))

    return speak


def targets(server: EvilServer) -> list[tuple[str, dict[str, str]]]:
    parsed = [urlsplit(request.split(b" ")[1].decode()) for request in server.requests]
    return [(one.path, {name: values[-1] for name, values in parse_qs(one.query).items()}) for one in parsed]


ACCOUNT = "/api/v2/accounts/70437497968255/"


def test_each_question_goes_to_its_address(world: World, transport: HttpTransport) -> None:
    """Paths end in a slash, except those of artifacts; lists of things that may be deleted ask for all of them."""
    with asked(world, transport, ok([], 0)) as (client, server):
        for question in (client.list_accounts, client.list_projects, client.list_environments, client.list_jobs):
            assert question() == ()
        assert client.list_artifacts(5) == ()
        assert list(client.each_run(RunQuery())) == []
    whole = {"state": "all", "order_by": "id", "limit": "100", "offset": "0"}
    assert targets(server) == [
        ("/api/v3/accounts/", {"order_by": "id", "limit": "100", "offset": "0"}),
        ("/api/v3/accounts/70437497968255/projects/", whole),
        (f"{ACCOUNT}environments/", whole),
        (f"{ACCOUNT}jobs/", whole),
        (f"{ACCOUNT}runs/5/artifacts/", {}),
        (f"{ACCOUNT}runs/", {"order_by": "id", "limit": "100", "id__gt": "-1", "include_related": "trigger"}),
    ]
    assert b"user-agent: headwater/" in server.requests[0].lower()
    assert b"accept: application/json" in server.requests[0].lower()


def test_a_run_is_asked_for_with_its_steps_and_another_run_is_not_taken_for_it(
    world: World, transport: HttpTransport
) -> None:
    """An answer about another run would be stored as this one."""
    with asked(world, transport, ok({"id": 5, "status": 10}), ok({"id": 6, "status": 10})) as (client, server):
        assert client.get_run(5).status is RunStatus.SUCCESS
        with pytest.raises(AnswerUnreadable, match="run 5 and answered with run 6"):
            client.get_run(5)
    assert targets(server)[0] == (f"{ACCOUNT}runs/5/", {"include_related": "run_steps,trigger"})


@pytest.mark.parametrize("page", [100, 30])
@pytest.mark.parametrize("order", ["id", "created_at"])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_every_run_is_listed_once_however_pages_fall(
    world: World, transport: HttpTransport, count: int, order: str, page: int
) -> None:
    """Also where dbt Cloud gives smaller pages than it was asked for."""
    records = [{"id": 10 + 3 * number, "status": 10} for number in range(count)]
    with EvilServer(lists(records, page=page)) as server:
        client = client_of(server, transport, world)
        assert [run.run_id for run in client.each_run(RunQuery(order=order))] == [item["id"] for item in records]
    assert len(server.requests) == max(1, -(-count // page))
    assert len(world.claims) == len(server.requests)


def test_runs_that_appear_or_vanish_between_pages_hide_no_other(world: World, transport: HttpTransport) -> None:
    """By id the next page begins above the last run seen, whatever has happened below it."""
    records = [{"id": number, "status": 3} for number in range(1, 251)]
    with EvilServer(lists(records)) as server:
        found = client_of(server, transport, world).each_run(RunQuery())
        seen = [next(found).run_id for _ in range(100)]
        del records[:60]
        records.append({"id": 251, "status": 1})
        seen += [run.run_id for run in found]
    assert seen == list(range(1, 252))


def test_a_page_shifted_by_new_runs_repeats_none(world: World, transport: HttpTransport) -> None:
    """Newest first, what is new pushes the rest down into the next page."""
    records = [{"id": number, "status": 10} for number in range(250, 0, -1)]
    with EvilServer(lists(records)) as server:
        found = client_of(server, transport, world).each_run(RunQuery(order="-id"))
        seen = [next(found).run_id for _ in range(100)]
        records[:0] = [{"id": 252, "status": 1}, {"id": 251, "status": 1}]
        seen += [run.run_id for run in found]
    assert seen == list(range(250, 0, -1))


def test_a_server_that_ignores_the_paging_is_not_asked_for_ever(world: World, transport: HttpTransport) -> None:
    """The same page again, and a page in another order, end the listing with an error."""
    page = ok([{"id": number, "status": 10} for number in (1, 2)], 500)
    for order in ("id", "created_at"):
        with asked(world, transport, page) as (client, server), pytest.raises(AnswerUnreadable):
            list(client.each_run(RunQuery(order=order)))
        assert len(server.requests) <= 3
    with asked(world, transport, ok([{"id": 2}, {"id": 1}], 2)) as (client, _), pytest.raises(AnswerUnreadable):
        list(client.each_run(RunQuery()))


def test_a_record_that_cannot_be_read_is_reported_and_the_listing_goes_on(
    world: World, transport: HttpTransport
) -> None:
    """The faults are taken once."""
    records = [{"id": 1, "status": 10, "created_at": "x"}, {"name": "no id"}, {"id": 3, "status": 77}]
    with asked(world, transport, ok(records, 3)) as (client, _):
        runs = list(client.each_run(RunQuery()))
        assert [(run.run_id, run.status, run.status_code) for run in runs] == [
            (1, RunStatus.SUCCESS, 10), (3, RunStatus.UNKNOWN, 77),
        ]  # fmt: skip
        assert len(client.take_faults()) == 2
        assert client.take_faults() == ()


def test_a_query_says_all_that_it_asks_for(world: World, transport: HttpTransport) -> None:
    """Lists and windows go in the JSON form of the documentation."""
    query = RunQuery(
        above_id=7, created=(NOON, NOON + timedelta(hours=1)), finished=(NOON, NOON), status_codes=(10, 20),
        project_id=1, environment_id=2, job_id=3, order="-finished_at", include=(),
    )  # fmt: skip
    with asked(world, transport, ok([], 0)) as (client, server):
        list(client.each_run(query))
        client.list_open_runs()
    moments = [moment.isoformat(timespec="microseconds") for moment in (NOON, NOON + timedelta(hours=1))]
    path, parameters = targets(server)[0]
    assert path == f"{ACCOUNT}runs/"
    assert json.loads(parameters.pop("created_at__range")) == moments
    assert json.loads(parameters.pop("finished_at__range")) == [moments[0]] * 2
    assert parameters == {
        "id__gt": "7", "status__in": "[10,20]", "project_id": "1", "environment_id": "2", "job_definition_id": "3",
        "order_by": "-finished_at", "limit": "100", "offset": "0",
    }  # fmt: skip
    assert targets(server)[1][1]["status__in"] == "[1,2,3]"


def test_runs_are_read_by_id_a_hundred_at_a_time(world: World, transport: HttpTransport) -> None:
    """Each id is asked for once; without ids nothing is asked."""
    with asked(world, transport, ok([{"id": 1, "status": 10}], 1)) as (client, server):
        assert client.list_runs_by_id([]) == ()
        assert len(client.list_runs_by_id([*range(250), 5, 6])) == 3
    wanted = [json.loads(parameters["pk__in"]) for _, parameters in targets(server)]
    assert [len(some) for some in wanted] == [100, 100, 50]
    assert [one for some in wanted for one in some] == list(range(250))


def test_an_artifact_is_given_as_it_came_and_one_that_is_not_there_is_none(
    world: World, transport: HttpTransport
) -> None:
    """Anything but 404 is an error: an artifact must not be taken for absent because dbt Cloud is in trouble."""
    body = b'{"metadata": {}}'
    with asked(world, transport, answer(body), refused(404), refused(403), answer(HTML), policy=NO_RETRY) as (
        client,
        server,
    ):
        assert client.read_artifact(5, "run_results.json", 4) == body
        assert client.read_artifact(5, "compiled/a b/ü?.sql") is None
        with pytest.raises(AccessDenied):
            client.read_artifact(5, "manifest.json", 4)
        with pytest.raises(AnswerUnreadable, match="web page"):
            client.read_artifact(5, "manifest.json", 4)
        with pytest.raises(NotVisible):
            client.read_artifact(5, "../../../jobs/", 4)
    assert targets(server)[0] == (f"{ACCOUNT}runs/5/artifacts/run_results.json", {"step": "4"})
    assert targets(server)[1] == (f"{ACCOUNT}runs/5/artifacts/compiled/a%20b/%C3%BC%3F.sql", {})
    assert b"accept: */*" in server.requests[0].lower()
    assert len(server.requests) == 4


def test_a_404_from_something_that_is_not_dbt_cloud_is_no_absence(world: World, transport: HttpTransport) -> None:
    """A proxy's page says nothing about an artifact."""
    page = answer(HTML, status="404 Not Found")
    expected = pytest.raises(AnswerUnreadable, match="does not look like dbt Cloud")
    with asked(world, transport, page) as (client, _), expected:
        client.read_artifact(5, "manifest.json", 4)


def test_an_artifact_over_the_limit_is_an_error_and_other_limits_stay(world: World, transport: HttpTransport) -> None:
    """The setting is the artifacts' alone."""
    with asked(world, transport, ok([], 0), artifact_limit=10) as (client, _):
        assert client.list_jobs() == ()
        with pytest.raises(AnswerUnreadable, match="larger than 10 bytes"):
            client.read_artifact(5, "manifest.json")


@pytest.mark.parametrize(
    ("bad", "kind", "words"),
    [
        (refused(401, "Invalid token."), TokenRejected, "does not accept the token (401). It says: Invalid token."),
        (refused(403, "Forbidden", data={"account_access_denied": True}), AccessDenied, "lets nobody in from"),
        (refused(403, "No permission"), AccessDenied, "denies it to this token (403). It says: No permission"),
        (answer(HTML, status="403 No"), AccessDenied, "something between here and dbt Cloud"),
        (refused(404), NotVisible, "/runs/5/, or the token may not see it"),
        (answer(HTML, status="404 No"), AnswerUnreadable, "does not look like dbt Cloud"),
        (refused(400, "Bad filter"), DbtCloudError, "refuses the request for /api"),
        (answer(b"", "Location: https://evil.example/x?y", status="302 Found"), AnswerUnreadable, "to https://evil.example."),
        (answer(b"", "Location: /login", status="301 Moved"), AnswerUnreadable, "sends us elsewhere (301)."),
        (answer(b"", "Location: https://[", status="307 Moved"), AnswerUnreadable, "sends us elsewhere (307)."),
        (answer(HTML), AnswerUnreadable, "web page instead of JSON"),
        (answer(b'{"data": {"id": NaN}}'), AnswerUnreadable, "unreadable instead of JSON"),
        (answer(b'{"data": ' + b"[" * 100_000), AnswerUnreadable, "unreadable instead of JSON"),
        (refused(429, "", "Retry-After: 7"), RateLimited, "asked too often"),
        (answer(HTML, status="502 Bad Gateway"), ServerFault, "is in trouble (502). It answered with a web page."),
        (refused(500, "An internal error occurred."), ServerFault, "It says: An internal error occurred."),
        (refused(418, "<b>\x1b[31mtea"), DbtCloudError, "It says: <b> [31mtea"),
    ],
)  # fmt: skip
def test_every_refusal_is_its_own_error_in_words_without_the_token(
    world: World, transport: HttpTransport, bad: bytes, kind: type[DbtCloudError], words: str
) -> None:
    """What dbt Cloud says itself is quoted, shortened and printable."""
    with asked(world, transport, bad, policy=NO_RETRY) as (client, server), pytest.raises(kind) as raised:
        client.get_run(5)
    assert type(raised.value) is kind
    assert words in raised.value.message
    assert raised.value.message.isprintable()
    assert CANARY not in str(raised.value) + repr(raised.value) + repr(vars(raised.value)) + repr(vars(client))
    assert len(server.requests) == 1


def test_a_passing_trouble_is_waited_out_and_every_try_claims_and_reports(
    world: World, transport: HttpTransport
) -> None:
    """Waits grow; the budget is asked for each try; each try is reported with its number and status."""
    bad = (answer(HTML, status="502 No"), refused(503), refused(500))
    with asked(world, transport, *bad, ok({"id": 5, "status": 10})) as (client, server):
        assert client.get_run(5).run_id == 5
    assert world.sleeps == pytest.approx([0.275, 0.55, 1.1])
    assert len(world.claims) == len(server.requests) == 4
    assert [(one.endpoint, one.attempt, one.status) for one in world.reports] == [
        ("run", 1, 502), ("run", 2, 503), ("run", 3, 500), ("run", 4, 200),
    ]  # fmt: skip
    assert world.closed_until == []


def test_patience_ends_with_the_last_error(world: World, transport: HttpTransport) -> None:
    """The deadline is counted from the first try, by the clock that is passed in."""
    with (
        asked(world, transport, refused(503), policy=RetryPolicy(patience=10)) as (client, server),
        pytest.raises(ServerFault),
    ):
        client.get_run(5)
    assert 5 < sum(world.sleeps) <= 10
    assert len(server.requests) == len(world.sleeps) + 1


def test_a_broken_connection_is_tried_again(world: World, transport: HttpTransport) -> None:
    """The report names the failure where there is no status."""
    good, broken = says(ok({"id": 5, "status": 10})), then_resets(b"HTTP/1.1 200 OK\r\nContent-Le")
    with EvilServer(
        lambda connection, server: (good if server.connections > 2 else broken)(connection, server)
    ) as server:
        assert client_of(server, transport, world).get_run(5).run_id == 5
    assert [(one.status, one.failure) for one in world.reports] == [(None, "reset"), (None, "reset"), (200, None)]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7),
        ("Retry-After: 0", 0),
        ("Retry-After: -3", 0),
        (f"Retry-After: {format_datetime(NOON + timedelta(seconds=20), usegmt=True)}", 20),
        ("Retry-After: 1000000000", 900),
        ("X-Nothing: here", 300),
        ("Retry-After: soon", 300),
    ],
)
def test_nobody_asks_before_retry_after_is_over(
    world: World, transport: HttpTransport, header: str, seconds: float
) -> None:
    """The account is closed for everybody who shares the budget, and the retry itself comes later still."""
    patient = RetryPolicy(patience=3600)
    with asked(world, transport, refused(429, "", header), ok({"id": 5}), policy=patient) as (client, _):
        assert client.get_run(5).run_id == 5
    assert world.closed_until == [NOON + timedelta(seconds=seconds)]
    assert world.claims[1] > NOON + timedelta(seconds=seconds)


def test_a_limit_that_outlasts_the_patience_is_given_up_at_once_and_remembered(
    world: World, transport: HttpTransport
) -> None:
    """Without a shared budget the client itself refuses to ask before the time is over."""
    with asked(world, transport, refused(429, "", "Retry-After: 600"), ok({"id": 5}), metered=False) as (
        client,
        server,
    ):
        with pytest.raises(RateLimited) as raised:
            client.get_run(5)
        assert (raised.value.retry_after, raised.value.status, world.sleeps) == (600, 429, [])
        with pytest.raises(RateLimited, match="600 s more"):
            client.get_run(5)
        assert len(server.requests) == 1
        world.now += timedelta(seconds=600)
        assert client.get_run(5).run_id == 5


def test_what_has_an_effect_is_not_done_twice(world: World, transport: HttpTransport) -> None:
    """After a 500 or a broken connection the job may have started; after a 429 it has not."""
    with asked(world, transport, refused(500)) as (client, server), pytest.raises(ServerFault):
        client.trigger_job(4, "by a test")
    assert len(server.requests) == 1
    with EvilServer(then_resets(b"")) as server, pytest.raises(NoAnswer):
        client_of(server, transport, world).trigger_job(4, "by a test")
    assert len(server.requests) == 1
    with asked(world, transport, refused(429, "", "Retry-After: 1"), ok({"id": 9, "status": 1})) as (client, server):
        assert client.trigger_job(4, "by a test").status is RunStatus.QUEUED
    assert server.requests[1].startswith(f"POST {ACCOUNT}jobs/4/run/ ".encode())
    assert json.loads(server.requests[1].partition(b"\r\n\r\n")[2]) == {"cause": "by a test"}


def test_cancelling_and_retrying_give_the_run(world: World, transport: HttpTransport) -> None:
    """A retry is a run of its own."""
    with asked(world, transport, ok({"id": 5, "status": 30}), ok({"id": 6, "status": 1})) as (client, server):
        assert client.cancel_run(5).status is RunStatus.CANCELLED
        assert client.retry_run(5).run_id == 6
    assert [request.split(b" ")[1].decode() for request in server.requests] == [
        f"{ACCOUNT}runs/5/cancel/", f"{ACCOUNT}runs/5/retry/",
    ]  # fmt: skip


def test_a_client_may_be_used_by_several_threads(world: World, transport: HttpTransport) -> None:
    """Each gets the answer to its own question."""

    def echo(connection, server: EvilServer) -> None:
        run_id = int(server.local.request.split(b"/runs/")[1].split(b"/")[0])
        connection.sendall(ok({"id": run_id, "status": 10}))

    found: list[tuple[int, int]] = []
    with EvilServer(echo) as server:
        client = client_of(server, transport, world)
        threads = [threading.Thread(target=lambda n=n: found.append((n, client.get_run(n).run_id))) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [(number, number) for number in range(20)]
    assert len(world.reports) == 20
