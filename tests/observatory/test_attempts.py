"""Attempt chains, completeness and who supplied what, as the observatory answers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, update

from cloud import Cloud, running_cloud, watching
from headwater.config import Settings
from headwater.model.account import AccountAddress, Job
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.run import Run, RunStatus, RunStep, Way
from headwater.observatory.completeness import describe_completeness, is_complete
from headwater.observatory.holder import Observatory, get_account, open_observatory
from headwater.observatory.jobs import list_jobs
from headwater.observatory.reports import RunReport
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import sync_accounts
from headwater.store.accounts import raise_revision, save_account
from headwater.store.inventory import save_jobs
from headwater.store.runs import save_run
from headwater.store.schema import jobs, run_steps, runs

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDED = Run(
    run_id=1,
    status=RunStatus.SUCCESS,
    finished_at=NOON,
    steps=(RunStep(index=1, name="build", status=RunStatus.SUCCESS, command="dbt build"),),
)
DETAIL = ArtifactRecord(step_index=0, path="run", state=ArtifactState.STORED)
RESULTS = ArtifactRecord(step_index=1, path="run_results.json", state=ArtifactState.STORED)
LATE = replace(RESULTS, state=ArtifactState.FAILED, reason="500.")


@pytest.fixture
def observatory(tmp_path: Path) -> Iterator[Observatory]:
    with open_observatory(Settings(data_folder=tmp_path / "data"), clock=lambda: NOON) as opened:
        yield opened


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud(days=4) as running:
        yield running


def save_chain(observatory: Observatory) -> None:
    """Save a failure mended at the second retry, and a success of its own, of one job."""
    with observatory.store.write() as tx:
        account_key = save_account(tx, "acme", AccountAddress("https://dbt.example", 1), NOON).account_key
        save_jobs(tx, account_key, (Job(job_id=5, project_id=None, environment_id=None, name="nightly"),))
        for run_id, status, retried in ((1, "error", None), (2, "error", 1), (3, "success", 2), (4, "success", None)):
            created = NOON - timedelta(hours=9 - run_id)
            run = Run(run_id=run_id, status=RunStatus(status), job_id=5, created_at=created, retrying_run_id=retried)
            save_run(tx, account_key, run, Way.POLL, NOON)
            save_run(tx, account_key, replace(run, git_sha="abc"), Way.SDK, NOON)


def test_runs_and_jobs_are_told_by_chain(observatory: Observatory) -> None:
    """Each run says which attempt it is and how the chain ended; the job's success is also told by chain."""
    save_chain(observatory)
    chains = {run.run_id: run.chain for run in list_runs(observatory).runs}
    report = get_run(observatory, "acme", 2)
    (job,) = list_jobs(observatory).jobs

    assert [(chains[run_id].attempt, chains[run_id].outcome) for run_id in (1, 2, 3, 4)] == [
        (1, "success"),
        (2, "success"),
        (3, "success"),
        (1, "success"),
    ]
    assert chains[3].run_ids == (1, 2, 3)
    assert chains[4].run_ids == (4,)
    assert [(one.run_id, one.status) for one in report.attempts] == [(1, "error"), (2, "error"), (3, "success")]
    assert (job.runs, job.success_share, job.chains, job.chain_success_share) == (4, 0.5, 2, 1.0)


def test_a_run_says_who_supplied_what(observatory: Observatory) -> None:
    """What only one way knew is told as its own."""
    save_chain(observatory)
    report = get_run(observatory, "acme", 2)

    assert report.observed_by == ("poll", "sdk")
    assert report.supplied_by == {
        "poll": ("created_at", "job_id", "retrying_run_id", "status"),
        "sdk": ("git_sha",),
    }


def test_chains_of_a_synced_account_are_those_of_the_truth(cloud: Cloud, tmp_path: Path) -> None:
    """After a sync every retry of the simulated dbt Cloud is in the chain of the run it retries, by page and by job."""
    with watching(cloud, tmp_path, accounts=1, days=4) as observatory:
        sync_accounts(observatory)
        truth = cloud.truth(cloud.simulator.accounts[0].id)
        shown = {run.run_id: run.chain for run in list_runs(observatory, limit=None).runs}
        retries = {run_id: run["retrying_run_id"] for run_id, run in truth.items() if run["retrying_run_id"]}

        assert retries
        assert shown.keys() == truth.keys()
        for run_id, retried in retries.items():
            assert shown[run_id].run_ids == shown[retried].run_ids
            assert shown[run_id].attempt > shown[retried].attempt
        assert all(chain.run_ids[chain.attempt - 1] == run_id for run_id, chain in shown.items())
        chains_of_jobs = Counter({job.job_id: job.chains for job in list_jobs(observatory, days=30).jobs})
        runs_of_jobs = Counter(run["job_id"] for run in truth.values() if run_id_is_first(run, shown))
        assert +chains_of_jobs == runs_of_jobs


