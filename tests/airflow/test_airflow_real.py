"""A real Airflow 2.11 and 3 with the real dbt Cloud provider, over HTTPS, and what Headwater then knows of its runs."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from airflow_house import PAGES, AirflowHouse, Ran

from headwater.observatory.access import Role, create_token
from headwater.observatory.reports import RunReport
from program import Program


def tasks_of(report: RunReport) -> list[str | None]:
    """Name the tasks that a run was collected in."""
    return [seen.airflow for seen in report.observations if seen.way == "sdk"]


def test_nothing_that_airflow_brings_is_changed(house: AirflowHouse, wheel: Path, tmp_path: Path) -> None:
    """`pip install 'headwater[airflow]'` into the real install would install headwater, and no other package at all."""
    report = tmp_path / "report.json"
    command = [house.installed.python, "-m", "pip", "install", "--dry-run", "--quiet", "--report", report]
    subprocess.run([*command, f"headwater[airflow] @ {wheel.as_uri()}"], check=True, cwd=tmp_path)

    planned = json.loads(report.read_text())["install"]
    assert [item["metadata"]["name"] for item in planned] == ["headwater"]
    assert "airflow" in planned[0]["metadata"]["provides_extra"]


def test_an_airflow_without_the_provider_is_left_alone(house: AirflowHouse) -> None:
    """Airflow finds the plugin by its entry point; after a task of another kind it loads nothing of the provider."""
    code = """
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace

(found,) = entry_points(group="airflow.plugins", name="headwater")
plugin = found.load()
plugin.listeners[0].on_task_instance_success(SimpleNamespace(task=object(), task_id="other"))
print(plugin.name, sorted(name for name in sys.modules if name.startswith(("airflow.providers.dbt.cloud.operators",
    "airflow.providers.dbt.cloud.sensors", "airflow.providers.dbt.cloud.hooks"))))
"""
    environ = house.environment() | {"HEADWATER_URL": house.url}
    done = subprocess.run(
        [house.installed.python, "-c", code], env=environ, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-1:] == ["headwater []"], done.stderr


def test_every_dag_ends_well(ran: Ran) -> None:
    """Each DAG ran to its end: triggered, polled or deferred, retried where dbt failed, and collected."""
    names = ["listened", "deferred", "unseen", "worded", "away", "mapped", "watched", "called", "isolated"]

    assert ran.states() == dict.fromkeys(names, "success"), ran.said


@pytest.mark.parametrize("dag_id", ["listened", "deferred"])
def test_the_plugin_collects_each_try_by_itself(ran: Ran, dag_id: str) -> None:
    """Without a line in the DAG both tries are there with their results, as one chain: dbt failed, then went well."""
    failed, well = ran.reports(dag_id)

    assert (failed.status, well.status) == ("error", "success")
    assert (failed.airflow_sentence, well.airflow_sentence) == (
        f"It was triggered by DAG {dag_id}, task run_dbt, try 1.",
        f"It was triggered by DAG {dag_id}, task run_dbt, try 2.",
    )
    assert [failed.observed_by, well.observed_by] == [("poll", "sdk")] * 2
    assert [failed.chain.attempt, well.chain.attempt, well.chain.run_ids] == [1, 2, (failed.run_id, well.run_id)]
    assert (failed.is_complete, well.is_complete, bool(well.executions)) == (True, True, True)


def test_where_it_ran_is_known_in_its_parts(ran: Ran) -> None:
    """DAG run, try, logical date, owner and the address of the task in Airflow's pages come from the task."""
    report = ran.reports("listened")[1]
    task = report.airflow

    assert task is not None
    assert (task.dag_id, task.task_id, task.try_number, task.map_index) == ("listened", "run_dbt", 2, None)
    assert task.dag_run_id is not None
    assert task.dag_run_id.startswith("manual__")
    assert task.logical_date is not None
    assert task.url is not None
    assert task.url.startswith(f"{PAGES}/dags/listened/")
    assert {"run_dbt", "manual__"} <= set(re.findall(r"run_dbt|manual__", task.url))


