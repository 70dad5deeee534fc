"""Every answer against dbt Cloud's own OpenAPI documents, in which everything may be null and more may be there."""

import functools

import jsonschema
import pytest
import yaml
from jsonschema.exceptions import best_match

V2, V3 = "/api/v2/accounts/{account_id}", "/api/v3/accounts/{account_id}"
LISTS = [
    ("v2", "/api/v2/accounts/"), ("v3", "/api/v3/accounts/"), ("v2", f"{V2}/"), ("v2", f"{V2}/projects/"),
    ("v3", f"{V3}/projects/"), ("v2", f"{V2}/environments/"), ("v3", f"{V3}/connections/"), ("v2", f"{V2}/users/"),
    ("v3", f"{V3}/users/"), ("v2", f"{V2}/jobs/"), ("v2", f"{V2}/runs/"), ("v3", f"{V3}/service-tokens/"),
    ("v3", f"{V3}/audit-logs/"), ("v3", f"{V3}/webhooks/subscriptions"),
]  # fmt: skip
# For these the document forgets that a list has several objects; every known client reads a list.
LISTS_WITHOUT_LISTS = {f"{V3}/connections/", f"{V3}/projects/{{project_id}}/profiles/"}
RELATED = {
    f"{V2}/runs/": "trigger,job,audit,debug_logs,run_steps",
    f"{V2}/jobs/": "environment,custom_environment_variables,most_recent_run,most_recent_completed_run",
    f"{V2}/environments/": "repository,connection",
    f"{V2}/projects/": "environments,connection",
    f"{V3}/projects/": "environments,connection",
}


@pytest.fixture(scope="session")
def documents(contracts):
    """Both documents, loosened as reality is."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {
        version: yaml.load((contracts / f"openapi-{version}.yaml").read_text(), Loader=loader)
        for version in ("v2", "v3")
    }


@pytest.fixture(scope="session")
def check(documents):
    """Validate an answer's body by the schema of a path, a method and a status."""

    @functools.cache
    def loosened(version):
        schemas = {name: loose(schema) for name, schema in documents[version]["components"]["schemas"].items()}
        for name in [name for name in schemas if name.endswith("ListResponse")]:
            properties = schemas[name]["properties"]
            listed = {"data": {"type": "array", "items": properties["data"]}}
            schemas[name.replace("ListResponse", "ListOfThemResponse")] = {"properties": {**properties, **listed}}
        return schemas

    def validate(version, path, body, method="get", status="200"):
        content = documents[version]["paths"][path][method]["responses"][status]["content"]
        schema = {**content["application/json"]["schema"], "components": {"schemas": loosened(version)}}
        if path in LISTS_WITHOUT_LISTS:
            schema["$ref"] = schema["$ref"].replace("ListResponse", "ListOfThemResponse")
        error = best_match(jsonschema.Draft202012Validator(schema).iter_errors(body))
        if error:
            raise AssertionError(f"{path} {error.json_path}: {error.message[:300]}")

    return validate


def loose(schema, *, is_property=False):
    """A schema in which every property may be null."""
    if isinstance(schema, list):
        return [loose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: loose(item, is_property=True) for name, item in value.items()}
        if key == "properties"
        else loose(value)
        for key, value in schema.items()
        if key not in {"format", "description", "example", "default"}
    }
    return {"anyOf": [made, {"type": "null"}]} if is_property else made


def test_the_validator_is_not_asleep(check, reader):
    """A body that lacks what the document asks for is found out."""
    body = reader.runs(limit=1).json
    del body["extra"]["pagination"]["total_count"]
    with pytest.raises(AssertionError, match="total_count"):
        check("v2", f"{V2}/runs/", body)


@pytest.mark.parametrize(("version", "path"), LISTS, ids=[path for _, path in LISTS])
def test_lists_and_accounts(check, reader, version, path):
    """Plain, and with every related object."""
    address = path.replace("{account_id}", "{a}")
    check(version, path, reader.get(address).json)
    if path in RELATED:
        check(version, path, reader.get(address, limit=30, include_related=RELATED[path]).json)


@pytest.mark.parametrize("status", [1, 2, 3, 10, 20, 30])
def test_runs_in_every_state(check, reader, status):
    """The detail of a run with all that can be included, and its steps."""
    run_id = reader.runs(status=status).ids[-1]
    related = "trigger,job,environment,repository,run_steps,run_retries,audit,debug_logs"
    reply = reader.run(run_id, include_related=related)
    check("v2", f"{V2}/runs/{{id}}/", reply.json)
    for step in reply.data["run_steps"]:
        check("v2", f"{V2}/steps/{{id}}/", reader.get(f"/api/v2/accounts/{{a}}/steps/{step['id']}/").json)
    check("v2", f"{V2}/runs/{{run_id}}/artifacts/", reader.get(f"/api/v2/accounts/{{a}}/runs/{run_id}/artifacts/").json)


