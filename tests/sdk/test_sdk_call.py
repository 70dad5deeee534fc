"""The SDK's call: a run is sent with where it was called from, and is one run with what the monitor saw."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import urllib3
from sdk_house import House

from cloud import wait_until_stored
from headwater.errors import AccessDenied, HeadwaterError, NotVisible, OriginRefused, TokenRejected, WrongUse
from headwater.observatory.runs import RunFilter, list_runs
from headwater.sdk import CollectResult, Outcome, collect_data_from_dbt_cloud
from program import wait_for


def collect(house: House, run_id: int, **options) -> CollectResult:
    """Call the SDK as a task would."""
    return collect_data_from_dbt_cloud(house.account_id, house.dbt_token, run_id, house.cloud.simulator.url, **options)


def test_a_run_is_sent_with_its_artifacts_before_the_monitor_sees_it(house: House, task: Path) -> None:
    """A run that the SDK sends is whole in the store, and the monitor's pass afterwards only adds that it saw it."""
    run_id = house.order_finished()

    result = collect(house, run_id)

    sent = house.stored(run_id)
    assert (result.outcome, result.run_id, result.status, result.error) == (Outcome.SENT, run_id, "success", None)
    assert result.artifacts == sum(artifact.state == "stored" for artifact in sent.artifacts) > 0
    assert sent.observed_by == ("sdk",)
    assert sent.executions

    house.poll()

    both = house.stored(run_id)
    assert both.observed_by == ("poll", "sdk")
    assert both.executions == sent.executions
    assert list_runs(house.observatory, RunFilter(text=str(run_id))).total == 1


def test_a_run_that_the_monitor_saw_first_stays_one_run(house: House, task: Path) -> None:
    """The other order: what the poll stored is not changed by the SDK, but both ways are named."""
    run_id = house.order_finished()
    house.poll()
    polled = house.stored(run_id)

    result = collect(house, run_id)

    both = house.stored(run_id)
    assert result.outcome is Outcome.SENT
    assert (polled.observed_by, both.observed_by) == (("poll",), ("poll", "sdk"))
    assert (both.executions, both.steps, both.artifacts) == (polled.executions, polled.steps, polled.artifacts)
    assert list_runs(house.observatory, RunFilter(text=str(run_id))).total == 1


def test_the_airflow_task_is_recorded_and_shown(house: House, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DAG, task and try of the call stand in the run's document on the web."""
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "nightly")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "record_dbt")
    monkeypatch.setenv("AIRFLOW_CTX_TRY_NUMBER", "2")
    run_id = house.order_finished()

    collect(house, run_id)
    wait_until_stored(house.observatory)

    url = f"{house.url}/api/v1/runs/first/{run_id}"
    answer = urllib3.request("GET", url, headers={"Authorization": f"Bearer {house.tokens['viewer']}"})
    airflow = [seen["airflow"] for seen in answer.json()["observations"]]
    assert airflow == ["DAG nightly, task record_dbt, try 2"]


def test_a_run_that_is_not_over_is_sent_as_it_stands_and_completed_by_the_poll(house: House, task: Path) -> None:
    """Without wait a running run is sent as running; the monitor follows it to its end."""
    run_id = house.order(runs_for=600)
    house.cloud.advance(60)

    result = collect(house, run_id)

    assert (result.outcome, result.status, result.artifacts) == (Outcome.SENT, "running", 0)
    assert house.stored(run_id).status == "running"

    house.cloud.advance(900)
    house.poll()

    over = house.stored(run_id)
    assert (over.status, over.observed_by) == ("success", ("poll", "sdk"))
    assert over.executions


