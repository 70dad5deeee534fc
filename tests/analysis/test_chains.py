"""Attempt chains: any set of runs falls into chains, each run into one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.chains import build_chains, count_by_chain
from headwater.model.chain import Attempt, is_another_try, name_airflow_task
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep, Trigger

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OK, BAD = RunStatus.SUCCESS, RunStatus.ERROR


def attempt(run_id: int, status: RunStatus = BAD, **facts) -> Attempt:
    return Attempt(run_id=run_id, status=status, placed_at=NOON + timedelta(minutes=run_id), **facts)


def said(*attempts: Attempt) -> list[tuple[tuple[int, ...], RunStatus]]:
    return [(chain.run_ids, chain.outcome) for chain in build_chains(attempts)]


def test_retries_are_one_chain_with_the_outcome_of_the_last() -> None:
    """A run, its retry and the retry's retry are one; another run is its own."""
    assert said(attempt(3, OK, retrying_run_id=2), attempt(1), attempt(2, retrying_run_id=1), attempt(9, OK)) == [
        ((1, 2, 3), OK),
        ((9,), OK),
    ]


def test_two_retries_of_one_run_are_one_chain() -> None:
    """Where two runs try the same one again, the later one decides."""
    assert said(attempt(1), attempt(2, OK, retrying_run_id=1), attempt(3, retrying_run_id=1)) == [((1, 2, 3), BAD)]


def test_a_missing_run_is_named_before_the_one_that_retries_it() -> None:
    """A run that is not stored holds its place in the chain."""
    assert said(
        attempt(5, retrying_run_id=4), attempt(6, OK, retrying_run_id=5), attempt(7, OK, retrying_run_id=4)
    ) == [((4, 5, 6, 7), OK)]


def test_runs_that_name_each_other_or_themselves_are_a_chain() -> None:
    """Circles end."""
    assert said(attempt(1, retrying_run_id=2), attempt(2, retrying_run_id=1), attempt(3, retrying_run_id=3)) == [
        ((1, 2), BAD),
        ((3,), BAD),
    ]


def test_a_rerun_belongs_to_the_failed_run_before_it() -> None:
    """A rerun that names no run belongs to its job's run before it, where that one failed; not where it went well."""
    assert said(attempt(1), attempt(2, OK, previous_run_id=1), attempt(3, OK, previous_run_id=2)) == [
        ((1, 2), OK),
        ((3,), OK),
    ]


def test_the_tries_of_an_airflow_task_are_one_chain() -> None:
    """Runs of one task in one DAG run belong together, with the retries of each."""
    assert said(
        attempt(1, airflow_tasks=frozenset("a")),
        attempt(2, retrying_run_id=1),
        attempt(3, OK, airflow_tasks=frozenset("a")),
        attempt(4, OK, airflow_tasks=frozenset("b")),
    ) == [((1, 2, 3), OK), ((4,), OK)]


@given(
    st.lists(
        st.builds(
            attempt,
            st.integers(1, 12),
            st.sampled_from(RunStatus),
            retrying_run_id=st.none() | st.integers(1, 14),
            previous_run_id=st.none() | st.integers(1, 14),
            airflow_tasks=st.frozensets(st.sampled_from("ab"), max_size=1),
        ),
        max_size=12,
        unique_by=lambda one: one.run_id,
    ),
    st.randoms(use_true_random=False),
)
def test_every_run_is_in_exactly_one_chain_whatever_they_name(attempts: list[Attempt], random) -> None:
    """No run is lost or in two chains, those of a link are together, and the order given does not matter."""
    chains = build_chains(attempts)
    ids = [run_id for chain in chains for run_id in chain.run_ids]
    assert len(ids) == len(set(ids))
    assert set(ids) >= {one.run_id for one in attempts}
    for one in attempts:
        (chain,) = (chain for chain in chains if one.run_id in chain.run_ids)
        assert one.retrying_run_id is None or one.retrying_run_id in chain.run_ids
        assert chain.outcome is max(chain.attempts, key=lambda member: member.placed_at).status
    shuffled = random.sample(attempts, len(attempts))
    assert build_chains(shuffled) == chains


def test_a_chain_counts_once_with_its_outcome() -> None:
    """Three failures, two of them mended by a retry in the window, are one failure and two successes."""
    counted = count_by_chain({OK: 2, BAD: 3}, [([BAD, OK], OK), ([BAD, OK], OK)])
    assert counted == {OK: 2, BAD: 1}


@pytest.mark.parametrize(
    ("run", "is_retry"),
    [
        (Run(run_id=1, status=OK), False),
        (Run(run_id=1, status=OK, retrying_run_id=0), True),
        (Run(run_id=1, status=OK, trigger=Trigger(category="rerun")), True),
        (Run(run_id=1, status=OK, trigger=Trigger(category="api", cause="Retry from failure")), True),
        (Run(run_id=1, status=OK, trigger=Trigger(category="api", cause="by task 'retry'")), False),
        (Run(run_id=1, status=OK, steps=(RunStep(index=1, name="", status=OK, command="dbt retry"),)), True),
        (Run(run_id=1, status=OK, steps=(RunStep(index=1, name="", status=OK, command="dbt run -s retry"),)), False),
        (
            Run(
                run_id=1,
                status=BAD,
                steps=(
                    RunStep(index=1, name="", status=BAD, command="dbt build"),
                    RunStep(index=2, name="", status=BAD, command="dbt retry"),
                ),
            ),
            False,
        ),
    ],
)
def test_a_run_says_whether_it_is_another_try(run: Run, is_retry: bool) -> None:
    """By the run it names, its trigger, or a `dbt retry` that does not repeat a step of its own."""
    assert is_another_try(run) is is_retry


def test_tries_of_a_task_share_a_name() -> None:
    """The number of the try does not count; without the DAG run nothing is shared."""
    context = AirflowContext(dag_id="d", task_id="t", dag_run_id="r", try_number=1)
    other = AirflowContext(dag_id="d", task_id="t", dag_run_id="r", try_number=2, owner="x")
    assert name_airflow_task(context) == name_airflow_task(other) == '["d","t","r",null]'
    assert name_airflow_task(AirflowContext(dag_id="d", task_id="t")) is None
