"""The list of runs and one run, compared with the truth."""

import re
from datetime import datetime, timedelta
from urllib.error import HTTPError

import pytest
from asking import NOW

FORMS = {
    "commas": lambda values: {"status__in": ",".join(values)},
    "json": lambda values: {"status__in": f"[{', '.join(values)}]"},
    "repeated": lambda values: {"status__in": list(values)},
}
RELATED = [
    "run_steps,trigger",
    '["run_steps","trigger"]',
    "['run_steps', 'trigger']",
    "run_steps/trigger",
    ["run_steps", "trigger"],
]


@pytest.fixture(scope="module")
def truth(month, reader):
    """The runs of the first account, as they are."""
    return month.truth(account_id=reader.account.id, executions="false")["accounts"][0]["runs"]


def ids(runs, keep):
    return sorted(run["id"] for run in runs if keep(run))


def test_every_run_is_listed_once(reader, truth):
    """Paging through gives all runs, oldest id first, and totals that agree."""
    runs = reader.all_runs()
    assert [run["id"] for run in runs] == sorted(run["id"] for run in truth)
    page = reader.runs(limit=7, offset=3)
    assert page.json["extra"]["pagination"] == {"count": 7, "total_count": len(truth)}
    assert page.json["extra"]["filters"] == {"limit": 7, "offset": 3, "account_id": reader.account.id}
    assert page.json["extra"]["order_by"] == "id"
    assert page.json["status"] == {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}


@pytest.mark.parametrize("form", FORMS)
def test_lists_may_be_written_in_many_ways(reader, truth, form):
    """JSON, commas and repeated keys mean the same."""
    found = reader.all_runs(**FORMS[form](["20", "30"]))
    assert [run["id"] for run in found] == ids(truth, lambda run: run["status"] in (20, 30))


@pytest.mark.parametrize("status", [1, 2, 3, 10, 20, 30])
def test_runs_by_status(reader, truth, status):
    """Every status occurs in a month, and the filter finds exactly its runs."""
    found = reader.all_runs(status=status)
    assert [run["id"] for run in found] == ids(truth, lambda run: run["status"] == status)
    assert found
    words = {1: "Queued", 2: "Starting", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}
    for run in found:
        assert run["status_humanized"] == words[status]
        assert run["is_complete"] is (status >= 10)
        assert run["in_progress"] is (status < 10)
        assert (run["is_success"], run["is_error"], run["is_cancelled"]) == (status == 10, status == 20, status == 30)


@pytest.mark.parametrize("field", ["job_id", "project_id", "environment_id"])
def test_runs_by_what_they_belong_to(reader, truth, field):
    """Jobs, projects and environments each select their runs."""
    value = truth[0][field]
    name = {"job_id": "job_definition_id"}.get(field, field)
    assert [run["id"] for run in reader.all_runs(**{name: value})] == ids(truth, lambda run: run[field] == value)
    assert reader.runs(**{name: 5}).total == 0


def test_runs_by_id(reader, truth):
    """`pk`, `pk__in` and `id__gt`."""
    some = [truth[5]["id"], truth[9]["id"]]
    assert reader.runs(pk=some[0]).ids == some[:1]
    assert reader.runs(pk__in=f"{some}").ids == some
    assert len(reader.all_runs(id__gt=some[1])) == len(truth) - 10


def test_runs_by_times(reader, truth):
    """Both ranges are closed, in JSON and with a space for the T; a null time lies in none."""
    begin, end = NOW - timedelta(days=4), NOW - timedelta(days=2)
    for field, limits in (
        ("created_at", f'["{begin:%Y-%m-%d %H:%M:%S}", "{end:%Y-%m-%d %H:%M:%S}"]'),
        ("finished_at", f'["{begin.isoformat()}", "{end.isoformat()}"]'),
    ):
        found = reader.all_runs(**{f"{field}__range": limits})
        expected = ids(truth, lambda run, f=field: run[f] and begin <= datetime.fromisoformat(run[f]) <= end)
        assert [run["id"] for run in found] == expected
        assert expected


def test_runs_by_what_they_made(reader):
    """Docs and sources filter like the fields say."""
    for field in ("has_docs_generated", "has_sources_generated"):
        with_it, without = reader.all_runs(**{field: "true"}), reader.all_runs(**{field: "false"})
        assert {run[field] for run in with_it} == {True}
        assert {run[field] for run in without} == {False}
    versions = {run["dbt_version"] for run in reader.all_runs()}
    assert versions == {"latest", "1.11.0-latest"}
    assert {run["dbt_version"] for run in reader.all_runs(dbt_version="latest")} == {"latest"}
    assert reader.runs(dbt_version__in='["latest","1.11.0-latest"]').total == reader.runs().total


