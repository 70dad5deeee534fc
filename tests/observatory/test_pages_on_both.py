"""What the pages ask, on each of the two databases."""

import pytest

from cloud import running_cloud, watching
from headwater.errors import NotKnown
from headwater.observatory.audit import Actor
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.explorer import LineageQuestion, get_lineage
from headwater.observatory.explorer_states import get_lineage_states
from headwater.observatory.following import get_account_report
from headwater.observatory.impact import get_impact
from headwater.observatory.incidents import IncidentQuestion, acknowledge, list_incidents
from headwater.observatory.job_reports import get_job
from headwater.observatory.jobs import list_jobs
from headwater.observatory.matching import match_table
from headwater.observatory.nodes import get_node
from headwater.observatory.overview import get_overview
from headwater.observatory.references import NodeQuestion
from headwater.observatory.rerunning import start_job
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.search import search
from headwater.observatory.syncing import sync_accounts
from headwater.observatory.verdicts import get_verdict
from headwater.store.accounts import find_account


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


def test_every_question_is_answered_within_a_limit(tmp_path, store_url):
    """Limited to one account the same questions find that one alone, on either database, and it can be acted on."""
    with running_cloud(days=2) as cloud, watching(cloud, tmp_path, store_url=store_url) as observatory:
        sync_accounts(observatory)
        with observatory.store.read() as tx:
            account = find_account(tx, "second")
        assert account is not None
        limited = observatory.limited_to(frozenset({account.account_key}))
        overview, jobs = get_overview(limited), list_jobs(limited).jobs
        runs = list_runs(limited, RunFilter(), limit=500)
        of_second = list_runs(observatory, RunFilter(account="second"), limit=500)
        details = [get_run(limited, "second", run.run_id) for run in runs.runs[:5]]
        node = get_node(limited, NodeQuestion(ref="roast_curves"))
        impact = get_impact(limited, NodeQuestion(ref="stg_iot__readings"))
        verdict = get_verdict(limited, NodeQuestion(ref="roast_curves"))
        asked = LineageQuestion(ref="roast_curves", account="second")
        view, states = get_lineage(limited, asked), get_lineage_states(limited, asked)
        found = list_catalog(limited, CatalogFilter())
        match = match_table(limited, node.relation or "")
        incident = list_incidents(limited, IncidentQuestion()).incidents[0]
        done = acknowledge(limited, incident.id, Actor(name="maya"))

        assert [one.account for one in overview.accounts] == ["second"]
        assert {job.account for job in jobs} == {"second"}
        assert runs.total == of_second.total > 0
        assert [detail.account for detail in details] == ["second"] * 5
        assert (node.account, verdict.place.account) == ("second", "second")
        assert impact.downstream
        assert get_job(limited, "second", jobs[0].job_id).builds
        assert view.total > 0
        assert states.etag
        assert {one.account for one in found.nodes} == {"second"}
        assert match.matches
        assert done.incident.acknowledged_by == "maya"
        assert [one.account for one in search(limited, "fct_orders").nodes] == []
        with pytest.raises(NotKnown):
            get_account_report(limited, "first")
