"""dagster-dbt: http is enough, `Token`, no slash anywhere, account_id repeated as a parameter, ranges as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import AssetCheckEvaluation, AssetMaterialization, Definitions, Failure, build_sensor_context
from dagster._serdes import serialize_value
from dagster_dbt.cloud_v2.client import DbtCloudWorkspaceClient
from dagster_dbt.cloud_v2.resources import DbtCloudCredentials, DbtCloudWorkspace, load_dbt_cloud_asset_specs
from dagster_dbt.cloud_v2.sensor_builder import DbtCloudPollingSensorCursor, build_dbt_cloud_polling_sensor

from conftest import Simulator, outcomes


def workspace_for(simulator: Simulator, run: dict[str, Any], token: str | None = None, **settings: Any) -> Any:
    """A workspace on the project and the environment of a run; the address may end with a slash."""
    credentials = DbtCloudCredentials(simulator.account_id, token or simulator.token, simulator.url + "/")
    return DbtCloudWorkspace(
        credentials=credentials,
        project_id=run["project_id"],
        environment_id=run["environment_id"],
        request_retry_delay=0.01,
        **settings,
    )


@pytest.fixture(scope="module")
def workspace(simulator: Simulator, well: dict[str, Any]) -> DbtCloudWorkspace:
    return workspace_for(simulator, well)


@pytest.fixture(scope="module")
def client(workspace: DbtCloudWorkspace) -> DbtCloudWorkspaceClient:
    return workspace.get_client()


@pytest.fixture(scope="module")
def fetched(workspace: DbtCloudWorkspace, simulator: Simulator) -> Any:
    """What the workspace fetches when code is loaded: it makes a job, runs `dbt parse` on it and reads the manifest."""
    simulator.settle()
    with simulator.time_passing():
        return workspace.get_or_fetch_workspace_data()


@pytest.fixture(scope="module")
def specs(fetched: Any, workspace: DbtCloudWorkspace, simulator: Simulator) -> Any:
    """The assets of the workspace; loading them outside of a code location fetches everything again."""
    simulator.settle()
    with simulator.time_passing():
        return load_dbt_cloud_asset_specs(workspace)


def ids(items: Any) -> list[int]:
    return [item["id"] for item in items]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def of_workspace(simulator: Simulator, workspace: DbtCloudWorkspace) -> list[dict[str, Any]]:
    """The true runs of the workspace's project and environment."""
    place = (workspace.project_id, workspace.environment_id)
    return [run for run in simulator.runs() if (run["project_id"], run["environment_id"]) == place]


def built_by(step: dict[str, Any]) -> set[str]:
    """The nodes that a true step built."""
    done = outcomes(step.get("executions", []))
    return {i for i, status in done.items() if status == "success" and i.split(".")[0] in ("model", "seed", "snapshot")}


def test_account_project_and_environment(
    client: DbtCloudWorkspaceClient, simulator: Simulator, workspace: DbtCloudWorkspace
) -> None:
    """The connection is verified; the account, the project and the environment are read without a slash."""
    client.verify_connection()
    assert client.get_account_details()["name"] == simulator.accounts[0]["name"]
    assert client.get_project_details(workspace.project_id)["id"] == workspace.project_id
    environment = client.get_environment_details(workspace.environment_id)
    assert (environment["id"], environment["project_id"]) == (workspace.environment_id, workspace.project_id)


def test_jobs(client: DbtCloudWorkspaceClient, simulator: Simulator, workspace: DbtCloudWorkspace) -> None:
    """The jobs of the project and environment are those that ran there, but for the deleted one."""
    names = {run["job_id"]: run["job_name"] for run in of_workspace(simulator, workspace)}
    jobs = client.list_jobs(workspace.project_id, workspace.environment_id)

    assert len(names) - len(jobs) <= 1
    assert {job["id"]: job["name"] for job in jobs}.items() <= names.items()
    assert client.get_job_details(jobs[0]["id"])["name"] == jobs[0]["name"]


def test_batches_of_runs(
    client: DbtCloudWorkspaceClient, simulator: Simulator, workspace: DbtCloudWorkspace, well: dict[str, Any]
) -> None:
    """Batches between two ends hold each run that finished then, in the order in which they finished."""
    ended = [run for run in of_workspace(simulator, workspace) if run["finished_at"]]
    ended.sort(key=lambda run: moment(run["finished_at"]))
    begin, end = moment(ended[5]["finished_at"]), moment(ended[-5]["finished_at"])
    found: list[Any] = []
    while True:
        batch, total = client.get_runs_batch(workspace.project_id, workspace.environment_id, begin, end, len(found))
        found += batch
        if len(found) >= total:
            break

    assert total > 100
    assert [(run["id"], run["status"]) for run in found] == [(run["id"], run["status"]) for run in ended[5:-4]]
    assert moment(next(run for run in found if run["id"] == well["id"])["finished_at"]) == moment(well["finished_at"])
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert client.get_runs_batch(workspace.project_id, workspace.environment_id, early, early) == ([], 0)