def test_ci_runs_defer(reader):
    """A CI run names the production run it defers to, and can be found by it."""
    ci = reader.all_runs(job_definition_id=reader.job("CI checks")["id"], include_related="trigger")
    deferring = [run for run in ci if run["deferring_run_id"]]
    assert deferring
    wanted = deferring[0]
    assert wanted["id"] in reader.runs(deferring_run_id=wanted["deferring_run_id"]).ids
    trigger = wanted["trigger"]
    number = trigger["github_pull_request_id"]
    assert trigger["cause_category"] == "ci"
    assert trigger["schema_override"] == f"dbt_cloud_pr_{wanted['job_id']}_{number}"
    assert wanted["git_branch"] == trigger["git_branch"]


@pytest.mark.parametrize("field", ["id", "created_at", "finished_at"])
def test_runs_are_ordered(reader, field):
    """Each order has its reverse; a null time is greater than any."""
    rising = [run["id"] for run in reader.all_runs(order_by=field)]
    falling = reader.all_runs(order_by=f"-{field}")
    assert [run["id"] for run in falling] == rising[::-1]
    values = [run[field] for run in falling]
    nulls = [value for value in values if value is None]
    assert values[: len(nulls)] == nulls
    assert values[len(nulls) :] == sorted(values[len(nulls) :], reverse=True)
    assert bool(nulls) == (field == "finished_at")


def test_ids_do_not_follow_the_end(reader):
    """Some run with a smaller id ends after one with a greater id."""
    by_end = [run["id"] for run in reader.all_runs(order_by="finished_at") if run["finished_at"]]
    assert by_end != sorted(by_end)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 101}, {"limit": 0}, {"limit": "many"}, {"offset": -1}, {"order_by": "updated_at"},
        {"created_at__gte": "2026-01-01"}, {"finished_at__gt": "2026-01-01"}, {"status": "done"},
        {"status__in": "[10"}, {"created_at__range": '["2026-01-01"]'}, {"created_at__range": '["x","y"]'},
        {"has_docs_generated": "maybe"}, {"state": "gone"},
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(reader, wrong):
    """A limit above 100, an unknown filter, order or value: 400."""
    reply = reader.runs(**wrong)
    assert reply.status == 400
    assert reply.json["status"]["is_success"] is False
    assert reply.data is None


def test_harmless_parameters_are_ignored(reader):
    """Dagster repeats the account's id, others add their own."""
    assert reader.runs(account_id=1, cache="no", limit=1).status == 200


def test_the_limit_may_be_assumed_to_be_clamped(simulate):
    """Some installations answer a limit above 100 with 100."""
    reply = simulate(assume=("limit_over_100=clamp",)).runs(limit=500)
    assert reply.status == 200
    assert reply.json["extra"]["filters"]["limit"] == 100


@pytest.mark.parametrize("related", RELATED)
def test_related_objects_may_be_asked_for_in_many_ways(reader, related):
    """Commas, JSON, Python lists, slashes and repeated keys."""
    (run,) = reader.runs(limit=1, include_related=related).data
    assert run["trigger"]["cause"] == "scheduled"
    assert [step["index"] for step in run["run_steps"]] == list(range(1, len(run["run_steps"]) + 1))


def test_without_asking_related_objects_are_empty(reader):
    """Null, and for steps an empty list."""
    (run,) = reader.runs(limit=1).data
    assert (run["trigger"], run["job"], run["environment"], run["run_steps"]) == (None, None, None, [])


def test_one_run_with_everything(reader, truth):
    """The detail tells trigger, job, environment, repository, steps, retries and audit when asked."""
    chosen = next(run for run in truth if run["status"] == 10 and run["job_name"] == "Nightly build")
    related = "trigger,job,environment,repository,run_steps,run_retries,used_repo_cache,audit,debug_logs"
    run = reader.run(chosen["id"], include_related=related).data
    assert run["job"]["name"] == "Nightly build"
    assert run["environment"]["deployment_type"] == "production"
    assert run["repository"]["remote_backend"] == "github"
    assert run["audit"]["cancellation"] is None
    assert run["run_retries"] == []
    names = [step["name"] for step in run["run_steps"]]
    assert names[:3] == [
        "Clone git repository",
        "Create profile from connection Analytics warehouse",
        "Invoke dbt with `dbt deps`",
    ]
    assert names[3:] == [f"Invoke dbt with `{step['command']}`" for step in chosen["steps"][3:]]
    assert run["run_steps"][4]["run_step_command"]["dbt_command"] == chosen["steps"][4]["command"]
    assert "START sql table model" in run["run_steps"][4]["logs"]


