"""Invocations and their results: the same one twice is one, a fuller one replaces, hostile text is only text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from things import (
    HOUR,
    MINUTE,
    SECOND,
    T0,
    at,
    make_execution,
    make_invocation,
    make_manifest,
    make_node,
    make_results,
    make_run,
    make_sources,
    new_account,
    new_scope,
)

from headwater.model.account import AccountAddress, Job
from headwater.model.invocation import Freshness
from headwater.model.node import Relation
from headwater.model.run import RunStatus, RunStep, Trigger, Way
from headwater.store.accounts import read_revisions
from headwater.store.database import Store, open_store
from headwater.store.inventory import list_account_jobs, save_jobs
from headwater.store.invocation_queries import (
    find_compiled_code,
    find_invocation,
    list_invocation_executions,
    list_node_executions,
)
from headwater.store.invocations import save_invocation
from headwater.store.manifests import list_nodes, save_manifest
from headwater.store.run_counts import count_stored
from headwater.store.run_queries import get_run_detail
from headwater.store.runs import save_run
from headwater.store.values import clean_key, clean_text
from headwater.store.writing import Scope


def save(store: Store, scope: Scope, invocation, results=None, sources=None, **more) -> int:
    with store.write() as tx:
        return save_invocation(tx, scope, invocation, results, sources, now=T0, **more)


def test_executions_come_back_as_they_were_saved(store: Store) -> None:
    """Every field of executions and freshness results survives, and the code that ran is found by its hash."""
    scope = new_scope(store)
    executions = (
        make_execution(1, bytes_processed=2**62, query_id="01b", failures=0),
        make_execution(2, "skipped", started_at=None, executing_at=None, finished_at=None, compiled_code=None),
        make_execution(3, "fail", failures=4, message="Got 4 results", rows_affected=None),
    )
    freshness = Freshness(
        unique_id="source.shop.raw.orders", status="warn", max_loaded_at=at(-5), snapshotted_at=T0, age=5 * HOUR,
        warn_after=4 * HOUR, error_after=8 * HOUR, elapsed=SECOND, message="late",
    )  # fmt: skip
    invocation = make_invocation(elapsed=MINUTE, adapter_type="duckdb")
    with store.write() as tx:
        save_run(tx, scope.account_key, make_run(7), Way.POLL, T0)
        save_invocation(
            tx, scope, invocation, make_results(*executions), make_sources(freshness), manifest_key=5, run_id=7, now=T0
        )
    with store.read() as tx:
        detail = get_run_detail(tx, scope.account_key, 7)
        found = {row.execution.unique_id: row for row in detail.executions}
        first = found["model.shop.m1"]
        code = find_compiled_code(tx, scope.account_key, first.node_key, first.compiled_hash)
        history = list_node_executions(tx, scope.account_key, first.node_key)
    assert {row.execution for row in detail.executions} == {structs.replace(e, compiled_code=None) for e in executions}
    assert found["model.shop.m2"].happened_at == T0
    assert {(row.resource_type, row.step_index, row.run_id) for row in detail.executions} == {("model", 1, 7)}
    assert code == "select 1"
    assert history == [first]
    assert [row.freshness for row in detail.freshness] == [freshness]
    (row,) = detail.invocations
    assert (row.invocation, row.manifest_key, row.run_id) == (invocation, 5, 7)
    assert detail.row.node_counts == row.status_counts == {"success": 1, "skipped": 1, "fail": 1}


def test_the_same_invocation_twice_changes_nothing(store: Store) -> None:
    """A repeat writes no row and does not count as a change of the run."""
    scope = new_scope(store)
    with store.write() as tx:
        save_run(tx, scope.account_key, make_run(7), Way.POLL, T0)
    results, sources = make_results(make_execution(1)), make_sources(Freshness(unique_id="source.a.b", status="pass"))
    key = save(store, scope, make_invocation(), results, sources, run_id=7, manifest_key=1)
    with store.read() as tx:
        before = (count_stored(tx), read_revisions(tx))
    for again in ((results, sources), (None, None), (results, None)):
        assert save(store, scope, make_invocation(), *again) == key
    with store.read() as tx:
        assert (count_stored(tx), read_revisions(tx)) == before
        assert find_invocation(tx, scope.account_key, "inv-1").run_id == 7


def test_a_fuller_report_replaces_and_a_poorer_one_does_not(store: Store) -> None:
    """Cut-off results are completed later; what came whole is not made poorer by a cut-off repeat, in either order."""
    scope = new_scope(store)
    whole = make_results(make_execution(1), make_execution(2, "error"))
    poor = make_results(make_execution(1, message=None, compiled_code=None))
    for number, order in enumerate(((whole, poor, whole), (poor, whole, poor))):
        for results in order:
            key = save(store, scope, make_invocation(f"inv-{number}"), results)
        with store.read() as tx:
            found = list_invocation_executions(tx, scope.account_key, key)
            row = find_invocation(tx, scope.account_key, f"inv-{number}")
        assert [execution.execution.message for execution in found] == ["OK", "OK"]
        assert row.status_counts == {"success": 1, "error": 1}


def test_an_invocation_moves_to_its_environment_once_that_is_known(store: Store) -> None:
    """Ingested without a project and then collected with one: one invocation, its executions under the known place."""
    scope = new_scope(store)
    unknown = Scope(scope.account_key)
    results = make_results(make_execution(1))
    key = save(store, unknown, make_invocation(), results)
    assert save(store, scope, make_invocation(), results) == key
    assert save(store, unknown, make_invocation(), results) == key
    with store.read() as tx:
        row = find_invocation(tx, scope.account_key, "inv-1")
        assert (row.project_id, row.environment_id) == (1, 2)
        assert len(list_invocation_executions(tx, scope.account_key, key)) == 1


def test_commands_that_execute_nothing_keep_only_failures(store: Store) -> None:
    """Docs generate brings no phantom passes; a compile error of it is kept."""
    scope = new_scope(store)
    results = make_results(make_execution(1), make_execution(2, "error"), is_executing=False)
    key = save(store, scope, make_invocation(command="dbt docs generate"), results)
    with store.read() as tx:
        assert [row.execution.status for row in list_invocation_executions(tx, scope.account_key, key)] == ["error"]


def test_many_executions_take_the_bulk_path_and_are_the_same(store: Store) -> None:
    """Thousands of executions, a node twice among them, are stored like three."""
    scope = new_scope(store)
    executions = tuple(make_execution(number) for number in range(3000))
    key = save(store, scope, make_invocation(), make_results(make_execution(5, "error"), *executions))
    with store.read() as tx:
        found = list_invocation_executions(tx, scope.account_key, key)
    assert [row.execution for row in found] == [structs.replace(each, compiled_code=None) for each in executions]


examples = count()
hostile = st.one_of(
    st.text(st.characters(), max_size=30),
    st.sampled_from(
        [
            "\x00",
            "a\x00b",
            "\ud800",
            "\udfff\ud800",
            "😀",
            "\u202eabc",
            "'; DROP TABLE runs; --",
            "%s ? :x {}",
            "\\N",
            "\t\n\r\\.",
        ]
    ),
)
times = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
numbers = st.one_of(st.none(), st.integers(-(2**65), 2**65))


def fit(number: int | None) -> int | None:
    return number if number is not None and -(2**63) <= number < 2**63 else None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile, other=hostile, moment=times, number=numbers, run_id=st.integers(-(2**63), 2**63 - 1))
def test_hostile_values_come_back_equal(store: Store, text, other, moment, number, run_id) -> None:
    """Any text, time and number is stored on both databases and read back, but for what no database holds."""
    clean = clean_text(text)
    number_here = next(examples)
    scope = Scope(new_account(store, f"account {number_here}", AccountAddress("o", number_here)), 1, 2)
    step = RunStep(index=1, name=text, status=RunStatus.ERROR, command=other, log=text * 50, finished_at=moment)
    trigger = Trigger(cause=text, git_branch=other)
    facts = {"status_message": text, "trigger": trigger, "status_code": number, "steps": (step,)}
    moments = {"created_at": moment, "started_at": moment, "finished_at": moment}
    run = make_run(run_id, **facts, **moments, updated_at=datetime.max.replace(tzinfo=UTC))
    node = make_node(
        1, unique_id=f"model.{text}", name=text, relation=Relation(None, text, other), raw_code=text, tags=(text, other)
    )
    execution = make_execution(
        1, unique_id=node.unique_id, message=text, rows_affected=number, started_at=moment, compiled_code=text
    )
    with store.write() as tx:
        save_run(tx, scope.account_key, run, Way.POLL, T0)
        manifest = replace(make_manifest((node,)), content=f"{run_id}/{text!r}/{other!r}".encode())
        manifest_key = save_manifest(tx, scope, manifest, None, T0)
        invocation = make_invocation(f"{run_id}{text}", command=text)
        key = save_invocation(tx, scope, invocation, make_results(execution), run_id=run_id, now=T0)
        assert not save_run(tx, scope.account_key, run, Way.POLL, T0).changed
        assert save_invocation(tx, scope, invocation, make_results(execution), run_id=run_id, now=T0) == key
        save_jobs(
            tx, scope.account_key, [Job(job_id=1, project_id=None, environment_id=None, name=text, commands=(text,))]
        )
    with store.read() as tx:
        found = get_run_detail(tx, scope.account_key, run_id).row.run
        (row,) = list_invocation_executions(tx, scope.account_key, key)
        (kept,) = list_nodes(tx, scope.account_key, manifest_key).nodes
        code = find_compiled_code(tx, scope.account_key, row.node_key, row.compiled_hash)
        (job,) = list_account_jobs(tx, scope.account_key)
    assert (found.status_message, found.status_code, found.finished_at) == (clean, fit(number), moment)
    assert (found.steps[0].name, found.steps[0].log) == (clean, clean_text(text * 50))
    assert (row.execution.message, row.execution.rows_affected, row.execution.started_at) == (
        clean,
        fit(number),
        moment,
    )
    assert row.execution.unique_id == clean_text(node.unique_id)
    assert clean_text(kept.raw_code) == code == clean
    assert (job.name, job.commands) == (clean, (clean,))


def test_what_no_database_holds_becomes_a_replacement_character() -> None:
    """U+0000 and lone surrogates only; everything else is left as it is."""
    replaced = {"a\x00b": "a\ufffdb", "\ud800é": "\ufffdé", "\n😀\u202e": "\n😀\u202e", "": ""}
    assert {text: clean_text(text) for text in replaced} == replaced


def test_very_long_keys_stay_apart(store: Store) -> None:
    """Two unique_ids of a hundred thousand characters that differ only at the end are two nodes, on both databases."""
    scope = new_scope(store)
    ids = tuple(f"model.{'é' * 100_000}.{end}" for end in "ab")
    key = save(
        store, scope, make_invocation(), make_results(*(make_execution(1, unique_id=unique_id) for unique_id in ids))
    )
    with store.read() as tx:
        found = list_invocation_executions(tx, scope.account_key, key)
    assert {row.execution.unique_id for row in found} == {clean_key(unique_id) for unique_id in ids}
    assert len(found) == 2


def test_spans_that_no_number_holds_are_dropped(store: Store) -> None:
    """A span of a million years is not an error."""
    scope = new_scope(store)
    key = save(store, scope, make_invocation(), make_results(make_execution(1, elapsed=timedelta.max)))
    with store.read() as tx:
        (row,) = list_invocation_executions(tx, scope.account_key, key)
    assert row.execution.elapsed is None


def test_a_reader_keeps_its_moment(store_url: str) -> None:
    """Two stores on one database: what one commits the other reads, but not in the middle of a transaction."""
    with open_store(store_url) as one, open_store(store_url) as other:
        account_key = new_account(one)
        with other.read() as tx:
            assert count_stored(tx).runs == 0
            with one.write() as writing:
                save_run(writing, account_key, make_run(1), Way.POLL, T0)
            assert count_stored(tx).runs == 0
        with other.read() as tx:
            assert count_stored(tx).runs == 1
