"""Airflow's provider: https only, `Token`, include_related repeated, paging by `extra`, aiohttp in the triggerer."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponseError
from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunException
from airflow.providers.dbt.cloud.operators.dbt import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobsOperator,
    DbtCloudRunJobOperator,
)
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

from conftest import Simulator, outcomes


class TaskInstance:
    """What the operators use of a task instance: the number of the try, and a place for XComs."""

    def __init__(self, try_number: int = 1) -> None:
        self.try_number = try_number
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def hook() -> DbtCloudHook:
    """A hook on the default connection, which stands in the environment as JSON."""
    return DbtCloudHook()


def all_of(pages: list[Any]) -> list[dict[str, Any]]:
    """What all pages of a list hold."""
    return [item for page in pages for item in page.json()["data"]]


def ids(items: list[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


def connect(monkeypatch: pytest.MonkeyPatch, simulator: Simulator, token: str) -> DbtCloudHook:
    """A hook on a connection of its own, with another token."""
    host = simulator.url.partition("://")[2]
    said = {"conn_type": "dbt_cloud", "login": str(simulator.account_id), "password": token, "host": host}
    monkeypatch.setenv("AIRFLOW_CONN_DBT_OTHER", json.dumps(said))
    return DbtCloudHook("dbt_other")


def test_the_connection_and_the_account(hook: DbtCloudHook, simulator: Simulator) -> None:
    """The connection's test passes; the account of the connection's login is found without naming it."""
    assert hook.test_connection() == (True, "Successfully connected to dbt Cloud.")
    assert hook.list_accounts().status_code == 200
    account = hook.get_account().json()["data"]
    assert (account["id"], account["name"]) == (simulator.account_id, simulator.accounts[0]["name"])


def test_projects_and_environments(hook: DbtCloudHook, simulator: Simulator) -> None:
    """Every project and environment that runs name is listed, found by a part of its name, and read by id."""
    projects = all_of(hook.list_projects())
    used = {(run["project_id"], run["environment_id"]) for run in simulator.runs()}

    assert {project_id for project_id, _ in used} == set(ids(projects))
    part = projects[0]["name"][1:5].upper()
    assert projects[0]["id"] in ids(all_of(hook.list_projects(name_contains=part)))
    assert hook.get_project(projects[0]["id"]).json()["data"]["name"] == projects[0]["name"]
    for project_id, environment_id in used:
        assert environment_id in ids(all_of(hook.list_environments(project_id)))
        read = hook.get_environment(project_id, environment_id).json()["data"]
        assert read["id"] == environment_id
        found = all_of(hook.list_environments(project_id, name_contains=read["name"].lower()))
        assert environment_id in ids(found)


def test_jobs(hook: DbtCloudHook, simulator: Simulator) -> None:
    """Active jobs are listed by project and order, read without a slash at the end, and found by their names."""
    runs = simulator.runs()
    names = {run["job_id"]: run["job_name"] for run in runs}
    jobs = all_of(hook.list_jobs(order_by="-id"))

    assert ids(jobs) == sorted(ids(jobs), reverse=True)
    assert set(ids(jobs)) < set(names)
    assert {job["id"]: job["name"] for job in jobs}.items() <= names.items()
    some = jobs[0]
    in_project = [job["id"] for job in jobs if job["project_id"] == some["project_id"]]
    assert ids(all_of(hook.list_jobs(order_by="-id", project_id=some["project_id"]))) == in_project
    assert hook.get_job(some["id"]).json()["data"]["name"] == some["name"]
    project = hook.get_project(some["project_id"]).json()["data"]["name"]
    environment = hook.get_environment(some["project_id"], some["environment_id"]).json()["data"]["name"]
    found = hook.get_job_by_name(project_name=project, environment_name=environment, job_name=some["name"])
    assert found["id"] == some["id"]


def test_all_runs(hook: DbtCloudHook, simulator: Simulator) -> None:
    """The pages of all runs are the truth's runs with their statuses, newest first when asked for."""
    truth = [(run["id"], run["status"]) for run in simulator.runs()]
    pages = hook.list_job_runs()

    assert len(pages) > 1
    assert [(run["id"], run["status"]) for run in all_of(pages)] == truth
    assert ids(all_of(hook.list_job_runs(order_by="-id"))) == [run_id for run_id, _ in truth][::-1]


