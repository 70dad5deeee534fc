"""Webhooks: subscriptions, signed deliveries to a real receiver, retries and mischief."""

import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

BASE = "/api/v3/accounts/{a}/webhooks"


class Receiver(ThreadingHTTPServer):
    """Takes deliveries; answers with the statuses it was given, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: queue.Queue[tuple[bytes, str]] = queue.Queue()
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"

    def take(self) -> tuple[bytes, str]:
        return self.taken.get(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.taken.put((body, self.headers["Authorization"]))  # before the answer: then the next one is sent
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def subscribe(client, receiver, **more):
    types = ["job.run.started", "job.run.completed", "job.run.errored"]
    body = {"name": "test", "client_url": receiver.url, "event_types": types, "job_ids": [], "active": True, **more}
    reply = client.post(f"{BASE}/subscriptions", body)
    assert reply.status == 201
    return reply.data


def order(client, recording="storefront/weekly/healthy-a", **more):
    job = client.job("Weekly full refresh")["id"]
    return client.simulator.control(
        "POST", "runs", {"job_id": job, "recording_id": recording, "duration_seconds": 30, **more}
    )


def only(client, **more):
    """A job of the test's own, so that scheduled runs stay out of it."""
    return {"job_ids": [str(client.job("Weekly full refresh")["id"])], **more}


def test_a_run_is_told_as_it_happens(simulate, receiver):
    """Started, then completed; signed over the raw bytes; ids as strings, times with nanoseconds."""
    client = simulate()
    made = subscribe(client, receiver, **only(client))
    run = order(client)
    client.simulator.advance(1_000)
    events = []
    for _ in range(2):
        body, signature = receiver.take()
        assert hmac.new(made["hmac_secret"].encode(), body, hashlib.sha256).hexdigest() == signature
        events.append(json.loads(body))
    assert [event["eventType"] for event in events] == ["job.run.started", "job.run.completed"]
    started, completed = events
    assert (started["data"]["runStatus"], started["data"]["runStatusCode"]) == ("Running", 3)
    assert (completed["data"]["runStatus"], completed["data"]["runStatusCode"]) == ("Success", 10)
    assert completed["data"]["runId"] == str(run["id"])
    assert (completed["accountId"], completed["webhookId"]) == (client.account.id, made["id"])
    assert completed["data"]["runStatusMessage"] == "None"
    assert completed["timestamp"].endswith("000Z")
    assert completed["data"]["runFinishedAt"][-1] == "Z"


def test_an_error_is_told_twice(simulate, receiver):
    """Errored at once, completed when the artifacts are in."""
    client = simulate()
    subscribe(client, receiver, **only(client, event_types=["job.run.completed", "job.run.errored"]))
    order(client, "storefront/weekly/bad_data")
    client.simulator.advance(1_000)
    events = [json.loads(receiver.take()[0]) for _ in range(2)]
    assert [event["eventType"] for event in events] == ["job.run.errored", "job.run.completed"]
    assert {event["data"]["runStatus"] for event in events} == {"Errored"}
    assert "runErroredAt" in events[0]["data"]


@pytest.mark.parametrize(("assume", "expected"), [("none", []), ("completed", ["job.run.completed"])])
def test_a_cancelled_run_is_told_as_assumed(simulate, receiver, assume, expected):
    """By default nothing is said of it."""
    client = simulate(assume=(f"cancelled_webhook={assume}",))
    made = subscribe(client, receiver, **only(client))
    order(client, queue_seconds=60, cancel_after_seconds=5)
    client.simulator.advance(20)
    test = client.get(f"{BASE}/subscription/{made['id']}/test").data["event_id"]
    told = [json.loads(receiver.take()[0])]
    while told[-1]["eventId"] != test:
        told.append(json.loads(receiver.take()[0]))
    assert [event["eventType"] for event in told[:-1]] in (expected, [])


def test_a_failed_delivery_is_tried_again(simulate, receiver):
    """The same event, until the receiver says yes; each attempt has its receipt."""
    client = simulate()
    receiver.statuses = [500, 503]
    made = subscribe(client, receiver, **only(client, event_types=["job.run.completed"]))
    order(client)
    client.simulator.advance(1_000)
    attempts = [receiver.take() for _ in range(3)]
    assert len(set(attempts)) == 1
    (event,) = wait_for(lambda: [e for e in events(client, made) if e["http_status_code"] == "200"])
    receipts = client.get(f"{BASE}/subscription/{made['id']}/event/{event['id']}/receipt").data
    assert [receipt["http_status_code"] for receipt in receipts] == ["500", "503", "200"]
    assert event["payload"].encode() == attempts[0][0]


