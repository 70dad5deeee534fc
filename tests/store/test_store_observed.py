"""Merging through the store is merging purely; who supplied what is kept; attempt chains are found in few queries."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from things import MINUTE, T0, at, make_run, new_account

from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.observed import merge_runs, observe
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep, Trigger, Way
from headwater.store.accounts import save_account
from headwater.store.chain_queries import list_attempts, list_attempts_between
from headwater.store.database import Store
from headwater.store.run_queries import get_run_detail
from headwater.store.runs import (
    list_artifact_records,
    list_due_artifacts,
    reopen_artifact,
    save_artifact_records,
    save_run,
)

account_ids = count(1)
moments = st.none() | st.integers(0, 4).map(at)
steps = st.lists(
    st.builds(
        RunStep,
        index=st.integers(1, 3),
        name=st.sampled_from(["clone", "dbt"]),
        status=st.sampled_from(RunStatus),
        command=st.none() | st.just("dbt build"),
        finished_at=moments,
        log=st.none() | st.sampled_from(["short", "longer"]),
    ),
    max_size=3,
    unique_by=lambda step: step.index,
).map(tuple)
runs = st.builds(
    Run,
    run_id=st.just(7),
    status=st.sampled_from(RunStatus),
    updated_at=moments,
    finished_at=moments,
    job_id=st.none() | st.integers(1, 2),
    status_message=st.none() | st.sampled_from(["a\x00b", "plain"]),
    trigger=st.none() | st.builds(Trigger, category=st.none() | st.just("ci"), cause=st.none() | st.just("why")),
    artifacts_saved=st.booleans(),
    steps=steps,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=st.lists(st.tuples(runs, st.sampled_from(Way)), min_size=1, max_size=5), data=st.data())
def test_merging_through_the_store_is_merging_purely(store: Store, seen, data) -> None:
    """Saved in any order and again, the run and its sources are what the pure function gives."""
    with store.write() as tx:
        account_key = save_account(tx, f"o{next(account_ids)}", AccountAddress("o", next(account_ids)), T0).account_key
    clean = [
        observe(replace(run, status_message=run.status_message and run.status_message.replace("\x00", "\ufffd")), way)
        for run, way in seen
    ]
    merged = reduce(merge_runs, clean)
    for run, way in data.draw(st.permutations([*seen, *seen[:2]])):
        with store.write() as tx:
            save_run(tx, account_key, run, way, T0)
    with store.read() as tx:
        detail = get_run_detail(tx, account_key, 7)

    assert detail.row.run == merged.run
    assert {way: set(names) for way, names in detail.supplied_by.items()} == {
        way: names
        for way in Way
        if (names := {name for name, source in merged.sources.items() if source.way is way})
    }  # fmt: skip


def test_a_run_updated_after_its_end_is_asked_for_again(store: Store) -> None:
    """Its detail becomes due again though it was stored; a stored artifact of a step stays so."""
    account_key = new_account(store)
    detail = ArtifactRecord(step_index=0, path="run", state=ArtifactState.STORED)
    step = ArtifactRecord(step_index=1, path="manifest.json", state=ArtifactState.STORED)
    with store.write() as tx:
        save_run(tx, account_key, make_run(1), Way.POLL, T0)
        save_artifact_records(tx, account_key, 1, (detail, step))
        later = save_run(tx, account_key, make_run(1, updated_at=at(2)), Way.POLL, T0)
        reopen_artifact(tx, account_key, 1, replace(detail, state=ArtifactState.PENDING))
    with store.read() as tx:
        assert later.is_amended
        assert [due.record.path for due in list_due_artifacts(tx, account_key, T0, 9)] == ["run"]
        assert step in list_artifact_records(tx, account_key, 1)


def save_attempt(store: Store, account_key: int, run_id: int, hours: float, status=RunStatus.ERROR, **facts) -> None:
    context = facts.pop("context", None)
    with store.write() as tx:
        run = make_run(run_id, status, created_at=at(hours), **facts)
        save_run(tx, account_key, run, Way.SDK if context else Way.POLL, at(hours), context=context)


def test_all_attempts_of_a_page_are_found_in_few_queries(store: Store) -> None:
    """Retries of any depth, circles, a missing first run, a rerun without an id, tries of one task: two rounds."""
    account_key = new_account(store)
    for number in range(60):
        save_attempt(store, account_key, 1000 + number, number, job_id=9, retrying_run_id=999 + number)
    save_attempt(store, account_key, 1, 1, job_id=5, retrying_run_id=2)
    save_attempt(store, account_key, 2, 2, job_id=5, retrying_run_id=1)
    save_attempt(store, account_key, 10, 1, job_id=6)
    rerun = Trigger(category="rerun", cause="Rerun via the API")
    save_attempt(store, account_key, 11, 2, RunStatus.SUCCESS, job_id=6, trigger=rerun)
    for number in (1, 2):
        context = AirflowContext(dag_id="d", task_id="t", dag_run_id="r", try_number=number)
        save_attempt(store, account_key, 20 + number, number, job_id=7, context=context)
    save_attempt(store, account_key, 30, 9, job_id=7)
    asked: list[str] = []
    with store.read() as tx:
        event.listen(tx.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        found = list_attempts(tx, [(account_key, run_id) for run_id in (1030, 1, 10, 21, 30)])
        spent = len([statement for statement in asked if "SELECT" in statement or "WITH" in statement])
        between = list_attempts_between(tx, T0, at(99))
        early = list_attempts_between(tx, T0, T0 + 90 * MINUTE, (account_key,))
        elsewhere = list_attempts_between(tx, T0, at(99), (account_key + 1,))

    ids = {row.attempt.run_id: row.attempt for row in found}
    assert set(ids) == {*range(1000, 1060), 1, 2, 10, 11, 21, 22, 30}
    assert ids[11].previous_run_id == 10
    assert ids[21].airflow_tasks == ids[22].airflow_tasks != frozenset()
    assert ids[30].airflow_tasks == frozenset()
    assert spent <= 4
    assert {row.attempt.run_id for row in between} == set(ids) - {30}
    assert {1000, 1059, 1, 2, 21, 22} <= {row.attempt.run_id for row in early}
    assert elsewhere == []
    assert all(row.hour <= row.attempt.placed_at < row.hour + timedelta(hours=1) for row in found)


def test_a_cause_with_openlineages_ids_joins_tries_that_only_polls_saw(store: Store) -> None:
    """Two runs whose causes name two tries of one task are one chain; a mapped task's run is not of it."""
    account_key = new_account(store)
    ids = ("76e2-9d3b-03718b39d3fa", "777d-acf4-09c9ac736ec8", "72fe-b209-885d890439a7")
    names = ("etl.g.run_dbt", "etl.daily.g.run_dbt", "etl.daily.g.run_dbt")
    for number, (end, name) in enumerate(zip(ids, names, strict=True)):
        cause = (
            f'{{"parent":{{"run":{{"runId":"01a1f6ae-9900-{end}"}},"job":{{"namespace":"default","name":"{name}"}}}}}}'
        )
        save_attempt(store, account_key, 40 + number, number, job_id=8, trigger=Trigger(category="api", cause=cause))
    with store.read() as tx:
        tasks = {row.attempt.run_id: row.attempt.airflow_tasks for row in list_attempts(tx, _keys(account_key))}
    assert tasks == {
        40: frozenset({'["etl","g.run_dbt","2026-11-20T02:00:00+00:00",null]'}),
        41: frozenset({'["etl","daily.g.run_dbt","2026-11-20T02:00:00+00:00",null]'}),
        42: frozenset({'["etl","daily.g.run_dbt","2026-11-20T02:00:00+00:00",7]'}),
    }


def test_a_cause_that_is_learnt_later_still_joins(store: Store) -> None:
    """A run that was first polled without its trigger gets its task once the trigger is known."""
    account_key = new_account(store)
    cause = _cause("01a1f6ae-9900-76e2-9d3b-03718b39d3fa", "etl.g.run_dbt")
    save_attempt(store, account_key, 40, 1, job_id=8)
    save_attempt(store, account_key, 40, 2, job_id=8, trigger=Trigger(category="api", cause=cause))
    save_attempt(store, account_key, 40, 3, job_id=8)
    with store.read() as tx:
        (row,) = list_attempts(tx, [(account_key, 40)])
    assert row.attempt.airflow_tasks == {'["etl","g.run_dbt","2026-11-20T02:00:00+00:00",null]'}


def _cause(run_id: str, name: str) -> str:
    """Write a cause as Airflow's provider does with OpenLineage."""
    return json.dumps({"parent": {"run": {"runId": run_id}, "job": {"namespace": "default", "name": name}}})


def _keys(account_key: int) -> list[tuple[int, int]]:
    return [(account_key, run_id) for run_id in (40, 41, 42)]