def run_id_is_first(run, shown) -> bool:
    return shown[run["id"]].attempt == 1


def test_a_run_that_dbt_cloud_changed_after_its_end_is_read_again(cloud: Cloud, tmp_path: Path) -> None:
    """Where the stored state is of an earlier update, the next pass reads the run again and asks for no artifact."""
    with watching(cloud, tmp_path, accounts=1) as observatory:
        sync_accounts(observatory)
        newest = list_runs(observatory, RunFilter(status="success"), limit=1).runs[0].run_id
        whole = get_run(observatory, "first", newest)
        with observatory.store.write() as tx:
            here = runs.c.run_id == newest
            tx.execute(update(runs).where(here).values(updated_at=whole.created_at, sources=None, href="old"))
            tx.execute(delete(run_steps).where(run_steps.c.run_id == newest, run_steps.c.step_index > 1))
        spent = observatory.traffic.total("first")[0]
        report = sync_accounts(observatory)
        again = get_run(observatory, "first", newest)

        assert report.artifacts_stored == 0
        assert replace(again, as_of=whole.as_of) == whole
        assert again.is_complete
        assert again.completeness.startswith("Complete. ")
        assert observatory.traffic.total("first")[0] - spent <= 12


def test_a_run_that_is_looked_at_again_reads_its_executions_once(cloud: Cloud, tmp_path: Path) -> None:
    """Executions are many and read again only after something was stored; what is little is read each time."""
    with watching(cloud, tmp_path, accounts=1, days=2) as observatory:
        sync_accounts(observatory)
        newest = next(run.run_id for run in list_runs(observatory).runs if run.nodes.get("success"))
        told: list[str] = []
        event.listen(observatory.store.engine, "before_cursor_execute", lambda *call: told.append(call[2]))

        def ask() -> tuple[RunReport, int]:
            told.clear()
            report = get_run(observatory, "first", newest)
            return report, sum("FROM executions" in statement for statement in told)

        first, again = ask(), ask()
        with observatory.store.write() as tx:
            tx.execute(update(jobs).values(name="renamed"))
        renamed = ask()
        with observatory.store.write() as tx:
            raise_revision(tx, get_account(observatory, "first").account_key)
        after = ask()

        assert replace(again[0], as_of=first[0].as_of) == first[0]
        assert first[0].executions
        assert (first[1] > 0, again[1], renamed[1], after[1]) == (True, 0, 0, first[1])
        assert renamed[0].job_name == "renamed"


@pytest.mark.parametrize(
    ("records", "said", "complete"),
    [
        ((DETAIL, RESULTS), "Complete. 1 step stored. 1 artifact stored.", True),
        (
            (DETAIL, replace(RESULTS, state=ArtifactState.ABSENT, reason="dbt Cloud has none.")),
            "Complete. 1 step stored. 1 artifact absent: run_results.json of step 1 (dbt Cloud has none).",
            True,
        ),
        (
            (DETAIL, replace(LATE, next_attempt_at=NOON + timedelta(hours=1))),
            (
                "1 step stored. 1 artifact missing: run_results.json of step 1 (500). "
                "The first pass of the monitor after 2026-11-20 13:00:00 UTC asks again."
            ),
            False,
        ),
        (
            (replace(DETAIL, state=ArtifactState.PENDING), RESULTS),
            (
                "1 step stored, but dbt Cloud changed the run since. The next pass of the monitor asks again. "
                "1 artifact stored."
            ),
            False,
        ),
        (
            (DETAIL, replace(RESULTS, state=ArtifactState.UNREADABLE, reason="Given up.")),
            "1 step stored. 1 artifact given up: run_results.json of step 1 (Given up).",
            False,
        ),
        ((), "Complete. 1 step stored.", True),
    ],
)  # fmt: skip
def test_a_run_says_what_is_missing_and_when_it_comes(records, said: str, complete: bool) -> None:
    """What is stored, what is absent and why, what is asked for again and when."""
    assert describe_completeness(ENDED, records, NOON, is_followed=True) == said
    assert is_complete(ENDED, records) is complete


def test_nobody_asks_again_for_an_account_that_is_not_followed() -> None:
    """Without a token, or paused, nothing mends itself, and this is said."""
    waiting = replace(RESULTS, state=ArtifactState.PENDING)
    said = describe_completeness(ENDED, (DETAIL, waiting), NOON, is_followed=False)
    running = describe_completeness(Run(run_id=1, status=RunStatus.RUNNING), (), NOON, is_followed=True)
    assert said.endswith("Nobody asks again: the account has no token or is paused.")
    assert running.endswith("The next pass of the monitor looks again.")
