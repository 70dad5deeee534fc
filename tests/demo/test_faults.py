"""Every fault in the shipped recordings was really made and shows its effect."""

import re

import pytest
from recorded import Recordings

# The bad statuses that the last command of each failed recording has: these and no others.
EFFECTS: dict[str, set[str]] = {
    "storefront/nightly/bad_data": {"fail", "skipped"},
    "storefront/hourly/bad_data": {"fail"},
    "storefront/nightly/broken_sql": {"error", "skipped"},
    "storefront/nightly/dropped_column": {"error", "skipped"},
    "storefront/hourly/dropped_column": {"error", "skipped"},
    "storefront/weekly/dropped_column": {"error"},
    "storefront/nightly/missing_source": {"error", "skipped"},
    "storefront/nightly/contract_breach": {"error", "skipped"},
    "storefront/ci/contract_breach": {"error", "skipped"},
    "storefront/ci/unit_test_failure": {"fail", "skipped"},
    "storefront/nightly/macro_change_breaks_tests": {"fail", "skipped"},
    "storefront/hourly/macro_change_breaks_tests": {"fail"},
    "finance/nightly/upstream_column_removed": {"error", "skipped"},
    "finance/nightly/upstream_bad_data": {"fail", "skipped"},
    "finance/nightly/wrong_sign": {"fail", "skipped"},
    "roastery/nightly/sensor_fault": {"fail", "skipped"},
    "roastery/hourly/sensor_fault": {"fail"},
    "roastery/nightly/warehouse_trouble": {"error", "skipped"},
}


@pytest.mark.parametrize("recording_id", EFFECTS)
def test_fault_shows_its_effect(recording_id: str, recordings: Recordings) -> None:
    """A fault was really made: the job failed, and the statuses it is there for are in the results."""
    recording = recordings[recording_id]
    statuses = set(recordings.count_statuses(recording["steps"][-1]))
    assert not recording["succeeded"]
    assert statuses & {"fail", "error", "skipped"} == EFFECTS[recording_id]


@pytest.mark.parametrize("recording_id", ["storefront/freshness/stale_source", "roastery/freshness/stale_source"])
def test_stale_source_warns_and_errs(recording_id: str, recordings: Recordings) -> None:
    """A stale source fails the freshness job, beside another that only warns."""
    recording = recordings[recording_id]
    statuses = recordings.count_statuses(recording["steps"][0], "sources.json")
    assert not recording["succeeded"]
    assert statuses["error"] >= 1
    assert statuses["warn"] >= 1
    assert statuses["pass"] >= 1


def test_missing_source_is_left_out_of_the_results(recordings: Recordings) -> None:
    """A source table that is gone fails the job, and dbt 1.11 then leaves the source out of sources.json."""
    step = recordings["storefront/freshness/missing_source"]["steps"][0]
    healthy = recordings["storefront/freshness/healthy-c"]["steps"][0]
    checked = [
        {result["unique_id"] for result in recordings.read_artifact(one, "sources.json")["results"]}
        for one in (healthy, step)
    ]
    assert not step["succeeded"]
    assert checked[0] - checked[1] == {"source.storefront.support.tickets"}
    assert "Runtime Error in source tickets" in recordings.read_log(step)


def test_freshness_box_does_not_fail_the_job(recordings: Recordings) -> None:
    """The nightly job goes on after its freshness step failed, and succeeds."""
    recording = recordings["storefront/nightly/stale_source"]
    assert [step["succeeded"] for step in recording["steps"]] == [False, True, True, True]
    assert recording["succeeded"]


@pytest.mark.parametrize(
    "recording_id",
    [
        "storefront/nightly/test_warn",
        "storefront/hourly/test_warn",
        "finance/nightly/test_warn",
        "roastery/nightly/test_warn",
    ],
)
def test_warnings_do_not_fail_the_job(recording_id: str, recordings: Recordings) -> None:
    """Tests of severity warn are in the results as warn, and the job succeeds."""
    recording = recordings[recording_id]
    commands = [step for step in recording["steps"] if step["kind"] == "command"]
    assert recording["succeeded"]
    assert recordings.count_statuses(commands[-1])["warn"] >= 1


@pytest.mark.parametrize(
    "recording_id",
    [
        "storefront/hourly/parse_error",
        "storefront/ci/parse_error",
        "finance/nightly/compilation_error",
        "finance/metrics_hourly/compilation_error",
        "roastery/nightly/parse_error",
    ],
)
def test_parse_error_leaves_only_a_log(recording_id: str, recordings: Recordings) -> None:
    """When dbt cannot parse the project there is no artifact, and the log says why."""
    (step,) = recordings[recording_id]["steps"]
    assert not step["succeeded"]
    assert step["artifacts"] == {}
    assert re.search(r"(Compilation|Parsing) Error", recordings.read_log(step))


def test_locked_warehouse_has_no_results(recordings: Recordings) -> None:
    """When the warehouse cannot be opened nothing runs: there are no results."""
    (step,) = recordings["roastery/hourly/warehouse_locked"]["steps"]
    assert not step["succeeded"]
    assert "run_results.json" not in step["artifacts"]
    assert "lock" in recordings.read_log(step)


@pytest.mark.parametrize(
    "recording_id",
    [
        "storefront/nightly/bad_data_retry",
        "storefront/nightly/partial_fix_retry",
        "roastery/nightly/warehouse_trouble_retry",
    ],
)
def test_retry_runs_what_had_failed(recording_id: str, recordings: Recordings) -> None:
    """A retry succeeds and runs the failed and skipped nodes of the recording it retries, and else only the hooks."""
    retry = recordings[recording_id]
    retried = recordings[retry["retry_of"]]
    results = recordings.read_artifact(retried["steps"][-1], "run_results.json")["results"]
    bad = {result["unique_id"] for result in results if result["status"] in ("error", "fail", "skipped")}
    again = recordings.read_artifact(retry["steps"][0], "run_results.json")["results"]
    nodes_again = {one["unique_id"] for one in again if not one["unique_id"].startswith("operation.")}
    assert retry["succeeded"]
    assert retry["steps"][0]["command"] == "dbt retry"
    assert nodes_again == bad


def test_retry_after_a_code_fix_may_fail_again(recordings: Recordings) -> None:
    """A retry runs the failed test but not the corrected model that it tests, so it ends like the run before it."""
    retry = recordings["finance/nightly/wrong_sign_retry"]
    retried = recordings[retry["retry_of"]]
    results = [recordings.read_artifact(one["steps"][0], "run_results.json")["results"] for one in (retried, retry)]
    failed = [{one["unique_id"] for one in some if one["status"] == "fail"} for some in results]
    assert not retry["succeeded"]
    assert failed[0] == failed[1] == {"test.finance.assert_debit_equals_credit"}
    assert retry["revision"] != retried["revision"]
