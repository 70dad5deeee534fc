"""Runs: many observations, one row; what is counted beside them is always what counting them would give."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from things import (
    DAY,
    MINUTE,
    T0,
    at,
    make_execution,
    make_invocation,
    make_results,
    make_run,
    new_account,
    new_scope,
)

from headwater.errors import NotKnown, WrongUse
from headwater.model.account import AccountAddress, AccountStatus, Environment, Job, Project
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.run import AirflowContext, RunStatus, RunStep, Trigger, Way
from headwater.store import run_counts
from headwater.store.accounts import (
    delete_account,
    find_account,
    find_account_by_address,
    find_sealed_token,
    get_account,
    list_account_summaries,
    read_revisions,
    save_account,
    save_connection,
    set_paused,
    set_token,
)
from headwater.store.database import Store
from headwater.store.inventory import (
    list_account_jobs,
    list_environments,
    list_projects,
    save_environments,
    save_jobs,
    save_projects,
)
from headwater.store.invocations import save_invocation
from headwater.store.job_queries import list_jobs
from headwater.store.retention import delete_before
from headwater.store.run_queries import RunFilter, find_run_accounts, get_run_detail, list_changed_runs, list_runs
from headwater.store.runs import (
    count_runs_with_open_artifacts,
    list_due_artifacts,
    list_known_run_statuses,
    list_newest_runs,
    list_open_runs,
    save_artifact_records,
    save_run,
)
from headwater.store.schema import metadata

CONTEXT = AirflowContext(dag_id="nightly", task_id="collect", dag_run_id="scheduled__1", try_number=2, owner="data")
STEPS = (
    RunStep(index=1, name="Clone git repository", status=RunStatus.SUCCESS, started_at=T0, finished_at=at(0.1)),
    RunStep(index=2, name="Invoke dbt with `dbt build`", status=RunStatus.ERROR, command="dbt build", log="1 of 2 …\n"),
)
account_ids = count(1000)


def save(store: Store, account_key: int, run, way=Way.POLL, now=T0, **more):
    with store.write() as tx:
        return save_run(tx, account_key, run, way, now, **more)


def test_a_run_comes_back_as_it_was_saved(store: Store) -> None:
    """Every field of a run, its trigger and its steps survive, to the microsecond."""
    run = make_run(
        2**62, RunStatus.ERROR, status_code=20, status_message="dbt failed", dbt_version="1.11", git_branch="main",
        git_sha="abc", trigger=Trigger(category="ci", cause="PR", git_branch="x", git_sha="y", pull_request_id=5,
        schema_override="pr_5"), dequeued_at=T0 + timedelta(microseconds=1), retrying_run_id=-3, artifacts_saved=True,
        href="https://x/1", steps=STEPS,
    )  # fmt: skip
    account_key = new_account(store)
    saved = save(store, account_key, run)
    assert (saved.is_new, saved.changed, saved.finished_now) == (True, True, True)
    with store.read() as tx:
        assert get_run_detail(tx, account_key, run.run_id).row.run == run
        assert find_run_accounts(tx, run.run_id) == [account_key]
        with pytest.raises(NotKnown):
            get_run_detail(tx, account_key, 1)


def test_a_run_seen_by_every_way_in_any_order_is_one_run(store: Store) -> None:
    """Polled, rung for, collected by Airflow: one row with all that was seen, whatever came first and how often."""
    seen = (
        (make_run(1, RunStatus.RUNNING, updated_at=at(0.2)), Way.WEBHOOK, None),
        (make_run(1, RunStatus.ERROR, updated_at=at(1), git_sha="abc"), Way.POLL, None),
        (make_run(1, RunStatus.ERROR, updated_at=at(1), steps=STEPS), Way.SDK, CONTEXT),
    )
    results = set()
    for order in permutations(seen):
        with store.write() as tx:
            account_key = save_account(tx, f"a{order}", AccountAddress("o", next(account_ids)), T0).account_key
        for hours, (run, way, context) in enumerate((*order, *order)):
            saved = save(store, account_key, run, way, at(hours), context=context)
            assert not (hours >= 3 and saved.changed)
            assert saved.is_new == (hours == 0)
        with store.read() as tx:
            page = list_runs(tx, RunFilter(account_keys=(account_key,)))
            detail = get_run_detail(tx, account_key, 1)
        assert (page.total, len(page.runs)) == (1, 1)
        assert page.runs[0].observed_by == (Way.POLL, Way.WEBHOOK, Way.SDK)
        assert {(seen.way, seen.context) for seen in detail.observations} == {
            (Way.POLL, None), (Way.WEBHOOK, None), (Way.SDK, CONTEXT),
        }  # fmt: skip
        results.add(replace(detail.row.run))
    assert len(results) == 1
    assert results.pop().steps == STEPS


def test_a_finished_run_stays_finished_and_a_new_verdict_is_noted(store: Store) -> None:
    """An open status of no later update changes nothing; what dbt Cloud replaces later is kept as an amendment."""
    account_key = new_account(store)
    assert not save(store, account_key, make_run(1, RunStatus.RUNNING)).finished_now
    assert save(store, account_key, make_run(1, RunStatus.SUCCESS, updated_at=at(1))).finished_now
    stale = save(store, account_key, make_run(1, RunStatus.RUNNING, updated_at=at(1)), Way.WEBHOOK)
    assert not stale.finished_now
    changed = save(store, account_key, make_run(1, RunStatus.ERROR, updated_at=at(2)), Way.SDK, at(3))
    assert (changed.finished_now, changed.is_amended) == (False, True)
    again = save(store, account_key, make_run(1, RunStatus.ERROR, updated_at=at(2)), Way.SDK, at(4))
    assert (again.changed, again.is_amended) == (False, False)
    with store.read() as tx:
        assert get_run_detail(tx, account_key, 1).row.run.status is RunStatus.ERROR
    save(store, account_key, make_run(1, RunStatus.RUNNING, updated_at=at(5)), now=at(6))
    with store.read() as tx:
        detail = get_run_detail(tx, account_key, 1)
    assert detail.row.run.status is RunStatus.RUNNING
    assert [(note.from_status, note.to_status, note.way, note.noticed_at) for note in detail.amendments] == [
        (RunStatus.SUCCESS, RunStatus.ERROR, Way.SDK, at(3)),
        (RunStatus.ERROR, RunStatus.RUNNING, Way.POLL, at(6)),
    ]


moments = st.one_of(st.none(), st.integers(0, 5).map(at), st.datetimes().map(lambda t: t.replace(tzinfo=T0.tzinfo)))
observed = st.builds(
    make_run,
    st.integers(1, 4),
    st.sampled_from(RunStatus),
    job_id=st.one_of(st.none(), st.integers(1, 2)),
    project_id=st.one_of(st.none(), st.integers(1, 2)),
    environment_id=st.one_of(st.none(), st.integers(1, 2)),
    created_at=moments,
    started_at=moments,
    finished_at=moments,
    updated_at=moments,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=st.lists(st.tuples(observed, st.integers(0, 40)), min_size=1, max_size=8))
def test_counted_hours_are_what_counting_gives(store: Store, seen) -> None:
    """After any observations in any order the hours hold what counting the runs anew would hold."""
    with store.write() as tx:
        account_key = save_account(tx, f"h{next(account_ids)}", AccountAddress("h", next(account_ids)), T0).account_key
    for run, hours in seen:
        save(store, account_key, run, now=at(hours))
    runs_by_hour: Counter[tuple[datetime, RunStatus]] = Counter()
    elapsed: Counter[tuple[int, RunStatus]] = Counter()
    with store.read() as tx:
        for row in list_runs(tx, RunFilter(account_keys=(account_key,)), limit=None).runs:
            run = row.run
            assert row.placed_at == (run.created_at or run.started_at or row.first_seen_at)
            runs_by_hour[row.placed_at.replace(minute=0, second=0, microsecond=0), run.status] += 1
            span = min(max(run.elapsed or timedelta(), timedelta()), timedelta(days=366))
            elapsed[run.job_id or 0, run.status] += span // timedelta(microseconds=1)
        early, late = datetime.min.replace(tzinfo=T0.tzinfo), datetime.max.replace(tzinfo=T0.tzinfo)
        counted = run_counts.count_runs(tx, early, late, account_keys=(account_key,))
        totals = [total for total in run_counts.list_run_totals(tx) if total.account_key == account_key]
    assert {(segment.start, segment.status): segment.runs for segment in counted} == runs_by_hour
    assert {(total.job_id, total.status): total.elapsed // timedelta(microseconds=1) for total in totals} == elapsed
    assert sum(total.runs for total in totals) == runs_by_hour.total()


def test_bars_are_counted_by_hour_or_day(store: Store) -> None:
    """A day's bar holds what its hours hold, and filters narrow it."""
    account_key = new_account(store)
    for run_id, hours in enumerate((0, 0.5, 3, 25), start=1):
        status = RunStatus.ERROR if run_id == 2 else RunStatus.SUCCESS
        save(store, account_key, make_run(run_id, status, created_at=at(hours), job_id=run_id % 2))
    with store.read() as tx:
        hours = run_counts.count_runs(tx, T0, at(48))
        days = run_counts.count_runs(tx, T0, at(48), step=DAY)
        one = run_counts.count_runs(tx, T0, at(48), step=DAY, job_id=1, account_keys=(account_key,), project_id=1)
    assert [(s.start, s.status.value, s.runs) for s in hours] == [
        (T0, "error", 1), (T0, "success", 1), (at(3), "success", 1), (at(25), "success", 1),
    ]  # fmt: skip
    assert [(s.start, s.status.value, s.runs) for s in days] == [
        (T0, "error", 1),
        (T0, "success", 2),
        (at(24), "success", 1),
    ]
    assert [(s.start, s.runs) for s in one] == [(T0, 2)]


