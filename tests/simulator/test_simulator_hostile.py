"""Whatever is asked, the simulator answers as dbt Cloud might, and never with a fault of its own."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

NAMES = [
    "limit", "offset", "order_by", "state", "status", "status__in", "pk", "pk__in", "id__gt", "project_id__in", "step",
    "created_at__range", "finished_at__range", "has_docs_generated", "dbt_version__in", "include_related",
    "name__icontains", "triggers_schedule", "type", "nothing", "created_at__gte",
]  # fmt: skip
PATHS = [
    "/api/v2/accounts/", "/api/v2/accounts/{a}/", "/api/v2/accounts/{a}/runs/", "/api/v2/accounts/{a}/runs/{r}/",
    "/api/v2/accounts/{a}/runs/{r}/artifacts/", "/api/v2/accounts/{a}/runs/{r}/artifacts/manifest.json",
    "/api/v2/accounts/{a}/runs/{r}/retry/", "/api/v2/accounts/{a}/jobs/", "/api/v2/accounts/{a}/projects/",
    "/api/v2/accounts/{a}/environments/", "/api/v3/accounts/{a}/projects/", "/api/v3/accounts/{a}/connections/",
    "/api/v3/accounts/{a}/users/", "/api/v3/accounts/{a}/webhooks/subscriptions",
]  # fmt: skip
VALUES = some.one_of(
    some.text(max_size=12),
    some.integers().map(str),
    some.sampled_from(
        [
            "[",
            "[]",
            "[[1]]",
            "{}",
            "[1,",
            "'",
            "null",
            "true",
            "-id",
            "2026-01-01",
            '["2026-01-01","2026-01-02"]',
            "9" * 5000,
        ]
    ),
)
JSON = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.text(max_size=5)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = [
    "cause", "steps_override", "git_branch", "threads_override", "name", "project_id", "environment_id",
    "execute_steps", "settings", "execution", "triggers", "client_url", "event_types", "job_ids", "active",
    "generate_docs",
]  # fmt: skip
patient = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@patient
@given(some.sampled_from(PATHS), some.dictionaries(some.sampled_from(NAMES), VALUES, max_size=3))
def test_any_parameters(reader, path, parameters):
    """200, 400 or 404, always JSON with the status in it."""
    run_id = reader.runs(limit=1).ids[0]
    reply = reader.get(path.replace("{r}", str(run_id)), **parameters)
    assert reply.status in (200, 400, 404)
    if not path.endswith("manifest.json") or reply.status != 200:
        assert reply.json["status"]["code"] == reply.status


@pytest.fixture(scope="module")
def sink(archive):
    """A simulator that may be filled with rubbish."""
    from asking import NOW, Client

    from headwater.simulator import SimulatorSettings, start_in_thread

    with start_in_thread(SimulatorSettings(seed=1, days=1, now=NOW, clock="manual"), archive) as running:
        client = Client(running)
        yield client
        client.close()


@patient
@given(
    some.sampled_from(["run", "create", "change", "subscribe"]),
    some.one_of(JSON, some.dictionaries(some.sampled_from(KEYS), JSON)),
)
def test_any_body(sink, act, body):
    """A body that cannot be is 400; whatever is accepted can be listed afterwards."""
    job = sink.job("Weekly full refresh")["id"]
    paths = {
        "run": f"/api/v2/accounts/{{a}}/jobs/{job}/run/",
        "create": "/api/v2/accounts/{a}/jobs/",
        "change": f"/api/v2/accounts/{{a}}/jobs/{sink.job('Source freshness')['id']}/",
        "subscribe": "/api/v3/accounts/{a}/webhooks/subscriptions",
    }
    if act == "change" and isinstance(body, dict):
        body = {**body, "name": "Source freshness"}
    reply = sink.post(paths[act], body)
    assert reply.status in (200, 201, 400)
    assert sink.get("/api/v2/accounts/{a}/jobs/").status == 200
    assert sink.runs(include_related="trigger,job,run_steps", order_by="-id", limit=3).status == 200
    assert sink.get("/api/v3/accounts/{a}/webhooks/subscriptions").status == 200


@given(some.binary(max_size=30))
@patient
def test_any_bytes(sink, data):
    """A body that is not JSON is 400."""
    try:
        json.loads(data)
    except ValueError:
        address = f"{sink.simulator.url}/api/v2/accounts/{sink.account.id}/jobs/"
        reply = sink._pool.request("POST", address, body=data or b"{", headers=sink._headers)
        assert reply.status == 400
