"""Which Airflow task a run came from: read from causes as the real provider writes them, and from who collected it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.model.airflow import AirflowPart, find_airflow_part, name_task, read_cause
from headwater.model.chain import name_airflow_task
from headwater.model.run import AirflowContext

CREATED_AT = datetime(2026, 11, 20, 2, 0, 10, tzinfo=UTC)
WORDS = "Triggered via Apache Airflow by task 'load.run_dbt' in the etl.daily DAG."


def parent(run_id: str, name: str = "etl.daily.load.run_dbt", root: str | None = "etl.daily") -> str:
    """Write a cause as the provider does; the ids below were made by openlineage-python 1.54.0."""
    document = {"parent": {"run": {"runId": run_id}, "job": {"namespace": "default", "name": name}}}
    if root is not None:
        document["root"] = {"run": {"runId": str(UUID(int=7))}, "job": {"namespace": "default", "name": root}}
    return json.dumps(document, separators=(",", ":"))


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (WORDS, AirflowContext(dag_id="etl.daily", task_id="load.run_dbt")),
        (f" {WORDS[:-1]}\n", AirflowContext(dag_id="etl.daily", task_id="load.run_dbt")),
        (
            parent("01a1f6ae-9900-777d-acf4-09c9ac736ec8", "etl.daily.g.run_dbt"),
            AirflowContext(
                dag_id="etl.daily",
                task_id="g.run_dbt",
                try_number=2,
                map_index=-1,
                logical_date="2026-11-20T02:00:00+00:00",
            ),
        ),
        (
            parent("01a1f6ae-9900-72fe-b209-885d890439a7", "etl.daily.g.run_dbt"),
            AirflowContext(
                dag_id="etl.daily",
                task_id="g.run_dbt",
                try_number=3,
                map_index=7,
                logical_date="2026-11-20T02:00:00+00:00",
            ),
        ),
        (
            parent("01a1f6ae-9d63-7f40-971c-4c13b4d5f54c", "etl.daily.g.run_dbt"),
            AirflowContext(
                dag_id="etl.daily",
                task_id="g.run_dbt",
                try_number=2,
                map_index=-1,
                logical_date="2026-11-20T02:00:01.123456+00:00",
            ),
        ),
        (
            parent("01a1f6ae-9900-76e2-9d3b-03718b39d3fa", "etl.g.run_dbt", None),
            AirflowContext(
                dag_id="etl", task_id="g.run_dbt", try_number=1, map_index=-1, logical_date="2026-11-20T02:00:00+00:00"
            ),
        ),
        (parent(str(UUID(int=7))), AirflowContext(dag_id="etl.daily", task_id="load.run_dbt")),
        (parent("no id", root="another.system"), AirflowContext(dag_id="etl", task_id="daily.load.run_dbt")),
    ],
)
def test_a_cause_of_the_provider_is_read(cause: str, expected: AirflowContext) -> None:
    """Its sentence names DAG and task; its OpenLineage ids also the try, the map index and the DAG run's date."""
    assert read_cause(cause) == expected


NOT_AIRFLOWS = [None, "", "scheduled", f"Once more: {WORDS}", "{", "{}", "[" * 9999, parent("x", "y")]
NAMES = st.sampled_from(["parent", "root", "run", "job", "runId", "name", "namespace"])
DOCUMENTS = st.recursive(st.none() | st.text() | st.integers(), lambda some: st.dictionaries(NAMES, some))


@pytest.mark.parametrize("cause", NOT_AIRFLOWS)
def test_another_cause_is_not_airflows(cause: str | None) -> None:
    """What a person or another system wrote names no task."""
    assert read_cause(cause) is None


@given(st.text() | DOCUMENTS.map(json.dumps))
def test_no_cause_is_too_odd(cause: str) -> None:
    """Whatever stands in a cause, reading it ends: with a task that has a name, or none."""
    found = read_cause(cause)

    assert found is None or (found.dag_id is not None and bool(found.task_id))


def test_tries_share_a_name_and_mapped_tasks_do_not() -> None:
    """The tries that OpenLineage's ids tell of are one task of one DAG run; what only names a task joins nothing."""
    second = read_cause(parent("01a1f6ae-9900-777d-acf4-09c9ac736ec8", "etl.daily.g.run_dbt"))
    mapped = read_cause(parent("01a1f6ae-9900-72fe-b209-885d890439a7", "etl.daily.g.run_dbt"))
    words = read_cause(WORDS)

    assert second is not None
    assert mapped is not None
    assert words is not None
    assert name_airflow_task(second) == '["etl.daily","g.run_dbt","2026-11-20T02:00:00+00:00",null]'
    assert name_airflow_task(mapped) == '["etl.daily","g.run_dbt","2026-11-20T02:00:00+00:00",7]'
    assert name_airflow_task(words) is None


def test_the_task_that_the_cause_names_triggered_the_run() -> None:
    """Of the tasks that collected it the named one tells the try; where it collected nothing, its name is all."""
    asked = AirflowContext(dag_id="etl.daily", task_id="load.run_dbt", try_number=2, dag_run_id="r")
    other = AirflowContext(dag_id="etl.daily", task_id="record_run", try_number=3)

    assert find_airflow_part(WORDS, CREATED_AT, [other, asked]) == AirflowPart(task=asked, is_trigger=True)
    named = find_airflow_part(WORDS, CREATED_AT, [other])
    assert named is not None
    assert (name_task(named.task), named.is_trigger) == ("DAG etl.daily, task load.run_dbt", True)
    assert find_airflow_part("scheduled", CREATED_AT, []) is None


@pytest.mark.parametrize(
    ("started_at", "is_trigger"),
    [
        ("2026-11-20T02:00:00+00:00", True),
        ("2026-11-20T02:00:11+00:00", False),
        (None, True),
        ("yesterday", True),
        ("2026-11-20T02:00:11", True),
    ],
)
def test_a_task_that_began_after_the_run_only_collected_it(started_at: str | None, is_trigger: bool) -> None:
    """Where the cause is free text, a task can have triggered only what was made after it began."""
    context = AirflowContext(dag_id="d", task_id="t", try_number=1, map_index=4, started_at=started_at)

    found = find_airflow_part("every night", CREATED_AT, [context])

    assert found == AirflowPart(task=context, is_trigger=is_trigger)
    assert name_task(context) == "DAG d, task t, try 1, map index 4"
