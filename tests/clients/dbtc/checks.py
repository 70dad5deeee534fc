"""dbtc, the community's client: https only, `Bearer`, no slash at the end of runs, lists as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from dbtc import dbtCloudClient
from requests.exceptions import JSONDecodeError

from conftest import STATUS_NAMES, Simulator, outcomes


@pytest.fixture(scope="module")
def cloud() -> Any:
    """The client, which finds the host and the token in its environment."""
    return dbtCloudClient().cloud


@pytest.fixture
def account(simulator: Simulator) -> int:
    return simulator.account_id


def every(ask: Any, *arguments: Any, **filters: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    while True:
        page = ask(*arguments, limit=100, offset=len(found), **filters)
        assert page["status"]["is_success"], page
        found += page["data"]
        if len(found) >= page["extra"]["pagination"]["total_count"]:
            return found


def ids(items: list[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


def test_accounts(cloud: Any, simulator: Simulator, account: int) -> None:
    """The account of the token is listed, alone, and is found by id and by name."""
    name = simulator.accounts[0]["name"]

    assert [(item["id"], item["name"]) for item in cloud.list_accounts()["data"]] == [(account, name)]
    assert cloud.get_account(account)["data"]["name"] == name
    assert cloud.get_account_by_name(name)["data"]["id"] == account
    assert cloud.get_account(simulator.accounts[1]["id"])["status"]["code"] == 404


def test_projects(cloud: Any, simulator: Simulator, account: int) -> None:
    """Projects are listed, filtered by a JSON list of ids, and found by name."""
    projects = cloud.list_projects(account)["data"]

    assert {run["project_id"] for run in simulator.runs()} == set(ids(projects))
    assert ids(cloud.list_projects(account, project_id=[projects[-1]["id"]])["data"]) == [projects[-1]["id"]]
    assert cloud.get_project_by_name(projects[0]["name"], account)["data"]["id"] == projects[0]["id"]


def test_environments(cloud: Any, simulator: Simulator, account: int) -> None:
    """Each environment that runs name is in its project's list; deployment types filter as JSON lists."""
    used = {(run["project_id"], run["environment_id"]) for run in simulator.runs()}

    for project_id, environment_id in used:
        listed = cloud.list_environments(account, project_id)["data"]
        assert environment_id in ids(listed)
        production = [item["id"] for item in listed if item["deployment_type"] == "production"]
        assert ids(cloud.list_environments(account, project_id, deployment_type="production")["data"]) == production
        assert ids(cloud.list_environments(account, project_id, order_by="-id")["data"]) == sorted(ids(listed))[::-1]


def test_jobs(cloud: Any, simulator: Simulator, account: int) -> None:
    """Jobs that ran are listed by project and environment; the deleted one only where deleted ones are asked for."""
    runs = simulator.runs()
    active, deleted = every(cloud.list_jobs, account), every(cloud.list_jobs, account, state=2)

    assert {run["job_id"] for run in runs} == {*ids(active), *ids(deleted)}
    assert len(deleted) == 1
    for run in {run["job_id"]: run for run in runs}.values():
        job = cloud.get_job(account, run["job_id"])["data"]
        assert (job["name"], job["project_id"]) == (run["job_name"], run["project_id"])
    some = active[0]
    same = [job for job in active if job["environment_id"] == some["environment_id"]]
    found = cloud.list_jobs(account, project_id=some["project_id"], environment_id=some["environment_id"])["data"]
    assert ids(found) == ids(same)


def test_all_runs(cloud: Any, simulator: Simulator, account: int) -> None:
    """The pages of all runs are the truth's runs, each with its status, job and environment."""
    told = [
        (run["id"], run["status"], run["status_humanized"], run["job_definition_id"], run["environment_id"])
        for run in every(cloud.list_runs, account, order_by="id")
    ]

    assert told == [
        (run["id"], run["status"], STATUS_NAMES[run["status"]], run["job_id"], run["environment_id"])
        for run in simulator.runs()
    ]


