"""What goes wrong when it is told to, and the control API that tells it."""

import http.client
import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import urllib3
from asking import NOW


def script(client, kind, **more):
    client.simulator.control("POST", "faults", {"next": [{"kind": kind, **more}]})


@pytest.mark.parametrize(
    ("kind", "status", "media"),
    [("error_500", 500, "application/json"), ("bad_gateway", 502, "text/html"), ("unavailable", 503, "text/html")],
)
def test_servers_fail(simulate, kind, status, media):
    """The next request fails, the one after does not."""
    client = simulate()
    script(client, kind)
    reply = client.runs()
    assert reply.status == status
    assert reply.headers["content-type"].startswith(media)
    assert client.runs().status == 200


@pytest.mark.parametrize(("assume", "media"), [("json", "application/json"), ("html", "text/html")])
def test_too_many_requests(simulate, assume, media):
    """429 in either body; Retry-After in seconds, as a date, or absent."""
    client = simulate(assume=(f"rate_limit_body={assume}",))
    script(client, "rate_limited", seconds=7)
    reply = client.runs()
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert reply.headers["content-type"].startswith(media)
    dated = simulate(assume=("retry_after=date",))
    script(dated, "rate_limited", seconds=7)
    assert parsedate_to_datetime(dated.runs().headers["retry-after"]) == NOW + timedelta(seconds=7)
    silent = simulate(assume=("retry_after=absent",))
    script(silent, "rate_limited", seconds=7)
    assert "retry-after" not in silent.runs().headers


def test_whoever_does_not_wait_is_noted(simulate):
    """A request before Retry-After is over is counted."""
    client = simulate()
    script(client, "rate_limited", seconds=30)
    client.runs()
    client.runs()
    client.simulator.advance(31)
    client.runs()
    assert client.simulator.control("GET", "requests")["before_retry_after"] == 1


def test_an_account_has_a_limit_and_a_cooldown(simulate, client_for):
    """Above the limit every request is refused, for this account only."""
    client = simulate(rate_limit=3)
    assert [client.get("/api/v2/accounts/{a}/").status for _ in range(5)] == [200, 200, 200, 429, 429]
    assert client_for(client.simulator, account=1).get("/api/v2/accounts/{a}/").status == 200
    client.simulator.advance(301)
    assert client.get("/api/v2/accounts/{a}/").status == 200


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncated_body"])
def test_connections_break(simulate, kind):
    """Before and after the request was handled, and in the middle of a body."""
    client = simulate()
    job = client.job("Hourly models")["id"]
    total = client.runs().total
    script(client, kind, path="/run/")
    with pytest.raises((urllib3.exceptions.ProtocolError, http.client.IncompleteRead)):
        client.post(f"/api/v2/accounts/{{a}}/jobs/{job}/run/", {"cause": "x"})
    assert client.runs().total == total + (kind != "reset_before")


def test_bodies_may_be_slow(simulate):
    """A slow body arrives whole in the end."""
    client = simulate()
    whole = client.runs(limit=1).body
    script(client, "slow_body", seconds=0.05)
    assert client.runs(limit=1).body == whole


def test_artifacts_may_be_corrupt(simulate):
    """A merge conflict stands in the middle of the JSON."""
    client = simulate()
    run_id = client.runs(status=10, has_docs_generated="true").ids[0]
    path = f"/api/v2/accounts/{{a}}/runs/{run_id}/artifacts/manifest.json"
    script(client, "corrupt_artifact", path="/artifacts/")
    reply = client.get(path)
    assert reply.status == 200
    assert b"<<<<<<< HEAD" in reply.body
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    assert client.get(path).json


def test_lists_may_be_stale_or_empty(simulate):
    """A replica that lags does not know the last runs; one that lies knows none."""
    client = simulate()
    total = client.runs().total
    script(client, "stale_list", seconds=36_000)
    assert 0 < client.runs().total < total
    script(client, "empty_list")
    reply = client.runs()
    assert (reply.status, reply.total, reply.data) == (200, 0, [])
    client.simulator.control("POST", "faults", {"list_lag_seconds": 36_000})
    newest = client.runs(order_by="-id").total
    assert newest < total
    client.simulator.control("POST", "faults", {"clear": True})
    assert client.runs().total == total


def test_logs_may_come_late(simulate):
    """For a while after a step's end its logs are empty."""
    client = simulate()
    job = client.job("Hourly models")["id"]
    body = {"job_id": job, "recording_id": "storefront/hourly/healthy-a", "queue_seconds": 1, "duration_seconds": 20}
    run_id = client.simulator.control("POST", "runs", body)["id"]
    client.simulator.control("POST", "faults", {"log_delay_seconds": 300})
    client.simulator.advance(100)
    last = client.run(run_id, include_related="run_steps").data["run_steps"][-1]
    assert (last["status"], last["logs"]) == (10, "")
    client.simulator.advance(300)
    assert client.run(run_id, include_related="run_steps").data["run_steps"][-1]["logs"]


