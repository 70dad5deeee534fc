"""What the first page says is coming, from a real sync of the simulated dbt Cloud."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from cloud import running_cloud, watching
from headwater.observatory.following import set_followed
from headwater.observatory.job_reports import get_job
from headwater.observatory.jobs import list_jobs
from headwater.observatory.overview import get_overview
from headwater.observatory.syncing import sync_accounts


@pytest.fixture(scope="module")
def overview(tmp_path_factory):
    """The overview of two accounts with ten days of history, and the statements it took."""
    with running_cloud(days=10) as cloud, watching(cloud, tmp_path_factory.mktemp("outlook"), days=10) as observatory:
        sync_accounts(observatory)
        statements: list[str] = []
        event.listen(observatory.store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        yield get_overview(observatory), statements, cloud


def test_every_followed_schedule_starts_soon(overview):
    """What the schedules start next comes soonest first, within the longest time between two runs, and none is due."""
    report, _, cloud = overview
    starts = [run.starts_at for run in report.upcoming]

    assert starts == sorted(starts)
    assert len(starts) == 8
    assert all(cloud.now - timedelta(minutes=2) < start <= cloud.now + timedelta(days=7) for start in starts)
    assert report.jobs_overdue == 0


def test_paces_are_medians_of_successful_runs(overview):
    """The slowest jobs come first where none gets slower; each says its numbers."""
    report, _, _ = overview
    middle = [pace.recent_seconds for pace in report.paces if not pace.is_slowing]

    assert len(report.paces) == 8
    assert middle == sorted(middle, reverse=True)
    assert all(f"its last {pace.recent_runs} runs" in pace.sentence or pace.recent_runs == 1 for pace in report.paces)


def test_sources_stand_worst_first_with_their_limits(overview):
    """Sources that dbt calls late lead; each has the age and the limits that its last check had."""
    report, _, _ = overview
    order = ["error", "runtime error", "warn", "pass"]
    places = [order.index(source.status) for source in report.sources]

    assert places == sorted(places)
    assert sum(report.sources_by_status.values()) >= len(report.sources) > 0
    assert all(source.warn_after_seconds or source.error_after_seconds for source in report.sources)


def test_the_overview_takes_a_fixed_number_of_queries(overview):
    """A page of two accounts takes no more than a few dozen statements, however many runs there are."""
    _, statements, _ = overview

    assert 0 < len(statements) <= 75


def test_the_list_of_jobs_says_what_the_page_of_each_says(tmp_path):
    """With two hours in which nothing ran and dbt Cloud was asked: the same marks, in a few queries more."""
    with running_cloud(days=5) as cloud, watching(cloud, tmp_path, days=5) as observatory:
        sync_accounts(observatory)
        cloud.now += timedelta(hours=3)  # dbt Cloud's own clock stands
        sync_accounts(observatory)
        listed = list_jobs(observatory, days=5).jobs
        alone = [get_job(observatory, job.account, job.job_id, days=5) for job in listed]
        statements: list[str] = []
        event.listen(observatory.store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        list_jobs(observatory, days=5)
        asked = len(statements)
        paused = set_followed(observatory, "first", is_paused=True).account.is_paused
        overdue_while_paused = [job.account for job in list_jobs(observatory, days=5).jobs if job.is_overdue]

    for job, page in zip(listed, alone, strict=True):
        marks = ("pace", "is_slowing", "runs_due", "runs_missed", "is_overdue")
        assert [getattr(job, mark) for mark in marks] == [getattr(page, mark) for mark in marks], job.job_name
        missed = None if page.schedule is None else len(page.schedule.missed)
        assert job.runs_missed == missed
    assert all(job.runs_missed for job in listed if job.job_name == "Hourly models")
    assert {job.account for job in listed if job.is_overdue} == {"first", "second"}
    assert (paused, set(overdue_while_paused)) == (True, {"second"})
    assert 0 < asked <= 30