@pytest.mark.parametrize("status", [1, 2, 3, 10, 20, 30])
def test_runs_by_status(cloud: Any, simulator: Simulator, account: int, status: int) -> None:
    """A status by name, which travels as a JSON list of numbers, keeps exactly those runs."""
    expected = [run["id"] for run in simulator.runs() if run["status"] == status]

    assert ids(every(cloud.list_runs, account, status=STATUS_NAMES[status].lower())) == expected


def test_runs_by_everything_else(cloud: Any, simulator: Simulator, account: int) -> None:
    """Job, environment, project and two statuses keep exactly those runs, alone and together."""
    runs = simulator.runs()
    counts = Counter(run["job_id"] for run in runs)
    job = min(counts, key=counts.__getitem__)
    some = next(run for run in runs if run["job_id"] == job)

    def where(**wanted: Any) -> list[int]:
        return [run["id"] for run in runs if all(run[key] == value for key, value in wanted.items())]

    assert ids(every(cloud.list_runs, account, job_definition_id=job)) == where(job_id=job)
    environment = some["environment_id"]
    assert ids(every(cloud.list_runs, account, environment_id=environment)) == where(environment_id=environment)
    project = some["project_id"]
    assert ids(every(cloud.list_runs, account, project_id=[project])) == where(project_id=project)
    both = every(cloud.list_runs, account, project_id=project, status=["error", "cancelled"])
    assert ids(both) == [run["id"] for run in runs if run["project_id"] == project and run["status"] in (20, 30)]


def test_order_and_limits(cloud: Any, simulator: Simulator, account: int) -> None:
    """The newest come first when asked for; the most recent run is the newest; a limit above 100 is refused."""
    newest = [run["id"] for run in simulator.runs()][::-1]

    assert ids(cloud.list_runs(account, order_by="-id", limit=5)["data"]) == newest[:5]
    assert ids(cloud.list_runs(account, order_by="-id", limit=5, offset=5)["data"]) == newest[5:10]
    assert cloud.get_most_recent_run(account)["data"]["id"] == newest[0]
    assert cloud.list_runs(account, limit=101)["status"]["code"] == 400
    assert cloud.list_runs(account, order_by="-duration")["status"]["code"] == 400


def test_a_run_with_its_steps(cloud: Any, account: int, well: dict[str, Any]) -> None:
    """A run's steps, trigger, job and environment are there when asked for and absent otherwise."""
    related = ["run_steps", "trigger", "job", "environment"]
    run = cloud.get_run(account, well["id"], include_related=related)["data"]
    plain = cloud.get_run(account, well["id"])["data"]

    assert [(step["index"], step["name"], step["status"]) for step in run["run_steps"]] == [
        (step["index"], step["name"], step["status"]) for step in well["steps"]
    ]
    assert (run["trigger"]["cause"], run["job"]["name"]) == (well["trigger_cause"], well["job_name"])
    assert run["environment"]["id"] == well["environment_id"]
    assert (plain["run_steps"], plain["trigger"], plain["job"]) == ([], None, None)


def test_artifacts_of_each_step(cloud: Any, account: int, well: dict[str, Any]) -> None:
    """Each step's files are JSON that names the run and the step's own invocation, with the true results."""
    for step in well["steps"]:
        for path in (path for path in step["artifacts"] if path in ("manifest.json", "run_results.json")):
            metadata = cloud.get_run_artifact(account, well["id"], path, step=step["index"])["metadata"]
            assert metadata["env"]["DBT_CLOUD_RUN_ID"] == str(well["id"])
            assert metadata["env"]["DBT_CLOUD_JOB_ID"] == str(well["job_id"])
            assert metadata["invocation_id"] == step["invocation_id"]
        if "run_results.json" in step["artifacts"]:
            results = cloud.get_run_artifact(account, well["id"], "run_results.json", step=step["index"])["results"]
            assert outcomes(results) == outcomes(step["executions"])


def test_artifacts_without_a_step(cloud: Any, account: int, well: dict[str, Any]) -> None:
    """Without a step the files, and their list, are those of the last step."""
    last = well["steps"][-1]

    assert cloud.list_run_artifacts(account, well["id"])["data"] == last["artifacts"]
    manifest = cloud.get_run_artifact(account, well["id"], "manifest.json")
    assert manifest["metadata"]["invocation_id"] == last["invocation_id"]


