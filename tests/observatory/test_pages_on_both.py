"""What the pages ask, on each of the two databases."""

from cloud import running_cloud, watching
from headwater.observatory.audit import Actor
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.following import get_account_report
from headwater.observatory.job_reports import get_job
from headwater.observatory.jobs import list_jobs
from headwater.observatory.nodes import get_node
from headwater.observatory.overview import get_overview
from headwater.observatory.references import NodeQuestion
from headwater.observatory.rerunning import start_job
from headwater.observatory.syncing import sync_accounts


def test_every_question_of_the_pages_is_answered(tmp_path, store_url):
    """Overview, job, catalogue, node and sync log say the same of one history, whichever database holds it."""
    with (
        running_cloud(days=2) as cloud,
        watching(cloud, tmp_path, store_url=store_url, accounts=1) as observatory,
    ):
        sync_accounts(observatory)
        overview = get_overview(observatory)
        job = next(job for job in list_jobs(observatory).jobs if job.job_name == "Hourly models")
        report = get_job(observatory, "first", job.job_id, days=2)
        found = list_catalog(observatory, CatalogFilter(text="stg shop orders", resource_type="model"))
        node = get_node(observatory, NodeQuestion(ref="stg_shop__orders"))
        started = start_job(observatory, "first", job.job_id, Actor(name="maya"))
        account = get_account_report(observatory, "first")

        assert overview.sources_by_status
        assert [run.starts_at for run in overview.upcoming] == sorted(run.starts_at for run in overview.upcoming)
        assert len(report.marks) == sum(sum(day.runs.values()) for day in report.by_day) >= 20
        assert report.schedule is not None
        assert report.schedule.missed == ()
        assert {one.unique_id for one in report.builds} >= {node.unique_id}
        assert [one.unique_id for one in found.nodes] == [node.unique_id]
        assert node.raw_code
        assert all(test.history for test in node.tests)
        assert get_job(observatory, "first", job.job_id).last_runs[0].run_id == started.run_id
        assert sum(line.requests for line in account.passes) <= account.account.requests
