"""What a search finds, of each kind."""

from __future__ import annotations

from web_incident_reports import make_incidents
from web_node_reports import make_summary
from web_reports import HOSTILE, NOW, RUNS

from headwater.observatory.incidents import IncidentQuestion
from headwater.observatory.search import SearchReport
from headwater.store.rows import NamedJob


def make_search(text: str, limit: int) -> SearchReport:
    """What a text finds: of each kind one thing, of nodes two, with names nobody chose well."""
    if not text:
        return SearchReport(
            nodes=(), jobs=(), runs=(), incidents=make_incidents(IncidentQuestion()).incidents[:limit], as_of=NOW
        )
    return SearchReport(
        nodes=(make_summary("model.storefront.fct_orders"), make_summary(f"model.storefront.{HOSTILE}"))[:limit],
        jobs=(NamedJob(account="acme", job_id=12, job_name="nightly", project_name=None, is_deleted=True),)[:limit],
        runs=RUNS[:1] if text.isdigit() else (),
        incidents=(),
        as_of=NOW,
    )
