"""Starting runs in the simulated dbt Cloud: a job, a run again, the rest of a run that failed."""

import pytest

from cloud import running_cloud, watching
from headwater.errors import DbtCloudError, NotAllowed, NotKnown
from headwater.model.secret import Secret
from headwater.observatory.accounts import set_token
from headwater.observatory.audit import Actor, list_audit
from headwater.observatory.rerunning import rerun, retry, start_job
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import sync_accounts

MAYA = Actor(name="maya", address="127.0.0.1")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A simulated dbt Cloud with three days behind it, all of it stored."""
    with running_cloud(days=3) as cloud, watching(cloud, tmp_path_factory.mktemp("rerun"), accounts=1, days=3) as found:
        sync_accounts(found)
        yield cloud, found


def truth_of(cloud, run_id):
    """Give what is true of a run in the simulator."""
    return cloud.truth(cloud.simulator.accounts[0].id)[run_id]


def fail(cloud, observatory):
    """Let a job fail in a way that can be retried, and store it; gives the id of the run."""
    job_id = next(run.job_id for run in list_runs(observatory).runs if run.job_name == "Hourly models")
    order = {"job_id": job_id, "recording_id": "storefront/hourly/bad_data", "duration_seconds": 9, "queue_seconds": 1}
    run_id = cloud.simulator.control("POST", "runs", order)["id"]
    for _ in range(30):
        if truth_of(cloud, run_id)["status"] == 20:
            break
        cloud.advance(60)
    sync_accounts(observatory)
    return run_id


def last_event(observatory):
    """Give what the audit log noted last."""
    event = list_audit(observatory, limit=1).events[0]
    return event.actor, event.action, event.subject, event.detail


def test_a_rerun_is_a_new_run_of_the_job_and_is_here_at_once(scene):
    """The job starts in dbt Cloud, its run is stored before any pass, and the audit log says who asked."""
    cloud, observatory = scene
    before = next(run for run in list_runs(observatory, RunFilter(status="success")).runs if run.trigger == "scheduled")
    started = rerun(observatory, "first", before.run_id, MAYA)
    stored = get_run(observatory, "first", started.run_id)

    assert (stored.job_id, stored.status) == (before.job_id, "queued")
    assert stored.cause == f"Run {before.run_id} again, asked for in Headwater by maya"
    assert truth_of(cloud, started.run_id)["job_id"] == before.job_id
    assert last_event(observatory) == (
        "maya",
        "rerun asked for",
        f"first, run {before.run_id}",
        f"run {started.run_id}",
    )


def test_a_job_is_started(scene):
    """The run of a job that was started is stored with who asked for it."""
    _, observatory = scene
    job_id = list_runs(observatory, RunFilter(), limit=1).runs[0].job_id
    started = start_job(observatory, "first", job_id, MAYA)

    assert get_run(observatory, "first", started.run_id).cause == "Asked for in Headwater by maya"
    assert last_event(observatory)[1:3] == ("run asked for", f"first, job {job_id}")
    with pytest.raises(NotKnown, match="has no job 7"):
        start_job(observatory, "first", 7, MAYA)


def test_a_run_that_did_not_fail_is_not_retried(scene):
    """Dbt Cloud's own reason is said, and the refusal is noted."""
    _, observatory = scene
    good = list_runs(observatory, RunFilter(status="success"), limit=1).runs[0]
    with pytest.raises(DbtCloudError, match="RETRY_NOT_FAILED_RUN"):
        retry(observatory, "first", good.run_id, MAYA)

    assert last_event(observatory)[1:3] == ("retry refused", f"first, run {good.run_id}")


def test_a_retry_tries_the_failed_run_again(scene):
    """The new run names the one it retries, so that both are one attempt chain."""
    cloud, observatory = scene
    failed = fail(cloud, observatory)
    started = retry(observatory, "first", failed, MAYA)

    assert started.retrying_run_id == failed
    assert get_run(observatory, "first", started.run_id).chain.run_ids == (failed, started.run_id)
    assert last_event(observatory)[1:] == ("retry asked for", f"first, run {failed}", f"run {started.run_id}")


def test_a_token_that_may_only_read_starts_nothing(scene):
    """What the token lacks and what to do is said; nothing begins."""
    cloud, observatory = scene
    account = cloud.simulator.accounts[0]
    set_token(observatory, "first", Secret(account.tokens["read_only"]))
    before = len(cloud.truth(account.id))
    job_id = list_runs(observatory, RunFilter(), limit=1).runs[0].job_id
    with pytest.raises(NotAllowed, match="token may not do this") as refusal:
        start_job(observatory, "first", job_id, MAYA)

    assert "Job Admin" in refusal.value.hint
    assert len(cloud.truth(account.id)) == before
    assert last_event(observatory)[1] == "run refused"