def test_the_page_and_the_command_say_it(house: AirflowHouse, ran: Ran) -> None:
    """The run's page says which try of which task triggered it and leads there; `headwater run` says the same."""
    report = ran.reports("listened")[1]
    sentence = "triggered by DAG listened, task run_dbt, try 2"
    viewer = create_token(house.observatory, "reader", Role.VIEWER)[1].reveal()
    request = urllib.request.Request(
        f"{house.url}/runs/first/{report.run_id}", headers={"Authorization": f"Bearer {viewer}"}
    )
    with urllib.request.urlopen(request) as answer:
        page = answer.read().decode()
    database = f"sqlite:///{house.folder / 'headwater' / 'headwater.db'}"
    said = Program(house.folder / "headwater", {"HEADWATER__DATABASE_URL": database}).run("run", report.run_id)

    assert sentence in page
    assert f'href="{PAGES}/dags/listened/' in page
    assert sentence in said.out, said.err
    assert PAGES in said.out


def test_each_mapped_task_is_its_own(ran: Ran) -> None:
    """The runs of two mapped tasks have their map indexes and are not taken for tries of one another."""
    reports = ran.reports("mapped")

    assert {report.airflow_sentence for report in reports} == {
        "It was triggered by DAG mapped, task run_dbt, try 1, map index 0.",
        "It was triggered by DAG mapped, task run_dbt, try 1, map index 1.",
    }
    assert [len(report.attempts) for report in reports] == [1, 1]
    assert {report.airflow.map_index for report in reports if report.airflow} == {0, 1}


def test_a_run_that_is_only_begun_is_collected_by_the_sensor(house: AirflowHouse, ran: Ran) -> None:
    """A task that does not wait hands the run in as it stands, the sensor when it is over; the reason is free text."""
    (run,) = [run for run in house.truth() if run["trigger_cause"].startswith("The nightly models")]
    report = house.report(run["id"])

    assert sorted(filter(None, tasks_of(report))) == [
        "DAG watched, task run_dbt, try 1",
        "DAG watched, task watch, try 1",
    ]
    assert report.status == "success"
    assert report.airflow_sentence is not None
    assert report.airflow_sentence.startswith("It was triggered by DAG watched, task ")


def test_the_call_in_a_task_and_in_a_python_operator(ran: Ran) -> None:
    """Both calls are seen beside the plugin, as one run; the task that triggered it is still the one that is named."""
    (report,) = ran.reports("called")

    assert set(tasks_of(report)) == {
        "DAG called, task run_dbt, try 1",
        "DAG called, task record_run, try 1",
        "DAG called, task record_again, try 1",
    }
    assert report.airflow_sentence == "It was triggered by DAG called, task run_dbt, try 1."
    assert ran.said.count(f"outcome of {report.run_id}: sent, None") >= 2


def test_a_process_of_its_own_has_the_environment(ran: Ran) -> None:
    """Where Airflow cannot be asked, `AIRFLOW_CTX_*` tells task, run and try, and the settings where the pages are."""
    (report,) = ran.reports("isolated")
    (task,) = [seen.task for seen in report.observations if seen.task and seen.task.task_id == "record_run"]

    assert (task.dag_id, task.try_number, task.logical_date is None) == ("isolated", 1, False)
    assert task.url is not None
    assert task.url.startswith(f"{PAGES}/dags/isolated/")


def test_the_server_is_away_then_back(house: AirflowHouse, ran: Ran) -> None:
    """The task ends well while nobody listens; what it collected is kept, and the next task to get through sends it."""
    (report,) = ran.reports("away")

    assert f"outcome of {report.run_id}: spooled" in ran.said
    assert "DAG away, task record_run, try 1" in tasks_of(report)
    assert list((house.folder / "spool").glob("*")) == []


def test_without_the_sdk_the_cause_tells_the_task(ran: Ran) -> None:
    """Seen by the monitor alone, a run says which DAG and task triggered it."""
    (report,) = ran.reports("worded")

    assert report.observed_by == ("poll",)
    assert report.airflow_sentence == "It was triggered by DAG worded, task run_dbt."


def test_without_the_sdk_openlineages_ids_tell_the_try(ran: Ran) -> None:
    """Seen by the monitor alone, two tries are one chain where the provider wrote its parent ids into the cause."""
    failed, well = ran.reports("unseen")

    assert (failed.observed_by, well.observed_by) == (("poll",), ("poll",))
    assert [failed.airflow_sentence, well.airflow_sentence] == [
        "It was triggered by DAG unseen, task run_dbt, try 1.",
        "It was triggered by DAG unseen, task run_dbt, try 2.",
    ]
    assert well.chain.run_ids == (failed.run_id, well.run_id)


def test_no_token_is_spoken(house: AirflowHouse, ran: Ran) -> None:
    """Neither dbt Cloud's token nor Headwater's stands in anything Airflow said or wrote beside its own settings."""
    assert house.token not in ran.said
    assert house.simulator.accounts[0].token not in ran.said
