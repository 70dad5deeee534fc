"""What the SDK does for the task it runs in: it never imports Airflow, and no server can hold the task up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sdk_house import House

from cloud import wait_until_stored
from headwater import collect_data_from_dbt_cloud, collect_data_from_dbt_core
from headwater.collect import CollectedRun, collect_artifacts, decode, encode
from headwater.dbtcloud.client import Client
from headwater.dbtcloud.origin import read_origin
from headwater.dbtcloud.transport import open_transport
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import AirflowContext
from headwater.model.secret import Secret
from headwater.observatory.collecting import receive
from headwater.sdk import Outcome
from headwater.sdk.airflow import find_airflow_context
from headwater.sdk.call import RunRequest, _reader, collect_run
from headwater.sdk.spool import flush, keep
from headwater.store.accounts import ensure_local_account
from headwater.store.invocation_queries import find_invocation
from program import Program

TASK = {
    "AIRFLOW_CTX_DAG_ID": "nightly",
    "AIRFLOW_CTX_TASK_ID": "run dbt",
    "AIRFLOW_CTX_DAG_RUN_ID": "manual__2026-11-20T02:00:00+00:00",
    "AIRFLOW_CTX_TRY_NUMBER": "2",
    "AIRFLOW_CTX_DAG_OWNER": "data",
}


@contextmanager
def silent_server(backlog: int) -> Iterator[socket.socket]:
    """Listen and never answer; gives the listening socket."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield listener


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_swallows_gets_no_run(house: House, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that accepts and never answers is asked once for a sign of life; the run is kept and nothing else is sent."""
    run_id = house.order_finished()
    with silent_server(8) as listener:
        monkeypatch.setenv("HEADWATER_URL", address(listener))

        result = collect_data_from_dbt_cloud(
            house.account_id, house.dbt_token, run_id, house.cloud.simulator.url, strict=True
        )

        listener.settimeout(5)
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(65_536)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert asked.startswith(b"GET /healthz ")
    assert house.tokens["ingest"].encode() not in asked
    assert (result.outcome, len(list(task.iterdir()))) == (Outcome.SPOOLED, 1)
    assert "no sign of it within 1.5 s" in str(result.error)


def test_a_server_that_does_not_accept_is_given_up(house: House, task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose queue of connections is full counts as away, like one that is not there."""
    run_id = house.order_finished()
    with silent_server(0) as listener, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        monkeypatch.setenv("HEADWATER_URL", address(listener))

        result = collect_data_from_dbt_cloud(
            house.account_id, house.dbt_token, run_id, house.cloud.simulator.url, strict=True
        )

    assert (result.outcome, len(list(task.iterdir()))) == (Outcome.SPOOLED, 1)


def test_what_was_kept_does_not_hold_a_task_up_either(tmp_path: Path) -> None:
    """Once the time that a task has for old runs is over, no further one is begun; they stay for the next task."""
    for number in range(3):
        keep(tmp_path, bytes([number]))
    sent: list[bytes] = []

    none_left = flush(tmp_path, sent.append, seconds=0)
    rest = flush(tmp_path, sent.append)

    assert (none_left.sent, none_left.left, none_left.error) == (0, 3, None)
    assert (rest.sent, rest.left, len(sent)) == (3, 0, 3)


def test_airflow_is_never_imported(house: House, task: Path, tmp_path: Path) -> None:
    """With an Airflow beside it that must not be touched, a call does its work and leaves it alone."""
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").write_text("raise SystemExit('Airflow was imported')\n")
    run_id = house.order_finished()
    program = Program(tmp_path, {"HEADWATER_URL": house.url, "HEADWATER_TOKEN": house.tokens["ingest"],
                                 "HEADWATER_SPOOL": str(task), "PYTHONPATH": str(tmp_path)} | TASK)  # fmt: skip
    said = program.run(
        "collect", "--account-id", house.account_id, "--run-id", run_id, "--url", house.cloud.simulator.url,
        module="headwater.sdk", DBT_CLOUD_API_TOKEN=house.dbt_token,
    )  # fmt: skip

    assert said.status == 0, said.err
    assert said.json["outcome"] == "sent"
    assert house.stored(run_id).airflow_sentence == "It was triggered by DAG nightly, task run dbt, try 2."


PAGE_2 = "/dags/nightly/grid?dag_run_id=manual__2026-11-20T02%3A00%3A00%2B00%3A00&task_id=run%20dbt&tab=logs"
PAGE_3 = "/dags/nightly/runs/manual__2026-11-20T02%3A00%3A00%2B00%3A00/tasks/run%20dbt?try_number=2"


@pytest.mark.parametrize(
    ("date_name", "pages_name", "page"),
    [
        ("AIRFLOW_CTX_LOGICAL_DATE", "AIRFLOW__API__BASE_URL", f"https://airflow.example{PAGE_3}"),
        ("AIRFLOW_CTX_EXECUTION_DATE", "AIRFLOW__WEBSERVER__BASE_URL", f"https://airflow.example{PAGE_2}"),
        ("AIRFLOW_CTX_LOGICAL_DATE", "NOTHING", None),
    ],
)
def test_the_environment_of_both_versions_is_read(date_name: str, pages_name: str, page: str | None) -> None:
    """The date has two names, and the pages of the task two addresses; without a DAG there is no task."""
    environ = {date_name: "2026-11-20", pages_name: "https://airflow.example/"}
    found = find_airflow_context(TASK | environ)

    assert found == AirflowContext(
        dag_id="nightly",
        task_id="run dbt",
        dag_run_id="manual__2026-11-20T02:00:00+00:00",
        try_number=2,
        owner="data",
        logical_date="2026-11-20",
        url=page,
    )
    assert find_airflow_context(environ) is None


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "https:", "file:///etc/passwd", "http://[", ""]
)
def test_only_an_address_of_the_web_is_handed_on(house: House, task: Path, tmp_path: Path, url: str) -> None:
    """A task's page that is anything but http or https is in no report."""
    run_id = house.order_finished()
    request = RunRequest(house.account_id, house.dbt_token, run_id, house.cloud.simulator.url)
    collect_run(request, None, {"HEADWATER_SPOOL": str(tmp_path), "HEADWATER_URL": "http://127.0.0.1:1"})
    (kept,) = tmp_path.glob("*.collected")
    collected = decode(kept.read_bytes())
    assert isinstance(collected, CollectedRun)
    context = AirflowContext(dag_id="<b>d</b>", task_id="t", url=url)

    receive(house.observatory, encode(replace(collected, airflow=context)), house.cloud.now)

    report = house.stored(run_id)
    assert report.airflow is not None
    assert (report.airflow.dag_id, report.airflow.url) == ("<b>d</b>", None)
    assert [seen.task.url for seen in report.observations if seen.task] == [None]