def test_runs_of_a_job_with_related_objects(hook: DbtCloudHook, simulator: Simulator, well: dict[str, Any]) -> None:
    """A job's runs come with the related objects that repeated parameters name, and with no other."""
    with simulator.lines() as lines:
        pages = hook.list_job_runs(include_related=["trigger", "job"], job_definition_id=well["job_id"])
    truth = {run["id"]: run for run in simulator.runs() if run["job_id"] == well["job_id"]}

    assert "include_related=trigger&include_related=job" in lines[0]
    runs = all_of(pages)
    assert ids(runs) == list(truth)
    assert {run["id"]: run["trigger"]["cause"] for run in runs} == {i: run["trigger_cause"] for i, run in truth.items()}
    assert {run["job"]["name"] for run in runs} == {well["job_name"]}
    assert {run["environment"] is None for run in runs} == {True}


@pytest.mark.parametrize("status", [1, 2, 3, 10, 20, 30])
def test_one_run_in_each_status(hook: DbtCloudHook, simulator: Simulator, status: int) -> None:
    """The status of a run is the true one, whichever it is, read by the hook and by the triggerer."""
    run_id = [run["id"] for run in simulator.runs() if run["status"] == status][-1]

    assert hook.get_job_run_status(run_id) == status
    assert asyncio.run(DbtCloudHook().get_job_status(run_id)) == status


def test_a_run_with_its_steps(hook: DbtCloudHook, well: dict[str, Any]) -> None:
    """A run's steps are the true ones, and without asking there are none."""
    run = hook.get_job_run(well["id"], include_related=["run_steps", "environment"]).json()["data"]

    assert [(step["index"], step["name"], step["status"]) for step in run["run_steps"]] == [
        (step["index"], step["name"], step["status"]) for step in well["steps"]
    ]
    assert run["environment"]["id"] == well["environment_id"]
    assert hook.get_job_run(well["id"]).json()["data"]["run_steps"] == []
    details = asyncio.run(DbtCloudHook().get_job_details(well["id"], include_related=["run_steps"]))["data"]
    assert [step["index"] for step in details["run_steps"]] == [step["index"] for step in well["steps"]]