def test_single_objects(check, reader):
    """Each object of each list by its own address."""
    project = reader.get("/api/v3/accounts/{a}/projects/").data[0]["id"]
    for version, base in (("v2", V2), ("v3", V3)):
        here = base.replace("{account_id}", "{a}")
        check(version, f"{base}/projects/{{id}}/", reader.get(f"{here}/projects/{project}/").json)
    of_project = f"/api/v3/accounts/{{a}}/projects/{project}"
    environments = reader.get(f"{of_project}/environments/")
    check("v3", f"{V3}/projects/{{project_id}}/environments/", environments.json)
    for item in environments.data:
        check(
            "v3",
            f"{V3}/projects/{{project_id}}/environments/{{id}}/",
            reader.get(f"{of_project}/environments/{item['id']}/").json,
        )
        check("v2", f"{V2}/environments/{{id}}/", reader.get(f"/api/v2/accounts/{{a}}/environments/{item['id']}/").json)
    check("v3", f"{V3}/projects/{{project_id}}/profiles/", reader.get(f"{of_project}/profiles/").json)
    connection = reader.get("/api/v3/accounts/{a}/connections/").data[0]["id"]
    check("v3", f"{V3}/connections/{{id}}/", reader.get(f"/api/v3/accounts/{{a}}/connections/{connection}/").json)
    for job in reader.get("/api/v2/accounts/{a}/jobs/", state="all").data:
        check("v2", f"{V2}/jobs/{{id}}/", reader.get(f"/api/v2/accounts/{{a}}/jobs/{job['id']}/").json)
    token = reader.get("/api/v3/accounts/{a}/service-tokens/").data[0]["id"]
    path = f"/api/v3/accounts/{{a}}/service-tokens/{token}/permissions/"
    check("v3", f"{V3}/service-tokens/{{service_token_id}}/permissions/", reader.get(path).json)


def test_answers_to_changes(check, simulate):
    """Run, cancel, retry, rerun, and webhooks."""
    client = simulate()
    job = client.job("Hourly models")["id"]
    path = f"/api/v2/accounts/{{a}}/jobs/{job}"
    run = client.post(f"{path}/run/", {"cause": "x"})
    check("v2", f"{V2}/jobs/{{job_id}}/run/", run.json, "post")
    cancelled = client.post(f"/api/v2/accounts/{{a}}/runs/{run.data['id']}/cancel/")
    check("v2", f"{V2}/runs/{{run_id}}/cancel/", cancelled.json, "post")
    made = client.simulator.control(
        "POST", "runs", {"job_id": job, "recording_id": "storefront/hourly/bad_data", "duration_seconds": 9}
    )
    client.simulator.advance(120)
    retry = f"/api/v2/accounts/{{a}}/runs/{made['id']}/retry/"
    check("v2", f"{V2}/runs/{{run_id}}/retry/", client.get(retry).json)
    check("v2", f"{V2}/runs/{{run_id}}/retry/", client.post(retry).json, "post")
    check("v2", f"{V2}/jobs/{{job_id}}/rerun/", client.post(f"{path}/rerun/").json, "post")
    check("v2", f"{V2}/jobs/{{id}}/", client.post(f"{path}/", {"name": "x"}).json, "post")


def test_answers_about_webhooks(check, simulate):
    """The newer family has its own envelope."""
    client = simulate()
    here, base = "/api/v3/accounts/{a}/webhooks", f"{V3}/webhooks"
    one = f"{base}/subscription/{{subscription_id}}"
    body = {"name": "x", "client_url": "http://127.0.0.1:9/", "event_types": ["job.run.completed"], "active": True}
    made = client.post(f"{here}/subscriptions", body)
    check("v3", f"{base}/subscriptions", made.json, "post", "201")
    mine = f"{here}/subscription/{made.data['id']}"
    check("v3", one, client.get(mine).json)
    check("v3", one, client.ask("PUT", mine, body).json, "put")
    check("v3", f"{one}/test", client.get(f"{mine}/test").json)
    events = client.get(f"{mine}/events")
    check("v3", f"{one}/events", events.json)
    receipts = client.get(f"{mine}/event/{events.data[0]['id']}/receipt")
    check("v3", f"{one}/event/{{event_id}}/receipt", receipts.json)
    check("v3", one, client.ask("DELETE", mine).json, "delete")
    check("v3", one, client.get(mine).json, "get", "404")
