"""Runs that begin, go on and end as the clock moves; jobs that requests make and change."""

from datetime import datetime

import pytest
from asking import NOW


def begin(client, body=None, name="Hourly models"):
    job = client.job(name)["id"]
    return client.post(f"/api/v2/accounts/{{a}}/jobs/{job}/run/", body or {"cause": "by the test"})


def settle(client, run_id):
    """Let the run end."""
    for _ in range(200):
        run = client.run(run_id).data
        if run["is_complete"]:
            return run
        client.simulator.advance(60)
    raise AssertionError("the run never ended")


def order(client, recording, **more):
    """A run of a chosen recording, brought to its end."""
    project, job, _ = recording.split("/")
    names = {"hourly": "Hourly models", "nightly": "Nightly build"}
    made = client.simulator.control(
        "POST", "runs", {"job_id": client.job(names[job])["id"], "recording_id": recording, **more}
    )
    assert project == "storefront"
    return settle(client, made["id"])


def test_a_triggered_run_lives_through_its_states(simulate):
    """Queued, starting, running, success; steps appear as they begin, artifacts at the end."""
    client = simulate()
    reply = begin(client, {"cause": "by the test", "git_branch": "try", "threads_override": 8})
    assert reply.status == 200
    run = reply.data
    assert (run["status"], run["in_progress"], run["started_at"], run["finished_at"]) == (1, True, None, None)
    assert run["trigger"]["cause"] == "by the test"
    assert (run["trigger"]["cause_category"], run["trigger"]["threads_override"]) == ("api", 8)
    seen, steps = [], []
    for _ in range(200):
        run = client.run(run["id"], include_related="run_steps").data
        seen.append(run["status"])
        steps.append(len(run["run_steps"]))
        if run["is_complete"]:
            break
        client.simulator.advance(3)
    assert sorted(set(seen)) == [1, 2, 3, 10]
    assert seen == sorted(seen)
    assert steps == sorted(steps)
    assert run["git_branch"] == "try"
    assert run["artifacts_saved"]