def test_artifacts_of_each_step(hook: DbtCloudHook, well: dict[str, Any]) -> None:
    """Each step's files are JSON that names the run and the step's invocation; run results are the true ones."""
    for step in (step for step in well["steps"] if "run_results.json" in step["artifacts"]):
        paths = ["manifest.json", "run_results.json"]
        found = asyncio.run(hook.get_job_run_artifacts_concurrently(well["id"], paths, step=step["index"]))
        for document in found.values():
            assert document["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(well["id"])
            assert document["metadata"]["invocation_id"] == step["invocation_id"]
        assert outcomes(found["run_results.json"]["results"]) == outcomes(step["executions"])


def test_artifacts_of_the_last_step(hook: DbtCloudHook, well: dict[str, Any]) -> None:
    """The list names the last step's files whatever step is asked for; a file without a step is the last step's."""
    last, first = well["steps"][-1], well["steps"][0]

    assert hook.list_job_run_artifacts(well["id"]).json()["data"] == last["artifacts"]
    assert hook.list_job_run_artifacts(well["id"], step=first["index"]).json()["data"] == last["artifacts"]
    answer = hook.get_job_run_artifact(well["id"], "manifest.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["metadata"]["invocation_id"] == last["invocation_id"]


def test_what_is_not_there(hook: DbtCloudHook, simulator: Simulator, well: dict[str, Any]) -> None:
    """A missing file, a file of a step that leaves none, a missing run and another's account are 404."""
    other_account = simulator.accounts[1]["id"]
    for ask in (
        lambda: hook.get_job_run_artifact(well["id"], "nothing.json"),
        lambda: hook.get_job_run_artifact(well["id"], "manifest.json", step=1),
        lambda: hook.get_job_run(1),
        lambda: hook.get_account(other_account),
    ):
        with pytest.raises(AirflowException, match="404:Not Found"):
            ask()
    with pytest.raises(ClientResponseError) as raised:
        asyncio.run(DbtCloudHook().get_job_status(1))
    assert raised.value.status == 404


def test_a_wrong_token(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is not one is 401 everywhere but in the connection's test, which asks for the root."""
    stranger = connect(monkeypatch, simulator, "dbtc_" + "0" * 40)

    for ask in (stranger.get_account, stranger.list_projects, stranger.list_job_runs):
        with pytest.raises(AirflowException, match="401:Unauthorized"):
            ask()
    assert stranger.test_connection()[0]


def test_a_blocked_address(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is off the account's list is 403."""
    blocked = connect(monkeypatch, simulator, simulator.accounts[0]["tokens"]["ip_blocked"])

    with pytest.raises(AirflowException, match="403:Forbidden"):
        blocked.get_account()


def test_trigger_and_wait(hook: DbtCloudHook, simulator: Simulator, well: dict[str, Any]) -> None:
    """A triggered run is waited for until it succeeds, and carries its cause, its override and its files."""
    simulator.settle()
    answer = hook.trigger_job_run(
        well["job_id"], "Checked by Airflow", schema_override="checked", additional_run_config={"threads_override": 8}
    )
    run_id = answer.json()["data"]["id"]
    with simulator.time_passing():
        assert hook.wait_for_job_run_status(run_id, check_interval=0, timeout=60)

    truth = simulator.run(run_id)
    assert (truth["status"], truth["trigger_cause"]) == (10, "Checked by Airflow")
    trigger = hook.get_job_run(run_id, include_related=["trigger"]).json()["data"]["trigger"]
    assert (trigger["schema_override"], trigger["threads_override"]) == ("checked", 8)
    manifest = hook.get_job_run_artifact(run_id, "manifest.json").json()
    assert manifest["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run_id)


def test_waiting_for_a_run_that_fails(
    hook: DbtCloudHook, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Waiting for a run that fails raises, and logs the step that failed."""
    _, run_id = simulator.fail()
    failed = next(step for step in simulator.run(run_id)["steps"] if step["status"] == 20)

    with pytest.raises(DbtCloudJobRunException, match="ERROR"):
        hook.wait_for_job_run_status(run_id, check_interval=0)
    assert f"dbt Cloud failed step — step {failed['index']}: {failed['name']}" in capsys.readouterr().out


def test_cancel(hook: DbtCloudHook, simulator: Simulator, well: dict[str, Any]) -> None:
    """A run that is under way is cancelled, ends no other way, and cannot be cancelled again."""
    simulator.settle()
    run_id = simulator.order(well["job_id"], duration_seconds=600)
    simulator.advance(60)
    hook.cancel_job_run(run_id)

    assert (hook.get_job_run_status(run_id), simulator.status(run_id)) == (30, 30)
    with pytest.raises(DbtCloudJobRunException, match="CANCELLED"):
        hook.wait_for_job_run_status(run_id, check_interval=0)
    with pytest.raises(AirflowException, match="400:Bad Request"):
        hook.cancel_job_run(run_id)
    assert hook.list_job_run_artifacts(run_id).json()["data"] is None


def test_retry_from_failure(hook: DbtCloudHook, simulator: Simulator) -> None:
    """A job whose newest run failed is retried from the failure: a new run that names the old one."""
    job_id, failed = simulator.fail()
    run_id = hook.trigger_job_run(job_id, "again", retry_from_failure=True).json()["data"]["id"]
    with simulator.time_passing():
        assert hook.wait_for_job_run_status(run_id, check_interval=0, timeout=60, expected_statuses={10, 20})

    truth = simulator.run(run_id)
    assert (truth["retrying_run_id"], truth["job_id"]) == (failed, job_id)
    assert hook.get_job_run(run_id).json()["data"]["retrying_run_id"] == failed


def test_no_retry_where_nothing_failed(hook: DbtCloudHook, simulator: Simulator, well: dict[str, Any]) -> None:
    """A job whose newest run did well is triggered anew when a retry is asked for."""
    simulator.settle()
    run_id = simulator.order(well["job_id"], recording_id=well["recording_id"], duration_seconds=30)
    simulator.finish(run_id)
    assert simulator.status(run_id) == 10

    answer = hook.trigger_job_run(well["job_id"], "anew", retry_from_failure=True).json()["data"]
    assert (answer["retrying_run_id"], simulator.run(answer["id"])["trigger_cause"]) == (None, "anew")


def test_a_triggers_event(simulator: Simulator, well: dict[str, Any]) -> None:
    """The triggerer's coroutine follows a run over aiohttp to its success, and tells that another was cancelled."""

    async def event(run_id: int) -> dict[str, Any]:
        trigger = DbtCloudRunJobTrigger(
            conn_id="dbt_cloud_default",
            run_id=run_id,
            end_time=time.time() + 60,
            account_id=simulator.account_id,
            poll_interval=0.02,
        )
        async for told in trigger.run():
            return told.payload
        raise AssertionError("the trigger told nothing")

    simulator.settle()
    run_id = simulator.order(well["job_id"], recording_id=well["recording_id"], duration_seconds=120)
    with simulator.time_passing():
        told = asyncio.run(event(run_id))
    assert (told["status"], told["run_id"], simulator.status(run_id)) == ("success", run_id, 10)
    cancelled = next(run["id"] for run in simulator.runs() if run["status"] == 30)
    assert asyncio.run(event(cancelled))["status"] == "cancelled"


def test_operators_and_the_sensor(simulator: Simulator, well: dict[str, Any]) -> None:
    """The run operator triggers, waits and pushes the run's address; the sensor agrees; files and jobs are fetched."""
    simulator.settle()
    task_instance = TaskInstance()
    run = DbtCloudRunJobOperator(
        task_id="run", job_id=well["job_id"], trigger_reason="By the operator", check_interval=0, timeout=60
    )
    with simulator.time_passing():
        run_id = run.execute({"ti": task_instance})

    assert (simulator.status(run_id), simulator.run(run_id)["trigger_cause"]) == (10, "By the operator")
    assert task_instance.pushed["job_run_id"] == run_id
    assert task_instance.pushed["job_run_url"].endswith(f"/runs/{run_id}/")
    assert DbtCloudJobRunSensor(task_id="sense", run_id=run_id).poke({})
    fetch = DbtCloudGetJobRunArtifactOperator(
        task_id="fetch", run_id=run_id, path="manifest.json", output_file_name="manifest.json"
    )
    manifest = json.loads(Path(fetch.execute({})).read_text())
    assert manifest["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run_id)
    assert well["job_id"] in DbtCloudListJobsOperator(task_id="jobs").execute({})


def test_an_outage_is_ridden_out(simulator: Simulator) -> None:
    """A hook that may try twice asks again after a broken connection, and in the triggerer also after a 503."""
    run_id = simulator.runs()[0]["id"]
    for kind, ask in (
        ("reset_before", lambda hook: hook.get_job_run_status(run_id)),
        ("unavailable", lambda hook: asyncio.run(hook.get_job_status(run_id))),
    ):
        simulator.control("POST", "faults", {"next": [{"kind": kind, "count": 1, "path": "/runs/"}]})
        with simulator.lines() as lines:
            assert ask(DbtCloudHook(retry_limit=2, retry_delay=0.01)) == simulator.status(run_id)
        assert len(lines) == 2