def test_times_and_spans_of_a_run(reader):
    """Times have a space and microseconds; spans are clocks and words, and add up."""
    run = next(run for run in reader.runs(status=10).data if not run["retrying_run_id"])
    for field in ("created_at", "updated_at", "dequeued_at", "started_at", "finished_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00", run[field])
    assert run["created_at"] < run["dequeued_at"] < run["started_at"] < run["finished_at"]
    whole, queued, ran = (sum(int(part) * 60**power for power, part in enumerate(run[name].split(":")[::-1]))
                          for name in ("duration", "queued_duration", "run_duration"))  # fmt: skip
    assert 0 <= whole - queued - ran <= 1
    assert run["created_at_humanized"].endswith(" ago")
    assert run["job_id"] == run["job_definition_id"]


def test_a_cancelled_run_leaves_nothing(reader):
    """Neither a time of its end nor artifacts; in the queue it never began."""
    cancelled = reader.all_runs(status=30, include_related="run_steps,audit")
    assert {run["finished_at"] for run in cancelled} == {None}
    assert {run["artifacts_saved"] for run in cancelled} == {False}
    assert any(run["started_at"] is None and run["run_steps"] == [] for run in cancelled)
    assert any(run["run_steps"] and run["run_steps"][-1]["status"] == 30 for run in cancelled)
    assert all("@" in run["audit"]["cancellation"]["actor"]["name"] for run in cancelled)
    reply = reader.get(f"/api/v2/accounts/{{a}}/runs/{cancelled[0]['id']}/artifacts/")
    assert (reply.status, reply.data) == (200, None)


def test_a_cancelled_run_may_be_assumed_to_have_an_end(simulate):
    """With the assumption turned round, the time is there."""
    client = simulate(assume=("cancelled_has_finished_at=true",), days=30)
    assert all(run["finished_at"] for run in client.runs(status=30).data)


def test_a_run_may_fail_before_dbt(reader):
    """A clone that fails leaves one step and no artifacts."""
    failed = reader.all_runs(status=20, include_related="run_steps")
    clones = [run for run in failed if len(run["run_steps"]) == 1]
    assert clones
    assert {run["artifacts_saved"] for run in clones} == {False}
    assert "clone" in clones[0]["status_message"]
    assert clones[0]["git_sha"] is None


def test_debug_logs_are_cut_unless_asked_for(reader, truth):
    """A thousand lines at the most, without `debug_logs`."""
    chosen = next(run["id"] for run in truth if run["status"] == 10)
    short = reader.run(chosen, include_related="run_steps").data["run_steps"][-1]
    whole = reader.run(chosen, include_related="run_steps,debug_logs").data["run_steps"][-1]
    assert len(short["debug_logs"].splitlines()) <= 1_000
    assert whole["debug_logs"].endswith(short["debug_logs"])
    assert reader.get(f"/api/v2/accounts/{{a}}/steps/{short['id']}/").data == short


def test_an_unknown_status_may_come(simulate):
    """A number that no documentation knows, for a run of the test's choice."""
    client = simulate()
    run_id = client.runs().ids[0]
    client.simulator.control("POST", "faults", {"unknown_statuses": {run_id: 40}})
    assert client.run(run_id).data["status"] == 40
    assert client.runs(status=40).ids == [run_id]


def test_a_run_may_be_amended_after_its_end(simulate):
    """Its outcome turns, it was updated then, and the truth agrees; a run under way cannot be amended."""
    client = simulate()
    run_id = client.runs(status=10).ids[0]
    before, account_id = client.run(run_id).data, client.account.id
    client.simulator.advance(60)
    client.simulator.control("POST", "amendments", {"account_id": account_id, "run_id": run_id})
    after = client.run(run_id).data
    (truth,) = client.simulator.truth(account_id=account_id, run_id=run_id)["accounts"][0]["runs"]
    assert (before["status"], after["status"], truth["status"]) == (10, 20, 20)
    assert after["finished_at"] == before["finished_at"]
    assert after["updated_at"] > before["updated_at"]
    running = client.runs(status=3).ids[0]
    with pytest.raises(HTTPError):
        client.simulator.control("POST", "amendments", {"account_id": account_id, "run_id": running})


def test_a_run_that_is_not_there(reader):
    """404, in the envelope."""
    assert reader.run(7).status == 404
    assert reader.get("/api/v2/accounts/{a}/steps/7/").status == 404