def test_a_run_of_other_commands_shows_those(simulate):
    """Overridden steps are the run's steps: a recorded command with its results, any other with a manifest alone."""
    client = simulate()
    recorded = client.job("Nightly build")["execute_steps"][0]
    run = begin(client, {"cause": "by the test", "steps_override": ["dbt parse", recorded]}, "Nightly build").data
    settle(client, run["id"])
    logs = {step["name"]: step["logs"] for step in client.run(run["id"], include_related="run_steps").data["run_steps"]}
    assert logs["Invoke dbt with `dbt parse`"].endswith("Running with dbt\n")
    [truth] = client.simulator.truth(account_id=client.account.id, run_id=run["id"])["accounts"][0]["runs"]
    parse, last = [step for step in truth["steps"] if step["kind"]]
    assert (parse["command"], parse["artifacts"], parse["executions"]) == ("dbt parse", ["manifest.json"], [])
    assert last["command"] == recorded
    assert last["executions"]
    files = client.get(f"/api/v2/accounts/{{a}}/runs/{run['id']}/artifacts/manifest.json", step=parse["index"]).json
    assert files["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])


def test_the_same_moment_gives_the_same_answer(simulate):
    """A run's state depends on its plan and the time, and on nothing asked before."""
    client = simulate()
    assert client.runs().body == client.runs().body


def test_the_cause_is_required(simulate):
    """Without a cause, without JSON and for a job that is not there, no run begins."""
    client = simulate()
    total = client.runs().total
    path = f"/api/v2/accounts/{{a}}/jobs/{client.job('Hourly models')['id']}/run/"
    assert client.post(path, {}).status == 400
    assert client.post(path, {"cause": ""}).status == 400
    assert client.post(path, [1]).status == 400
    assert client.post("/api/v2/accounts/{a}/jobs/7/run/", {"cause": "x"}).status == 404
    assert client.runs().total == total


def test_runs_of_a_job_wait_for_each_other(simulate):
    """The second is queued behind the first and says so."""
    client = simulate()
    first, second = begin(client, name="Weekly full refresh").data, begin(client, name="Weekly full refresh").data
    assert second["id"] > first["id"]
    assert second["blocked_by"] == [first["id"]]
    done = settle(client, second["id"])
    assert done["dequeued_at"] > client.run(first["id"]).data["finished_at"]


def test_a_run_can_be_cancelled(simulate):
    """In the queue and while it runs; once over, no more."""
    client = simulate()
    queued = begin(client).data
    reply = client.post(f"/api/v2/accounts/{{a}}/runs/{queued['id']}/cancel/")
    assert (reply.status, reply.data["status"], reply.data["started_at"]) == (200, 30, None)
    running = begin(client, name="CI checks").data
    client.simulator.advance(30)
    assert client.run(running["id"]).data["status"] == 3
    assert client.post(f"/api/v2/accounts/{{a}}/runs/{running['id']}/cancel/").data["is_cancelled"]
    client.simulator.advance(6000)
    run = client.run(running["id"], include_related="run_steps").data
    assert (run["status"], run["finished_at"], run["run_steps"][-1]["status"]) == (30, None, 30)
    assert client.post(f"/api/v2/accounts/{{a}}/runs/{running['id']}/cancel/").status == 400


def test_a_failed_run_can_be_retried(simulate):
    """What failed is told; the retry is a new run that names the old one."""
    client = simulate()
    failed = order(client, "storefront/nightly/bad_data", duration_seconds=60)
    assert (failed["status"], failed["can_retry"], failed["retry_not_supported_reason"]) == (20, True, None)
    path = f"/api/v2/accounts/{{a}}/runs/{failed['id']}/retry/"
    assert client.get(path).data == {
        "failed_step": "Invoke dbt with `dbt seed`",
        "skipped_steps": ["Invoke dbt with `dbt build`", "Invoke dbt with `dbt docs generate`"],
    }
    retry = client.post(path)
    assert retry.status == 200
    assert retry.data["retrying_run_id"] == failed["id"]
    assert settle(client, retry.data["id"])["status"] == 10
    assert client.run(failed["id"], include_related="run_retries").data["run_retries"] == [retry.data["id"]]
    again = client.run(failed["id"]).data
    assert (again["status"], again["can_retry"], again["retry_not_supported_reason"]) == (
        20,
        False,
        "RETRY_NOT_LATEST_RUN",
    )


@pytest.mark.parametrize(
    ("scenario", "reason"), [("healthy-a", "RETRY_NOT_FAILED_RUN"), ("parse_error", "RETRY_NO_RUN_RESULTS")]
)
def test_not_every_run_can_be_retried(simulate, scenario, reason):
    """A success, and a failure without results, are refused with the reason in the run."""
    client = simulate()
    run = order(client, f"storefront/nightly/{scenario}", duration_seconds=30)
    assert run["retry_not_supported_reason"] == reason
    assert client.post(f"/api/v2/accounts/{{a}}/runs/{run['id']}/retry/").status == 400


def test_rerun_retries_or_begins_anew(simulate):
    """After a failure it retries, after a success it begins a new run."""
    client = simulate()
    failed = order(client, "storefront/hourly/bad_data", duration_seconds=30)
    path = f"/api/v2/accounts/{{a}}/jobs/{failed['job_id']}/rerun/"
    retry = client.post(path).data
    assert retry["retrying_run_id"] == failed["id"]
    settle(client, retry["id"])
    assert client.post(path).data["retrying_run_id"] is None


def test_jobs_are_listed(reader):
    """Active ones unless asked; a deleted job still names its runs."""
    path = "/api/v2/accounts/{a}/jobs/"
    active, everything = reader.get(path).data, reader.get(path, state="all").data
    (deleted,) = reader.get(path, state=2).data
    assert len(everything) == len(active) + 1
    assert (deleted["name"], deleted["state"]) == ("Hourly models (old)", 2)
    assert reader.runs(job_definition_id=deleted["id"]).total > 3
    assert reader.get(f"{path}{deleted['id']}/").data["state"] == 2
    project = active[0]["project_id"]
    assert {job["project_id"] for job in reader.get(path, project_id=project).data} == {project}
    assert {job["project_id"] for job in reader.get(path, project_id__in=f"[{project}]").data} == {project}
    assert [job["name"] for job in reader.get(path, name__icontains="weekly").data] == ["Weekly full refresh"]
    assert reader.get(path, order_by="-id").ids == reader.get(path).ids[::-1]
    assert reader.get(path, order_by="colour").status == 400


def test_a_job_tells_its_last_runs(reader):
    """The most recent run, and the most recent one that is over."""
    job = reader.job("Nightly build", include_related='["most_recent_run","most_recent_completed_run","environment"]')
    runs = reader.all_runs(job_definition_id=job["id"])
    assert job["most_recent_run"]["id"] == runs[-1]["id"]
    assert job["most_recent_completed_run"]["id"] == [run["id"] for run in runs if run["is_complete"]][-1]
    assert job["environment"]["deployment_type"] == "production"
    assert datetime.fromisoformat(job["created_at"]).tzinfo
    assert "T" in job["created_at"]


def test_a_job_counts_its_failures(reader):
    """How many of its last runs failed on end."""
    job = reader.job("Hourly models")
    done = [run["status"] for run in reader.all_runs(job_definition_id=job["id"]) if run["is_complete"]]
    expected = len(done) - max(place for place, status in enumerate(done, 1) if status != 20)
    assert job["run_failure_count"] == expected > 0


def test_a_job_waits_for_another(reader):
    """The nightly of finance follows the success of that of storefront."""
    jobs = reader.get("/api/v2/accounts/{a}/jobs/", name__icontains="nightly").data
    first, second = jobs
    assert second["job_completion_trigger_condition"] == {
        "condition": {"job_id": first["id"], "project_id": first["project_id"], "statuses": [10]}
    }
    runs = reader.all_runs(job_definition_id=second["id"], include_related="trigger")
    assert "job completion" in {run["trigger"]["cause_category"] for run in runs}


def test_a_job_can_be_made_changed_and_deleted(simulate):
    """As dagster does: an ad-hoc job, a run of it, and away."""
    client = simulate()
    project = client.get("/api/v3/accounts/{a}/projects/").data[0]
    environment = client.get(f"/api/v3/accounts/{{a}}/projects/{project['id']}/environments/").data[0]
    body = {
        "name": "ad hoc", "project_id": project["id"], "environment_id": environment["id"],
        "execute_steps": ["dbt parse"], "generate_docs": False, "settings": {"threads": 2, "target_name": "x"},
        "triggers": {"schedule": False, "github_webhook": False}, "job_type": "other",
    }  # fmt: skip
    made = client.post("/api/v2/accounts/{a}/jobs/", body)
    assert (made.status, made.json["status"]["code"]) == (201, 201)
    path = f"/api/v2/accounts/{{a}}/jobs/{made.data['id']}/"
    assert made.data["settings"] == {"threads": 2, "target_name": "x"}
    run = client.post(f"{path}run", {"cause": "x"}).data
    assert settle(client, run["id"])["status"] == 10
    assert client.get(f"/api/v2/accounts/{{a}}/runs/{run['id']}/artifacts/manifest.json").status == 200
    assert client.post(path, {**body, "name": "renamed"}).data["name"] == "renamed"
    reply = client.ask("DELETE", path)
    assert (reply.status, reply.body) == (204, b"")
    assert client.get(path).data["state"] == 2
    assert client.post(f"{path}run/", {"cause": "x"}).status == 404
    assert client.post("/api/v2/accounts/{a}/jobs/", {**body, "environment_id": 5}).status == 400


def test_deleting_may_be_assumed_to_answer(simulate):
    """Older clients expect the object with a 200."""
    client = simulate(assume=("delete_answer=envelope",))
    reply = client.ask("DELETE", f"/api/v2/accounts/{{a}}/jobs/{client.job('CI checks')['id']}/")
    assert (reply.status, reply.data["state"]) == (200, 2)


def test_scheduled_runs_keep_coming(simulate):
    """A day later a day's runs have been added, and none is left behind for ever."""
    client = simulate()
    before = client.runs().total
    client.simulator.advance(86_400)
    added = client.runs().total - before
    assert 25 <= added <= 45
    assert client.runs(status__in="[1,2,3]", created_at__range='["2026-11-18","2026-11-21 06:00:00"]').total == 0


def test_no_two_runs_have_the_same_id(simulate):
    """A run begun in the same second as a scheduled one stays what it is: ids are never told twice."""

    def scheduled(client):
        client.simulator.advance(86_400)
        return [run["created_at"] for run in client.all_runs(include_related="trigger") if run["created_at"] > str(NOW)]

    moment = datetime.fromisoformat(scheduled(simulate())[3])
    client = simulate()
    client.simulator.advance((moment - NOW).total_seconds() - 0.1)
    begun = [begin(client).data["id"] for _ in range(50)]
    client.simulator.advance(60)
    told = client.all_runs(include_related="trigger")
    assert [run["id"] for run in told if run["trigger"]["cause"] == "by the test"] == begun
    assert [run for run in told if run["created_at"].startswith(str(moment)[:19]) and run["id"] not in begun]


def test_deleted_jobs_are_not_scheduled(simulate):
    """Deleting a job ends its schedule."""
    client = simulate()
    job = client.job("Hourly models")["id"]
    client.ask("DELETE", f"/api/v2/accounts/{{a}}/jobs/{job}/")
    client.simulator.advance(6 * 3600)
    last = client.runs(job_definition_id=job, order_by="-id").data[0]["created_at"]
    client.simulator.advance(86_400)
    assert client.runs(job_definition_id=job, order_by="-id").data[0]["created_at"] == last