def test_time_that_is_over_leaves_the_rest_to_the_monitor(house: House, task: Path) -> None:
    """An artifact for which there is no time left is not asked for; it is handed in as one to be fetched again."""
    run_id = house.order_finished()
    where = AccountAddress(read_origin(house.cloud.simulator.url), house.account_id)
    with open_transport() as transport:
        client = Client(where, Secret(house.dbt_token), transport)
        run = client.get_run(run_id)
        before = house.cloud.requests()

        artifacts = collect_artifacts(run, _reader(client, run_id, until=0.0))

    assert house.cloud.requests() == before
    assert {(one.state, "no time left" in one.reason) for one in artifacts} == {(ArtifactState.FAILED, True)}


def test_an_invocation_keeps_the_task_it_ran_in(
    house: House, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What dbt Core wrote within a task is stored with it; a later look at the folder from another changes nothing."""
    target = tmp_path / "project" / "target"
    target.mkdir(parents=True)
    files = Path(__file__).parents[1] / "artifacts" / "files"
    text = (files / "core_run_results.json").read_text()
    (target / "run_results.json").write_text(text)
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)

    (first,) = collect_data_from_dbt_core(tmp_path / "project").invocations
    wait_until_stored(house.observatory)
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "another")
    collect_data_from_dbt_core(tmp_path / "project")
    wait_until_stored(house.observatory)

    with house.observatory.store.write() as tx:
        account_key = ensure_local_account(tx, house.observatory.store.now()).account_key
        row = find_invocation(tx, account_key, first.invocation_id)
    assert row is not None
    assert row.airflow is not None
    assert (row.airflow.dag_id, row.airflow.task_id, row.airflow.try_number) == ("nightly", "run dbt", 2)