def test_the_most_recent_artifact(cloud: Any, simulator: Simulator, account: int, well: dict[str, Any]) -> None:
    """The artifact of a job's most recent success is of that very run."""
    job = well["job_id"]
    newest = [run["id"] for run in simulator.runs() if run["job_id"] == job and run["status"] == 10][-1]
    manifest = cloud.get_most_recent_run_artifact(account, "manifest.json", job_definition_id=job)

    assert manifest["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(newest)


def test_what_is_not_there(cloud: Any, simulator: Simulator, account: int, well: dict[str, Any]) -> None:
    """A missing file, a file of a step that leaves none, a cancelled run's file and a missing run are 404."""
    cancelled = next(run["id"] for run in simulator.runs() if run["status"] == 30)
    missing = [
        cloud.get_run_artifact(account, well["id"], "nothing.json"),
        cloud.get_run_artifact(account, well["id"], "manifest.json", step=1),
        cloud.get_run_artifact(account, well["id"], "manifest.json", step=99),
        cloud.get_run_artifact(account, cancelled, "manifest.json"),
        cloud.get_run(account, 1),
        cloud.get_job(account, 1),
    ]

    assert [(answer["status"]["code"], answer["data"]) for answer in missing] == [(404, None)] * len(missing)
    assert cloud.list_run_artifacts(account, cancelled)["data"] is None


def test_a_wrong_token(account: int) -> None:
    """A token that is not one is 401, in the words that dbt Cloud uses."""
    stranger = dbtCloudClient(service_token="dbtc_" + "0" * 40).cloud

    for answer in (stranger.list_accounts(), stranger.list_runs(account)):
        assert (answer["status"]["code"], answer["status"]["user_message"]) == (401, "Invalid token.")


def test_lesser_tokens(simulator: Simulator, account: int) -> None:
    """A token of one project sees its runs only; one that may not write triggers nothing; a blocked one is 403."""
    tokens = simulator.accounts[0]["tokens"]

    def of(kind: str) -> Any:
        return dbtCloudClient(service_token=tokens[kind]).cloud

    project = ids(of("one_project").list_projects(account)["data"])
    assert len(project) == 1
    expected = [run["id"] for run in simulator.runs() if run["project_id"] in project]
    assert ids(every(of("one_project").list_runs, account)) == expected
    job = simulator.runs()[-1]["job_id"]
    before = len(simulator.runs())
    assert of("read_only").trigger_job(account, job, {"cause": "no"}, should_poll=False)["status"]["code"] == 404
    assert len(simulator.runs()) == before
    assert of("ip_blocked").list_accounts()["status"]["code"] == 403


def test_trigger_and_poll(cloud: Any, simulator: Simulator, account: int, well: dict[str, Any]) -> None:
    """A triggered run is polled until it succeeds, and is then in the list with its cause and its files."""
    simulator.settle()
    with simulator.time_passing():
        run = cloud.trigger_job(account, well["job_id"], {"cause": "Checked by dbtc"}, poll_interval=0.02)["data"]

    truth = simulator.run(run["id"])
    assert (run["status"], truth["status"], truth["trigger_cause"]) == (truth["status"], 10, "Checked by dbtc")
    listed = every(cloud.list_runs, account, job_definition_id=well["job_id"], include_related=["trigger"])
    assert [item["id"] for item in listed if item["trigger"]["cause"] == "Checked by dbtc"] == [run["id"]]
    manifest = cloud.get_run_artifact(account, run["id"], "manifest.json")
    assert manifest["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])


def test_trigger_without_a_cause(cloud: Any, simulator: Simulator, account: int, well: dict[str, Any]) -> None:
    """A trigger without a cause is 400 and begins nothing."""
    before = len(simulator.runs())

    assert cloud.trigger_job(account, well["job_id"], {})["status"]["code"] == 400
    assert len(simulator.runs()) == before


def test_cancel(cloud: Any, simulator: Simulator, account: int, well: dict[str, Any]) -> None:
    """A run that is under way is cancelled once, and stays cancelled however long one waits."""
    simulator.settle()
    run_id = simulator.order(well["job_id"], duration_seconds=600)
    simulator.advance(60)
    assert cloud.get_run(account, run_id)["data"]["status"] == 3

    assert cloud.cancel_run(account, run_id)["data"]["status"] == 30
    assert cloud.cancel_run(account, run_id)["status"]["code"] == 400
    simulator.advance(3600)
    assert (cloud.get_run(account, run_id)["data"]["status_humanized"], simulator.status(run_id)) == ("Cancelled", 30)


def test_retry_from_failure(cloud: Any, simulator: Simulator, account: int) -> None:
    """A job whose last run failed is run again from the failure, as a new run that names the old one."""
    job_id, failed = simulator.fail()
    with simulator.time_passing():
        run = cloud.trigger_job_from_failure(account, job_id, poll_interval=0.02)["data"]

    truth = simulator.run(run["id"])
    assert (truth["retrying_run_id"], truth["job_id"]) == (failed, job_id)
    assert run["status"] == truth["status"]
    assert run["retrying_run_id"] == failed


def test_create_change_and_delete_a_job(cloud: Any, account: int, well: dict[str, Any]) -> None:
    """A job is made, changed and deleted; DELETE has no body, as the specification says, which dbtc cannot read."""
    old = cloud.get_job(account, well["job_id"])["data"]
    kept = ("project_id", "environment_id", "execute_steps", "settings", "execution", "triggers")
    body = {key: old[key] for key in kept} | {"account_id": account, "id": None, "name": "Made by dbtc", "state": 1}
    made = cloud.create_job(account, body)

    assert made["status"]["code"] == 201
    job_id = made["data"]["id"]
    assert cloud.get_job(account, job_id)["data"]["execute_steps"] == old["execute_steps"]
    cloud.update_job(account, job_id, {**body, "id": job_id, "name": "Changed by dbtc"})
    assert cloud.get_job(account, job_id)["data"]["name"] == "Changed by dbtc"
    with pytest.raises(JSONDecodeError):
        cloud.delete_job(account, job_id)
    assert job_id not in ids(every(cloud.list_jobs, account))
    assert job_id in ids(every(cloud.list_jobs, account, state=2))


def test_webhooks(cloud: Any, account: int) -> None:
    """A subscription is made, listed, read, changed and deleted."""
    body = {
        "active": True,
        "client_url": "http://127.0.0.1:9/nobody-listens",
        "event_types": ["job.run.completed"],
        "name": "dbtc",
    }
    made = cloud.create_webhook(account, body)["data"]

    assert made["hmac_secret"]
    assert made["id"] in ids(cloud.list_webhooks(account)["data"])
    assert cloud.get_webhook(account, made["id"])["data"]["event_types"] == body["event_types"]
    changed = cloud.update_webhook(account, made["id"], {**body, "active": False})["data"]
    assert (changed["active"], cloud.get_webhook(account, made["id"])["data"]["active"]) == (False, False)
    cloud.delete_webhook(account, made["id"])
    assert made["id"] not in ids(cloud.list_webhooks(account)["data"])


def test_people_tokens_and_the_audit_log(cloud: Any, account: int) -> None:
    """People come in the order of their addresses; service tokens and the audit log are lists."""
    people = cloud.list_users(account)

    assert people["status"]["is_success"], people["status"]
    addresses = [person["email"] for person in people["data"]]
    assert addresses == sorted(addresses)
    assert addresses
    assert cloud.list_service_tokens(account)["data"]
    assert cloud.list_audit_logs(account, limit=5)["data"] == []


def test_an_outage_is_ridden_out(cloud: Any, simulator: Simulator, account: int) -> None:
    """A GET that was answered 503 with a page of HTML is repeated, and the list comes."""
    simulator.control("POST", "faults", {"next": [{"kind": "unavailable", "count": 1, "path": "/runs"}]})
    with simulator.lines() as lines:
        found = cloud.list_runs(account, limit=3)["data"]

    assert len(found) == 3
    assert [line.rpartition(" ")[2] for line in lines] == ["503", "200"]
