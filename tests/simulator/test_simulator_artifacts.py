"""Artifacts: which step has which, and that their bytes belong to the run."""

import json
from datetime import datetime, timedelta

import pytest
from tiny import JOBS, RECORDED_AT

NAMES = ["catalog.json", "manifest.json", "run_results.json"]


def artifacts(client, run_id, path="", **parameters):
    return client.get(f"/api/v2/accounts/{{a}}/runs/{run_id}/artifacts/{path}", **parameters)


@pytest.fixture(scope="module")
def nightly(month, reader):
    """A nightly run that went well, as it is."""
    runs = month.truth(account_id=reader.account.id)["accounts"][0]["runs"]
    return next(run for run in runs if run["recording_id"] == "storefront/nightly/healthy-a")


def test_without_a_step_the_last_one_answers(reader, nightly):
    """With docs that is `docs generate`, whose results are not those of the build."""
    assert artifacts(reader, nightly["id"]).data == NAMES
    default = artifacts(reader, nightly["id"], "run_results.json")
    assert default.body == artifacts(reader, nightly["id"], "run_results.json", step=7).body
    assert default.json["args"]["which"] == "docs"
    assert artifacts(reader, nightly["id"], "run_results.json", step=6).json["args"]["which"] == "build"


def test_each_step_has_its_own_files(reader, nightly):
    """Freshness wrote sources, the build results; clone, profile and deps wrote nothing; step 8 never was."""
    found = {
        step: [
            name for name in (*NAMES, "sources.json") if artifacts(reader, nightly["id"], name, step=step).status == 200
        ]
        for step in range(1, 9)
    }
    assert found == {
        1: [], 2: [], 3: [], 8: [],
        4: ["manifest.json", "sources.json"],
        5: ["manifest.json", "run_results.json"],
        6: ["manifest.json", "run_results.json"],
        7: NAMES,
    }  # fmt: skip
    assert [step["artifacts"] for step in nightly["steps"]] == [
        sorted(found[step["index"]]) for step in nightly["steps"]
    ]


def test_a_file_is_raw_bytes_with_its_own_type(reader, nightly):
    """No envelope; a file that is not there is 404 in the envelope."""
    reply = artifacts(reader, nightly["id"], "manifest.json")
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json) == {"metadata", "nodes", "sources"}
    missing = artifacts(reader, nightly["id"], "compiled/m0.sql")
    assert (missing.status, missing.data) == (404, None)


def test_the_files_of_a_step_belong_together(reader, nightly):
    """One invocation, fresh for each run and step; the run's ids in the environment."""
    for step in nightly["steps"][3:]:
        files = [artifacts(reader, nightly["id"], name, step=step["index"]).json for name in step["artifacts"]]
        assert {file["metadata"]["invocation_id"] for file in files} == {step["invocation_id"]}
        for file in files:
            environment = file["metadata"]["env"]
            assert environment["DBT_CLOUD_RUN_ID"] == str(nightly["id"])
            assert environment["DBT_CLOUD_JOB_ID"] == str(nightly["job_id"])
            assert environment["DBT_CLOUD_ACCOUNT_ID"] == str(reader.account.id)
            assert environment["DBT_CLOUD_RUN_REASON_CATEGORY"] == "scheduled"
    identifiers = [step["invocation_id"] for step in nightly["steps"] if step["invocation_id"]]
    assert len(set(identifiers)) == 4


def test_all_times_lie_in_the_step(reader, nightly):
    """Results begin and end within their step, stretched alike, and agree with the truth."""
    step = nightly["steps"][5]
    begin, end = (datetime.fromisoformat(step[name]) for name in ("started_at", "finished_at"))
    document = artifacts(reader, nightly["id"], "run_results.json", step=6).json
    stretch = (end - begin) / timedelta(seconds=4)
    assert stretch > 10
    for number, (result, told) in enumerate(zip(document["results"], step["executions"], strict=True)):
        started = datetime.fromisoformat(result["timing"][1]["started_at"])
        completed = datetime.fromisoformat(result["timing"][1]["completed_at"])
        assert abs((started - begin) / timedelta(seconds=stretch) - 0.5 - 0.3 * number) < 0.001
        assert abs((completed - started).total_seconds() - result["execution_time"]) < 0.001
        assert result["execution_time"] == pytest.approx(told["execution_time"])
        assert (result["unique_id"], result["status"]) == (told["unique_id"], told["status"])
    assert document["elapsed_time"] == pytest.approx(3.5 * stretch)
    assert begin <= datetime.fromisoformat(document["metadata"]["generated_at"]) <= end


def test_code_is_left_alone(reader, nightly):
    """Times inside strings and in SQL are not dbt's own."""
    manifest = artifacts(reader, nightly["id"], "manifest.json").json
    node = manifest["nodes"]["model.storefront.m1"]
    assert node["raw_code"] == "select '\"created_at\": 1234567890.5' as trap, timestamp '2024-01-01 00:00:00'"
    created = [node["created_at"] for node in manifest["nodes"].values()]
    assert len(set(created)) == len(created)
    begin = datetime.fromisoformat(nightly["steps"][6]["started_at"]).timestamp()
    assert all(begin - 1 <= value <= begin + 2 for value in created)


