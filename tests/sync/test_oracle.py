"""After a sync the store equals the simulator's truth, run by run; whatever went wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import Cloud, running_cloud, watching
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import make_pass, sync_accounts
from truth import assert_equal_to_truth


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud for the tests that only read it."""
    with running_cloud(days=2) as running:
        yield running


def test_a_backfill_equals_the_truth_on_both_databases(cloud: Cloud, tmp_path: Path, store_url: str) -> None:
    """The whole history arrives, each run with its steps and executions, and a second sync changes nothing."""
    with watching(cloud, tmp_path, store_url=store_url) as observatory:
        first = sync_accounts(observatory)
        compared = assert_equal_to_truth(cloud, observatory)
        second = sync_accounts(observatory)

        assert compared > 40
        assert first.faults == ()
        assert (second.runs_new, second.artifacts_stored) == (0, 0)


def test_a_finished_run_costs_two_requests_and_its_artifacts(cloud: Cloud, tmp_path: Path) -> None:
    """A finished run takes its detail, a request for each artifact there is, at most one 404 for a dbt step."""
    with watching(cloud, tmp_path) as observatory:
        sync_accounts(observatory)
        reports = [
            get_run(observatory, row.account, row.run_id)
            for row in list_runs(observatory, limit=None).runs
            if row.status in {"success", "error"}
        ]
        counts = observatory.traffic.counts()

        details = sum(count for (_, endpoint, _), count in counts.items() if endpoint == "run")
        answers = {
            outcome: sum(
                count for (_, endpoint, found), count in counts.items() if (endpoint, found) == ("artifact", outcome)
            )
            for outcome in ("200", "404")
        }
        stored = sum(artifact.state == "stored" for report in reports for artifact in report.artifacts)
        dbt_steps = sum(bool(step.command) for report in reports for step in report.steps)
        finished = list_runs(observatory, RunFilter(status="success,error,cancelled"), limit=1).total
        assert details == finished
        assert answers["200"] == stored
        assert answers["404"] <= dbt_steps


def test_an_idle_account_costs_two_requests_an_interval(tmp_path: Path) -> None:
    """Over an hour in which nothing runs, an account is asked at most twice an interval."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path) as observatory:
        sync_accounts(observatory)
        for run in list_runs(observatory, RunFilter(status="queued,starting,running"), limit=None).runs:
            cancel(cloud, run.account, run.run_id)
        sync_accounts(observatory)
        before = observatory.traffic.total("second")[0]
        for _ in range(24):
            make_pass(observatory, "second")

        assert observatory.traffic.total("second")[0] - before <= 2 * 24


def cancel(cloud: Cloud, account: str, run_id: int) -> None:
    """Cancel a run by the API, as somebody would."""
    import urllib.request

    found = cloud.simulator.accounts[0 if account == "first" else 1]
    url = f"{cloud.simulator.url}/api/v2/accounts/{found.id}/runs/{run_id}/cancel/"
    request = urllib.request.Request(url, data=b"{}", method="POST", headers={"Authorization": f"Token {found.token}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_live_runs_are_followed_to_their_end(tmp_path: Path) -> None:
    """Runs that begin while we watch arrive, change and finish in the store as they do in dbt Cloud."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path) as observatory:
        sync_accounts(observatory)
        before = list_runs(observatory, limit=1).total
        for _ in range(36):
            cloud.advance(300)
            make_pass(observatory, "first")
            make_pass(observatory, "second")
        cloud.advance(5)
        sync_accounts(observatory)

        assert list_runs(observatory, limit=1).total > before
        assert_equal_to_truth(cloud, observatory)


@pytest.mark.parametrize("seed", range(3))
def test_trouble_on_the_way_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """With resets, 429s, 5xx, cut-off and lying answers by seed, the store equals the truth once healed."""
    with running_cloud(days=1, seed=seed) as cloud:
        rates = dict.fromkeys(
            (
                "error_500",
                "bad_gateway",
                "unavailable",
                "reset_before",
                "reset_after",
                "truncated_body",
                "rate_limited",
            ),
            0.03,
        )
        rates |= {"empty_list": 0.05, "corrupt_artifact": 0.05}
        with watching(cloud, tmp_path) as observatory:
            cloud.simulator.control("POST", "faults", {"rates": rates})
            for _ in range(6):
                sync_accounts(observatory)
                cloud.advance(600)
            cloud.simulator.control("POST", "faults", {"rates": dict.fromkeys(rates, 0.0)})
            for _ in range(6):
                cloud.advance(4_000)
                sync_accounts(observatory)

            assert assert_equal_to_truth(cloud, observatory) > 20


def test_late_artifacts_are_waited_for(tmp_path: Path) -> None:
    """Artifacts that appear a minute after the run is over are stored by a later pass, not taken for absent."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path) as observatory:
        sync_accounts(observatory)
        cloud.simulator.control("POST", "faults", {"artifact_delay_seconds": 60})
        for _ in range(30):
            cloud.advance(300)
            sync_accounts(observatory)
        cloud.simulator.control("POST", "faults", {"artifact_delay_seconds": 0})
        cloud.advance(700)
        sync_accounts(observatory)

        assert_equal_to_truth(cloud, observatory)


def test_late_artifacts_of_a_failed_run_are_waited_for(tmp_path: Path) -> None:
    """What dbt wrote before a step failed may appear late too, and says which nodes failed: it is not given up."""
    with running_cloud(days=1, seed=3) as cloud, watching(cloud, tmp_path) as observatory:
        sync_accounts(observatory)
        failed = [
            run
            for run in cloud.truth(cloud.simulator.accounts[0].id).values()
            if run["status"] == 20 and any("run_results.json" in step["artifacts"] for step in run["steps"])
        ]
        order = {name: failed[-1][name] for name in ("job_id", "recording_id")}
        cloud.simulator.control("POST", "faults", {"artifact_delay_seconds": 60})
        run_id = cloud.simulator.control("POST", "runs", {**order, "queue_seconds": 1, "duration_seconds": 30})["id"]
        while cloud.truth(cloud.simulator.accounts[0].id)[run_id]["status"] != 20:
            cloud.advance(2)
        sync_accounts(observatory)
        assert get_run(observatory, "first", run_id).executions == ()
        cloud.simulator.control("POST", "faults", {"clear": True})
        cloud.advance(60)
        sync_accounts(observatory)

        assert any(execution.is_failed for execution in get_run(observatory, "first", run_id).executions)
        assert_equal_to_truth(cloud, observatory)
