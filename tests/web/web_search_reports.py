"""What a search finds, of each kind."""

from __future__ import annotations

from web_incident_reports import make_incidents
from web_node_reports import make_catalog_node
from web_reports import HOSTILE, NOW, RUNS

from headwater.model.account import Job
from headwater.observatory.incidents import IncidentQuestion
from headwater.observatory.search import SearchReport
from headwater.store.rows import PlacedJob

NIGHTLY = PlacedJob(
    account_key=1,
    account_name="acme",
    job=Job(job_id=12, project_id=None, environment_id=None, name="nightly", is_deleted=True),
    project_name=None,
    environment_name=None,
)


def make_search(text: str, limit: int) -> SearchReport:
    """What a text finds: of each kind one thing, of nodes two, with names nobody chose well."""
    if not text:
        return SearchReport(
            nodes=(), jobs=(), runs=(), incidents=make_incidents(IncidentQuestion()).incidents[:limit], as_of=NOW
        )
    return SearchReport(
        nodes=(make_catalog_node("model.storefront.fct_orders"), make_catalog_node(f"model.storefront.{HOSTILE}"))[
            :limit
        ],
        jobs=(NIGHTLY,)[:limit],
        runs=RUNS[:1] if text.isdigit() else (),
        incidents=(),
        as_of=NOW,
    )