def test_active_jobs(client: DbtCloudWorkspaceClient, simulator: Simulator, workspace: DbtCloudWorkspace) -> None:
    """The jobs with a run under way, and no others, are active."""
    runs = of_workspace(simulator, workspace)
    active = {run["job_id"] for run in runs if run["status"] in (1, 2, 3)}
    jobs = sorted({run["job_id"] for run in runs})

    assert active
    assert client.get_active_job_ids(workspace.project_id, workspace.environment_id, jobs) == active


def test_a_run_with_its_steps_and_logs(client: DbtCloudWorkspaceClient, well: dict[str, Any]) -> None:
    """A run's steps are the true ones, and each step that ran dbt has a log."""
    run = client.get_run_details(well["id"], include_related=["run_steps", "trigger", "job"])

    assert [(step["index"], step["name"], step["status"]) for step in run["run_steps"]] == [
        (step["index"], step["name"], step["status"]) for step in well["steps"]
    ]
    assert (run["trigger"]["cause"], run["job"]["name"]) == (well["trigger_cause"], well["job_name"])
    logs = client.get_run_logs(well["id"], retry_delay=0)
    for step in well["steps"]:
        assert f"=== Step: {step['name']} ===" in logs


def test_artifacts(client: DbtCloudWorkspaceClient, well: dict[str, Any]) -> None:
    """The list, the manifest and the run results are those of the last step, and name the run."""
    last = well["steps"][-1]

    assert client.list_run_artifacts(well["id"]) == last["artifacts"]
    manifest, results = client.get_run_manifest_json(well["id"]), client.get_run_results_json(well["id"])
    for document in (manifest, results):
        assert document["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(well["id"])
        assert document["metadata"]["invocation_id"] == last["invocation_id"]
    assert outcomes(results["results"]) == outcomes(last["executions"])


def test_what_is_not_there(client: DbtCloudWorkspaceClient, simulator: Simulator, well: dict[str, Any]) -> None:
    """A missing file and a missing run are 404, which dagster asks for four times before it gives up."""
    for ask in (lambda: client.get_run_artifact(well["id"], "nothing.json"), lambda: client.get_run_details(1)):
        with simulator.lines() as lines, pytest.raises(Failure, match="Max retries"):
            ask()
        assert [line.rpartition(" ")[2] for line in lines] == ["404"] * 4


def test_a_wrong_token(simulator: Simulator, well: dict[str, Any]) -> None:
    """A token that is not one is 401."""
    stranger = workspace_for(simulator, well, "dbtc_" + "0" * 40, request_max_retries=0).get_client()

    with simulator.lines() as lines, pytest.raises(Exception, match="Failed to verify connection"):
        stranger.verify_connection()
    assert [line.rpartition(" ")[2] for line in lines] == ["401"]


def test_a_job_is_made_and_destroyed(client: DbtCloudWorkspaceClient, workspace: DbtCloudWorkspace) -> None:
    """A job without commands is made, listed, and destroyed; destroying it needs the body of older answers."""
    place = (workspace.project_id, workspace.environment_id)
    made = client.create_job(project_id=place[0], environment_id=place[1], job_name="Made by dagster")

    assert (made["name"], made["project_id"], made["environment_id"]) == ("Made by dagster", *place)
    assert made["id"] in ids(client.list_jobs(*place))
    assert client.destroy_job(made["id"])["id"] == made["id"]
    assert made["id"] not in ids(client.list_jobs(*place))
    assert client.destroy_job(1) is None


def test_trigger_and_poll(client: DbtCloudWorkspaceClient, simulator: Simulator, well: dict[str, Any]) -> None:
    """A triggered run is polled until it succeeds."""
    simulator.settle()
    run_id = client.trigger_job_run(well["job_id"])["id"]
    assert client.get_run_details(run_id)["status"] == 1
    with simulator.time_passing():
        run = client.poll_run(run_id)

    truth = simulator.run(run_id)
    assert (run["status"], truth["status"], truth["trigger_cause"]) == (10, 10, "Triggered by dagster.")
    assert client.get_run_manifest_json(run_id)["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run_id)


def test_cancel(client: DbtCloudWorkspaceClient, simulator: Simulator, well: dict[str, Any]) -> None:
    """A run that is under way is cancelled, and polling sees it at once."""
    simulator.settle()
    run_id = simulator.order(well["job_id"], duration_seconds=600)
    simulator.advance(60)

    assert client.cancel_run(run_id)["status"] == 30
    assert (client.poll_run(run_id)["status"], simulator.status(run_id)) == (30, 30)
    assert client.list_run_artifacts(run_id) is None


def test_the_workspace_is_fetched(fetched: Any, simulator: Simulator, workspace: DbtCloudWorkspace) -> None:
    """Fetching makes one job, runs `dbt parse` on it and has that run's manifest; the job is listed with the others."""
    [job_id] = fetched.adhoc_job_ids
    run = next(run for run in simulator.runs() if run["job_id"] == job_id)

    assert job_id in ids(fetched.jobs)
    assert fetched.manifest["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])
    told = workspace.get_client().get_run_details(run["id"], include_related=["trigger"])
    assert told["trigger"]["steps_override"] == ["dbt parse"]
    assert [step["command"] for step in run["steps"]][-1] == "dbt parse"
    assert (told["status"], run["status"]) == (10, 10)
    assert (fetched.project_id, fetched.environment_id) == (workspace.project_id, workspace.environment_id)


def test_assets(fetched: Any, specs: Any) -> None:
    """Each model, seed and snapshot of the manifest becomes an asset, with its parents as dependencies."""
    specs = {spec.metadata["dagster_dbt/unique_id"]: spec for spec in specs}
    nodes = {
        unique_id: node
        for unique_id, node in fetched.manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed", "snapshot") and node["config"]["materialized"] != "ephemeral"
    }

    assert set(specs) == set(nodes)
    for unique_id, node in nodes.items():
        parents = {specs[parent].key for parent in node["depends_on"].get("nodes", []) if parent in specs}
        assert parents <= {dependency.asset_key for dependency in specs[unique_id].deps}


def test_a_command_yields_events(fetched: Any, simulator: Simulator, workspace: DbtCloudWorkspace) -> None:
    """A command run through the workspace yields the events that its run's true executions ask for."""
    simulator.settle()
    with simulator.time_passing():
        invocation = workspace.cli(["build"])
        events = list(invocation.wait())
    truth = simulator.run(invocation.run_handler.run_id)
    [step] = [step for step in truth["steps"] if step["command"] == "dbt build"]

    built = {e.metadata["unique_id"].value for e in events if isinstance(e, AssetMaterialization)}
    tested = {e.metadata["unique_id"].value for e in events if isinstance(e, AssetCheckEvaluation)}
    assert built == built_by(step)
    assert tested
    assert tested <= {unique_id for unique_id in outcomes(step["executions"]) if unique_id.startswith("test.")}
    assert {e.metadata["invocation_id"].value for e in events} == {step["invocation_id"]}


def test_the_sensor_tells_what_ran(
    fetched: Any, specs: Any, simulator: Simulator, workspace: DbtCloudWorkspace
) -> None:
    """For runs of the past, each in a window of its own, the polling sensor tells every node that was built."""
    sensor = build_dbt_cloud_polling_sensor(workspace=workspace)
    compared = 0
    for run in reversed(of_workspace(simulator, workspace)):
        if compared == 5:
            break
        if run["status"] != 10 or run["job_id"] in fetched.adhoc_job_ids:
            continue
        last = simulator.run(run["id"])["steps"][-1]
        expected = {i for i in built_by(last) if i in fetched.manifest["nodes"]}
        if not expected:
            continue
        end = moment(run["finished_at"])
        cursor = DbtCloudPollingSensorCursor(
            finished_at_lower_bound=(end - timedelta(milliseconds=1)).timestamp(),
            finished_at_upper_bound=(end + timedelta(milliseconds=1)).timestamp(),
        )
        definitions = Definitions(assets=specs, sensors=[sensor])
        context = build_sensor_context(cursor=serialize_value(cursor), definitions=definitions)
        events = sensor(context).asset_events
        assert {event.metadata["unique_id"].value for event in events} == expected
        assert {event.metadata["invocation_id"].value for event in events} == {last["invocation_id"]}
        compared += 1
    assert compared == 5


def test_an_outage_is_ridden_out(client: DbtCloudWorkspaceClient, simulator: Simulator) -> None:
    """The client asks again after a 503 and after a broken connection."""
    run_id = simulator.runs()[0]["id"]
    faults = [{"kind": kind, "count": 1, "path": "/runs/"} for kind in ("unavailable", "reset_before")]
    simulator.control("POST", "faults", {"next": faults})
    with simulator.lines() as lines:
        assert client.get_run_details(run_id)["status"] == simulator.status(run_id)
    assert len(lines) == 3