def test_pages_of_runs_are_filtered_and_ordered(store: Store) -> None:
    """Newest first, any page, any filter; the total says how many there are in all."""
    account_key = new_account(store)
    other = new_account(store, "other", AccountAddress("https://eu.example", 7))
    with store.write() as tx:
        save_projects(tx, account_key, [Project(project_id=1, name="Shop")])
        save_environments(tx, account_key, [Environment(environment_id=2, project_id=1, name="Production")])
        save_jobs(tx, account_key, [Job(job_id=3, project_id=1, environment_id=2, name="Nightly 100% build")])
    for run_id in range(1, 8):
        status = RunStatus.ERROR if run_id % 3 == 0 else RunStatus.SUCCESS
        trigger = Trigger(category="ci" if run_id == 5 else "scheduled")
        save(store, account_key, make_run(run_id, status, created_at=at(run_id), trigger=trigger))
    save(store, other, make_run(4, created_at=at(100), job_id=None))
    expected = {
        RunFilter(): [4, 7, 6, 5, 4, 3, 2, 1],
        RunFilter(account_keys=(account_key,), statuses=(RunStatus.ERROR,)): [6, 3],
        RunFilter(trigger_category="ci"): [5],
        RunFilter(created_from=at(2), created_until=at(4)): [3, 2],
        RunFilter(text="nightly 100%"): [7, 6, 5, 4, 3, 2, 1],
        RunFilter(text="nightly_100"): [],
        RunFilter(text="4"): [4, 4],
        RunFilter(text="3", account_keys=(other,)): [],
        RunFilter(text=str(2**70)): [],
        RunFilter(project_id=1, environment_id=2, job_id=3, run_id=2): [2],
        RunFilter(account_keys=()): [],
    }
    with store.read() as tx:
        for wanted, run_ids in expected.items():
            page = list_runs(tx, wanted, limit=None)
            assert ([row.run.run_id for row in page.runs], page.total) == (run_ids, len(run_ids)), wanted
        page = list_runs(tx, limit=2, offset=3)
        assert ([row.run.run_id for row in page.runs], page.total) == ([5, 4], 8)
        names = page.runs[0]
    assert (names.account_name, names.job_name, names.project_name, names.environment_name) == (
        "acme", "Nightly 100% build", "Shop", "Production",
    )  # fmt: skip