def test_stale_sources_keep_their_age(reader, month):
    """The age told is the difference of the two times told, and in an episode the data stands still."""
    runs = month.truth(account_id=reader.account.id, executions="false")["accounts"][0]["runs"]
    stale = [run for run in runs if run["recording_id"] == "storefront/freshness/stale_source" and run["status"] == 10]
    ages = []
    for run in stale:
        (result,) = artifacts(reader, run["id"], "sources.json").json["results"]
        loaded, snapshotted = (datetime.fromisoformat(result[name]) for name in ("max_loaded_at", "snapshotted_at"))
        assert (snapshotted - loaded).total_seconds() == pytest.approx(result["max_loaded_at_time_ago_in_s"])
        ages.append((loaded, result["max_loaded_at_time_ago_in_s"]))
    assert len({loaded for loaded, _ in ages}) < len(ages)
    assert len({age for _, age in ages}) == len(ages)


def test_a_failed_run_keeps_its_results(reader, month):
    """A build that fails has its results; one that does not parse has nothing."""
    runs = month.truth(account_id=reader.account.id)["accounts"][0]["runs"]
    failed = next(run for run in runs if run["recording_id"] == "storefront/hourly/bad_data")
    results = artifacts(reader, failed["id"], "run_results.json").json["results"]
    assert [result["status"] for result in results].count("error") == 1
    unparsed = next(run for run in runs if run["recording_id"] == "storefront/hourly/parse_error")
    assert artifacts(reader, unparsed["id"]).data is None
    assert artifacts(reader, unparsed["id"], "manifest.json").status == 404
    assert reader.run(unparsed["id"]).data["artifacts_saved"] is False


def test_the_latest_file_of_a_job(reader, nightly, month):
    """A job's artifact is the one of its latest run that has it."""
    path = f"/api/v2/accounts/{{a}}/jobs/{nightly['job_id']}/artifacts/"
    found = reader.get(f"{path}catalog.json").json["metadata"]["env"]["DBT_CLOUD_RUN_ID"]
    runs = month.truth(account_id=reader.account.id, executions="false")["accounts"][0]["runs"]
    with_it = [
        run["id"]
        for run in runs
        if run["job_id"] == nightly["job_id"] and run["steps"] and "catalog.json" in run["steps"][-1]["artifacts"]
    ]
    assert int(found) == max(with_it)
    assert reader.get(f"{path}nothing.json").status == 404


def test_the_list_looks_at_no_step_unless_assumed(reader, nightly, simulate):
    """The documented list ignores `step`; the assumption makes it look."""
    assert artifacts(reader, nightly["id"], step=6).data == NAMES
    client = simulate(assume=("list_honours_step=true",), days=30)
    assert artifacts(client, nightly["id"], step=6).data == ["manifest.json", "run_results.json"]
    assert artifacts(client, nightly["id"], step=1).data is None


def test_steps_may_share_a_target(nightly, simulate):
    """When assumed so, files of earlier steps are still there after later ones."""
    client = simulate(assume=("steps_share_target=true",), days=30)
    assert artifacts(client, nightly["id"]).data == [*NAMES, "sources.json"]
    assert artifacts(client, nightly["id"], "sources.json", step=6).status == 200


def test_artifacts_may_come_late(simulate):
    """For a while after the end the list is null and files are not found."""
    client = simulate()
    client.simulator.control("POST", "faults", {"artifact_delay_seconds": 60})
    job = client.job("Hourly models")["id"]
    made = client.simulator.control("POST", "runs", {"job_id": job, "recording_id": "storefront/hourly/healthy-a"})
    client.simulator.advance((datetime.fromisoformat(made["ends_at"]) - now(client)).total_seconds() + 1)
    assert client.run(made["id"]).data["status"] == 10
    assert artifacts(client, made["id"]).data is None
    client.simulator.advance(60)
    assert artifacts(client, made["id"], "manifest.json").status == 200


def test_while_it_runs_nothing_is_there(simulate):
    """Artifacts appear at the end of the run, not of the step."""
    client = simulate()
    running = client.runs(status=3).ids[0]
    assert artifacts(client, running).data is None
    assert artifacts(client, running, "manifest.json", step=4).status == 404


def test_recordings_are_what_the_tests_think(archive):
    """The tiny archive has its jobs and its time."""
    assert {project.name for project in archive.index.projects} == set(JOBS)
    assert archive.index.recordings[0].steps[0].started_at == RECORDED_AT
    assert json.loads(bytes(archive.read("index.json")))["format"] == 1


def now(client) -> datetime:
    return datetime.fromisoformat(client.simulator.control("GET", "clock")["now"])