def test_waiting_ends_when_the_run_is_over(house: House, task: Path) -> None:
    """With wait the call asks again until the run is over, and sends it whole."""
    run_id = house.order(runs_for=600)
    house.cloud.advance(60)
    results: list[CollectResult] = []
    asked = f"/runs/{run_id}/"

    def has_asked() -> bool:
        return any(asked in line for line in house.cloud.simulator.control("GET", "requests?last=50")["lines"])

    waiting = threading.Thread(target=lambda: results.append(collect(house, run_id, wait=True)))
    waiting.start()
    wait_for(has_asked, "the first question about the run")
    house.cloud.advance(900)
    waiting.join()

    assert (results[0].outcome, results[0].status) == (Outcome.SENT, "success")
    assert house.stored(run_id).executions


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"dbt_job_run_id": ""}, WrongUse, "dbt_job_run_id"),
        ({"dbt_job_run_id": None}, WrongUse, "dbt_job_run_id"),
        ({"dbt_job_run_id": "{{ run_id }}"}, WrongUse, "dbt_job_run_id"),
        ({"dbt_cloud_account_id": ""}, WrongUse, "dbt_cloud_account_id"),
        ({"dbt_cloud_api_token": ""}, WrongUse, "dbt_cloud_api_token"),
        ({"dbt_cloud_api_token": None}, WrongUse, "dbt_cloud_api_token"),
        ({"dbt_cloud_api_token": "dbtc_wrong"}, TokenRejected, "does not accept the token"),
        ({"dbt_cloud_account_id": 1}, NotVisible, "has no /api/v2/accounts/1/"),
        ({"dbt_job_run_id": 1}, NotVisible, "/runs/1/"),
        ({"dbt_api_url": "https://"}, OriginRefused, "names no host"),
        ({"dbt_api_url": "http://dbt.example"}, OriginRefused, "without encryption"),
    ],
)
def test_what_cannot_be_collected_is_said_and_raised_only_when_strict(
    house: House, task: Path, changed: dict[str, object], error: type[HeadwaterError], said: str
) -> None:
    """Each fault of the arguments ends in a sentence that names it; only `strict` raises it, with its type."""
    arguments = {
        "dbt_cloud_account_id": house.account_id,
        "dbt_cloud_api_token": house.dbt_token,
        "dbt_job_run_id": 7,
        "dbt_api_url": house.cloud.simulator.url,
    } | changed

    result = collect_data_from_dbt_cloud(**arguments)

    assert result.outcome is Outcome.FAILED
    assert said in (result.error or "")
    assert not task.exists()
    with pytest.raises(error, match=said):
        collect_data_from_dbt_cloud(**arguments, strict=True)


@pytest.mark.parametrize("junk", [object(), b"7", -1, 1.5, [], {}, "7\x00", "٧" * 40])
def test_nothing_that_is_handed_in_raises(house: House, task: Path, junk: object) -> None:
    """Arguments of any type in any place fail with a reason, and never in the way of the caller."""
    url = house.cloud.simulator.url
    results = [
        collect_data_from_dbt_cloud(junk, house.dbt_token, 7, url),
        collect_data_from_dbt_cloud(house.account_id, junk, 7, url),
        collect_data_from_dbt_cloud(house.account_id, house.dbt_token, junk, url),
        collect_data_from_dbt_cloud(house.account_id, house.dbt_token, 7, junk),
    ]

    assert [(result.outcome, bool(result.error)) for result in results] == [(Outcome.FAILED, True)] * 4


@pytest.mark.parametrize(
    ("role", "error", "said"),
    [
        ("viewer", AccessDenied, "role ingest"),
        ("wrong", TokenRejected, "HEADWATER_TOKEN"),
        ("", TokenRejected, "is not set"),
    ],
)
def test_an_ingest_token_that_lets_nobody_in_is_said_and_loses_nothing(
    house: House, task: Path, monkeypatch: pytest.MonkeyPatch, role: str, error: type[HeadwaterError], said: str
) -> None:
    """The run is kept for the day the token is right; `strict` raises what is wrong with it."""
    monkeypatch.setenv("HEADWATER_TOKEN", house.tokens.get(role, role))
    run_id = house.order_finished()

    result = collect(house, run_id)

    assert result.outcome is Outcome.SPOOLED
    assert said in (result.error or "")
    assert len(list(task.iterdir())) == 1
    with pytest.raises(error, match=said):
        collect(house, run_id, strict=True)