def test_a_page_takes_four_queries_whatever_its_size(store: Store) -> None:
    """The runs table never asks once for each row."""
    scope = new_scope(store)
    asked: list[str] = []
    for run_id in range(1, 40):
        with store.write() as tx:
            save_run(tx, scope.account_key, make_run(run_id), Way.POLL, T0)
            results = make_results(make_execution(1), make_execution(2, "error"))
            save_invocation(tx, scope, make_invocation(f"inv-{run_id}"), results, run_id=run_id, now=T0)
    with store.read() as tx:
        event.listen(tx.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        page = list_runs(tx, limit=None)
    assert len(page.runs) == 39
    assert all(row.node_counts == {"success": 1, "error": 1} for row in page.runs)
    assert len([statement for statement in asked if "SELECT" in statement]) <= 4


def test_a_page_can_ask_what_changed_since(store: Store) -> None:
    """Only a real change raises the revision, and the changed runs are those after it."""
    account_key = new_account(store)
    save(store, account_key, make_run(1))
    save(store, account_key, make_run(2, RunStatus.RUNNING))
    with store.read() as tx:
        before = read_revisions(tx)
        assert list_changed_runs(tx, before) == ()
    save(store, account_key, make_run(1))
    save(store, account_key, make_run(2, RunStatus.SUCCESS, updated_at=at(2)))
    with store.read() as tx:
        assert [row.run.run_id for row in list_changed_runs(tx, before)] == [2]
        assert list_changed_runs(tx, {}) == ()
        assert read_revisions(tx)[account_key] == before[account_key] + 1
    with store.write() as tx:
        save_artifact_records(tx, account_key, 1, [ArtifactRecord(step_index=1, path="m", state=ArtifactState.STORED)])
    with store.read() as tx:
        assert [row.run.run_id for row in list_changed_runs(tx, before)] == [2, 1]


def test_artifacts_that_are_due_are_found_and_stored_ones_stay(store: Store) -> None:
    """What is pending, or failed and waited long enough, is due, newest run first; stored is final."""
    account_key = new_account(store)
    pending = ArtifactRecord(step_index=0, path="run", state=ArtifactState.PENDING)
    later = ArtifactRecord(
        step_index=1, path="manifest.json", state=ArtifactState.FAILED, reason="500", attempts=2, next_attempt_at=at(1)
    )
    stored = ArtifactRecord(step_index=1, path="manifest.json", state=ArtifactState.STORED, size_bytes=9)
    for run_id in (1, 2):
        save(store, account_key, make_run(run_id))
    with store.write() as tx:
        save_artifact_records(tx, account_key, 1, [pending, later])
        save_artifact_records(tx, account_key, 2, [pending])
    with store.read() as tx:
        assert [(due.run_id, due.record) for due in list_due_artifacts(tx, account_key, T0, 10)] == [
            (2, pending),
            (1, pending),
        ]
        assert len(list_due_artifacts(tx, account_key, at(1), 10)) == 3
        assert len(list_due_artifacts(tx, account_key, at(1), 1)) == 1
        assert count_runs_with_open_artifacts(tx, account_key) == 2
    with store.write() as tx:
        save_artifact_records(tx, account_key, 1, [stored])
        save_artifact_records(tx, account_key, 1, [later])
    with store.read() as tx:
        assert get_run_detail(tx, account_key, 1).artifacts == (pending, stored)


def test_open_and_newest_runs_are_found(store: Store) -> None:
    """What is not over is followed; the highest ids and the known statuses are at hand."""
    account_key = new_account(store)
    for run_id, status in enumerate(RunStatus, start=1):
        save(store, account_key, make_run(run_id, status, created_at=at(run_id)))
    with store.read() as tx:
        assert list_open_runs(tx, account_key, T0) == [1, 2, 3, 7]
        assert list_open_runs(tx, account_key, at(3)) == [3, 7]
        assert list_newest_runs(tx, account_key, 2) == [7, 6]
        assert list_known_run_statuses(tx, account_key, [4, 99]) == {4: (RunStatus.SUCCESS, at(1))}


def test_jobs_show_their_last_runs_counts_and_durations(store: Store) -> None:
    """A job's row: the last twenty runs oldest first, counts of the window, the median and the slow end."""
    account_key = new_account(store)
    nightly = Job(
        job_id=3,
        project_id=1,
        environment_id=2,
        name="Nightly",
        commands=("dbt build", "dbt docs generate"),
        cron="0 1 * * *",
    )
    with store.write() as tx:
        save_jobs(
            tx,
            account_key,
            [nightly, Job(job_id=4, project_id=None, environment_id=None, name="Gone", is_deleted=True)],
        )
        save_jobs(tx, account_key, [Job(job_id=5, project_id=None, environment_id=None, name="Idle")])
    for run_id in range(1, 31):
        created = at(run_id)
        facts = {"created_at": created, "started_at": created, "finished_at": created + run_id * MINUTE}
        save(store, account_key, make_run(run_id, RunStatus.ERROR if run_id == 30 else RunStatus.SUCCESS, **facts))
    with store.read() as tx:
        jobs = list_jobs(tx, at(11), at(31), account_keys=(account_key,))
        assert [job.job.name for job in list_jobs(tx, T0, at(31), with_deleted=True)] == ["Gone", "Idle", "Nightly"]
        assert list_account_jobs(tx, account_key)[2] == nightly
    idle, busy = jobs
    assert (idle.last_runs, idle.run_counts, idle.elapsed_p50) == ((), {}, None)
    assert busy.job == nightly
    assert [mark.run_id for mark in busy.last_runs] == list(range(11, 31))
    assert busy.run_counts == {RunStatus.SUCCESS: 19, RunStatus.ERROR: 1}
    assert (busy.elapsed_p50, busy.elapsed_p90) == (20 * MINUTE, 28 * MINUTE)


def test_accounts_are_known_by_address_and_renamed_but_never_confused(store: Store) -> None:
    """One address is one account; a name belongs to one; removing an account removes all of it and nothing else."""
    account_key = new_account(store)
    elsewhere = AccountAddress("https://eu.example", 42)
    assert new_account(store, "renamed") == account_key
    with pytest.raises(WrongUse, match="renamed"):
        new_account(store, "renamed", elsewhere)
    other = new_account(store, "acme", elsewhere)
    with store.write() as tx:
        set_token(tx, account_key, b"sealed", "wxyz", at(1))
        set_paused(tx, account_key, True)
        save_connection(tx, account_key, AccountStatus.FAILING, "no answer", at(2))
        save_projects(
            tx, account_key, [Project(project_id=1, name="a"), Project(project_id=1, name="b", is_deleted=True)]
        )
    save(store, account_key, make_run(1, RunStatus.ERROR, created_at=at(1)), now=at(2))
    save(store, account_key, make_run(2, created_at=at(2)))
    save(store, other, make_run(1))
    with store.read() as tx:
        account = get_account(tx, account_key)
        summary = next(s for s in list_account_summaries(tx, at(0), at(2)) if s.account == account)
        assert find_account(tx, "renamed") == account
        assert find_account_by_address(tx, elsewhere).account_key == other
        assert find_sealed_token(tx, account_key) == b"sealed"
        assert list_projects(tx, account_key) == [Project(project_id=1, name="b", is_deleted=True)]
        assert list_environments(tx, account_key) == []
    assert (account.has_token, account.token_hint, account.token_set_at, account.is_paused) == (
        True,
        "wxyz",
        at(1),
        True,
    )
    assert (account.status, account.last_error, account.last_checked_at) == (AccountStatus.FAILING, "no answer", at(2))
    assert (summary.runs, summary.failures, summary.last_run.run_id) == (1, 1, 2)
    with store.write() as tx:
        delete_account(tx, account_key)
    with store.read() as tx:
        assert find_account(tx, "renamed") is None
        for table in metadata.sorted_tables:
            if "account_key" in table.c:
                where = table.c.account_key == account_key
                assert tx.execute(select(func.count()).select_from(table).where(where)).scalar_one() == 0, table.name
        assert list_runs(tx).total == 1


def test_old_runs_go_in_batches_with_all_that_is_theirs(store: Store) -> None:
    """Retention removes old finished runs and their code, keeps open and young ones, and the counts stay true."""
    scope = new_scope(store)
    for run_id in range(1, 6):
        status = RunStatus.RUNNING if run_id == 2 else RunStatus.SUCCESS
        with store.write() as tx:
            save_run(tx, scope.account_key, make_run(run_id, status, created_at=at(run_id), steps=STEPS), Way.POLL, T0)
            execution = make_execution(1, compiled_code="shared" if run_id in {1, 5} else f"select {run_id}")
            save_invocation(tx, scope, make_invocation(f"inv-{run_id}"), make_results(execution), run_id=run_id, now=T0)
    with store.write() as tx:
        save_invocation(
            tx, scope, make_invocation("local", generated_at=at(1)), make_results(make_execution(9)), now=T0
        )
        first = delete_before(tx, scope.account_key, at(4.5), 2)
    with store.write() as tx:
        second = delete_before(tx, scope.account_key, at(4.5), 2)
        assert not delete_before(tx, scope.account_key, at(4.5), 2)
    assert (first.runs, first.invocations, second.runs) == (2, 3, 1)
    with store.read() as tx:
        rows = {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
        assert [row.run.run_id for row in list_runs(tx).runs] == [5, 2]
        assert sum(total.runs for total in run_counts.list_run_totals(tx)) == 2
        assert run_counts.count_stored(tx).executions == 2
    assert (rows["run_steps"], rows["observations"], rows["invocations"], rows["compiled_codes"]) == (4, 2, 2, 2)