def test_answers_may_be_packed(simulate):
    """When assumed so, a client that accepts gzip gets it; the content is the same."""
    client = simulate(assume=("compresses=true",))
    headers = {"Authorization": f"Token {client.account.token}"}
    plain = client.ask("GET", "/api/v2/accounts/{a}/runs/", headers=headers)
    packed = client.ask("GET", "/api/v2/accounts/{a}/runs/", headers={**headers, "Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == plain.body


def test_faults_may_come_by_rate(simulate):
    """By the seed, about as often as told, and again the same."""
    outcomes = []
    for _ in range(2):
        client = simulate()
        client.simulator.control("POST", "faults", {"rates": {"bad_gateway": 0.3}})
        outcomes.append([client.get("/api/v2/accounts/{a}/").status for _ in range(60)])
    assert outcomes[0] == outcomes[1]
    assert 5 < outcomes[0].count(502) < 35


def test_unknown_faults_are_refused(simulate):
    """The control API says what it knows."""
    client = simulate()
    reply = client.ask("POST", "/_simulator/faults", {"rates": {"plague": 1}})
    assert reply.status == 400
    assert "bad_gateway" in reply.json["error"]
    assert client.ask("POST", "/_simulator/faults", {"webhooks": {"eat": 1}}).status == 400


def test_requests_are_counted(simulate):
    """By account, route and status, with their lines."""
    client = simulate()
    client.runs(limit=1)
    client.run(7)
    told = client.simulator.control("GET", "requests?last=2")
    counts = {(item["route"], item["status"]): item["count"] for item in told["counts"]}
    assert counts["/api/v2/accounts/{account_id}/runs/", 200] == 1
    assert counts["/api/v2/accounts/{account_id}/runs/{run_id}/", 404] == 1
    assert told["lines"][0].startswith(f"GET /api/v2/accounts/{client.account.id}/runs/?limit=1")
    assert (told["in_flight"], told["max_in_flight"]) == (0, 1)
    assert client.simulator.control("DELETE", "requests")["total"] == 0


def test_the_clock_moves_forward_only(simulate):
    """Advancing tells the new time; going back is refused."""
    client = simulate()
    assert client.simulator.control("GET", "clock")["now"] == "2026-11-20T12:00:00+00:00"
    assert client.simulator.advance(90) == "2026-11-20T12:01:30+00:00"
    assert client.ask("POST", "/_simulator/clock", {"advance_seconds": -1}).status == 400
    assert client.get("/_simulator/nothing").status == 404


def test_a_run_of_a_chosen_recording(simulate):
    """Ordered with its queue and its length, and cancelled when told."""
    client = simulate()
    job = client.job("Hourly models")["id"]
    body = {"job_id": job, "recording_id": "storefront/hourly/bad_data", "queue_seconds": 5, "duration_seconds": 40}
    made = client.simulator.control("POST", "runs", body)
    client.simulator.advance(100)
    (run,) = client.simulator.truth(account_id=client.account.id, run_id=made["id"])["accounts"][0]["runs"]
    assert (run["status"], run["recording_id"]) == (20, "storefront/hourly/bad_data")
    assert [r["status"] for r in run["steps"][3]["executions"]].count("error") == 1
    stopped = client.simulator.control("POST", "runs", {**body, "cancel_after_seconds": 20})
    client.simulator.advance(100)
    assert client.run(stopped["id"]).data["status"] == 30
    assert "storefront/hourly/bad_data" in client.simulator.control("GET", "recordings")["recordings"]


def test_the_next_runs_of_a_job_show_what_is_wanted(simulate):
    """Runs that are asked for over the API show the recordings that were named, in turn; then they go well again."""
    client = simulate()
    job_id = client.job("Hourly models")["id"]
    wanted = {str(job_id): ["storefront/hourly/bad_data"]}
    assert client.simulator.control("POST", "faults", {"next_recordings": wanted})["next_recordings"] == wanted
    path = f"/api/v2/accounts/{{a}}/jobs/{job_id}/run/"
    first, second = (client.post(path, {"cause": "by the test"}).data["id"] for _ in range(2))
    client.simulator.advance(3_600)

    assert [client.run(run_id).data["status"] for run_id in (first, second)] == [20, 10]
    assert client.simulator.control("GET", "faults")["next_recordings"] == {}


def test_a_run_is_answered_while_the_clock_runs(simulate):
    """A run that is begun at a time after the request came in is described as it is then."""
    client = simulate(clock="real", speed=100_000.0)
    job_id = client.job("Hourly models")["id"]

    for ending in ("run", "rerun"):
        assert client.post(f"/api/v2/accounts/{{a}}/jobs/{job_id}/{ending}/", {"cause": "by the test"}).status == 200