def test_nobody_elsewhere_is_called(simulate, receiver):
    """A subscription for another machine may exist; nothing is sent there."""
    client = simulate()
    made = subscribe(client, receiver, client_url="http://192.0.2.1:9/hook", event_types=["job.run.completed"])
    client.get(f"{BASE}/subscription/{made['id']}/test")
    (event,) = events(client, made)
    path = f"{BASE}/subscription/{made['id']}/event/{event['id']}/receipt"
    (receipt, *_) = wait_for(lambda: client.get(path).data)
    assert "this machine only" in receipt["error_info"]


@pytest.mark.parametrize("kind", ["drop", "repeat", "reorder", "forge"])
def test_mischief(simulate, receiver, kind):
    """Deliveries may be lost, doubled, turned round or forged."""
    client = simulate()
    made = subscribe(client, receiver, **only(client))
    client.simulator.control("POST", "faults", {"webhooks": {kind: 1.0}})
    order(client)
    client.simulator.advance(1_000)
    wait_for(lambda: len(events(client, made)) >= 2)
    client.simulator.control("POST", "faults", {"clear": True})
    test = client.get(f"{BASE}/subscription/{made['id']}/test").data["event_id"]
    told = []
    while not told or json.loads(told[-1][0])["eventId"] != test:
        told.append(receiver.take())
    types = [json.loads(body)["eventType"].removeprefix("job.run.") for body, _ in told[:-1]]
    good = [
        hmac.new(made["hmac_secret"].encode(), body, hashlib.sha256).hexdigest() == mark for body, mark in told[:-1]
    ]
    assert (types, good) == {
        "drop": ([], []),
        "repeat": (["started", "started", "completed", "completed"], [True] * 4),
        "reorder": (["completed", "started"], [True] * 2),
        "forge": (["started", "started", "completed", "completed"], [False, True] * 2),
    }[kind]


def test_subscriptions_are_kept(simulate, receiver):
    """Made, listed without secret, changed and deleted, in the envelope of the newer family."""
    client = simulate()
    made = subscribe(client, receiver, description="x")
    path = f"{BASE}/subscription/{made['id']}"
    listed = client.get(f"{BASE}/subscriptions")
    assert listed.json["status"] == {"code": 200}
    assert listed.json["extra"] == {"pagination": {"total_count": 1, "count": 1}, "filters": {"offset": 0, "limit": 10}}
    assert "hmac_secret" not in listed.data[0]
    assert listed.data[0]["created_at"].isdigit()
    assert (listed.data[0]["http_status_code"], listed.data[0]["dispatched_at"]) == ("0", None)
    changed = client.ask("PUT", path, {**made, "name": "other", "active": False})
    assert (changed.data["name"], changed.data["active"]) == ("other", False)
    assert client.get(path).data["name"] == "other"
    assert client.post(f"{BASE}/subscriptions", {"name": "x"}).status == 400
    assert client.post(f"{BASE}/subscriptions", {**made, "event_types": ["job.exploded"]}).status == 400
    assert client.ask("DELETE", path).data == {"id": made["id"]}
    assert client.get(path).status == 404


def test_a_subscription_that_never_answers_is_ended(simulate, receiver):
    """After the assumed number of failures in a row it is not active any more."""
    client = simulate(assume=("webhook_failures=5",))
    made = subscribe(client, receiver, client_url="http://192.0.2.1:9/hook")
    path = f"{BASE}/subscription/{made['id']}"
    for _ in range(5):
        client.get(f"{path}/test")
    assert wait_for(lambda: client.get(path).data["deactivate_reason"], seconds=40)


def events(client, made):
    return client.get(f"{BASE}/subscription/{made['id']}/events").data


def wait_for(told, seconds=10):
    """Ask again until there is an answer; each question is a request, so nothing spins."""
    import time

    end = time.monotonic() + seconds
    while not (answer := told()):
        assert time.monotonic() < end
    return answer


def test_the_control_api_tells_what_became_of_each_event(simulate, receiver):
    """What is due is listed with the answers it got; nothing waits once all is delivered."""
    client = simulate()
    subscribe(client, receiver, **only(client))
    receiver.statuses = [500]
    run = order(client)
    client.simulator.advance(120)
    for _ in range(3):
        receiver.take()
    while (told := client.simulator.control("GET", "webhooks"))["waiting"]:
        pass
    assert {(event["account_id"], event["run_id"]) for event in told["events"]} == {(client.account.id, run["id"])}
    assert [event["event_type"] for event in told["events"]] == ["job.run.started", "job.run.completed"]
    assert [event["answers"] for event in told["events"]] == [[500, 200], [200]]
