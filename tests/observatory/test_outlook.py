"""What the first page says is coming, from a real sync of the simulated dbt Cloud."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from cloud import running_cloud, watching
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
