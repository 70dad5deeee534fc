"""What somebody may want to go to: pages, nodes, jobs, runs and incidents, as one small document for the palette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from litestar import Request, get
from litestar.params import QueryParameter

from headwater.observatory.access import Role
from headwater.observatory.search import SearchReport
from headwater.web.door import door_of
from headwater.web.node_filters import node_link

MOST_FOUND = 8
_LONGEST = 200
_PAGES = (
    ("Overview", "/", Role.VIEWER),
    ("Incidents", "/incidents", Role.VIEWER),
    ("Runs", "/runs", Role.VIEWER),
    ("Jobs", "/jobs", Role.VIEWER),
    ("Catalog", "/catalog", Role.VIEWER),
    ("Lineage", "/lineage", Role.VIEWER),
    ("Accounts", "/accounts", Role.VIEWER),
    ("Settings", "/settings", Role.VIEWER),
    ("Users", "/settings/users", Role.ADMIN),
    ("API tokens", "/settings/tokens", Role.ADMIN),
    ("Webhooks", "/settings/webhooks", Role.ADMIN),
    ("Retention", "/settings/retention", Role.VIEWER),
    ("Audit log", "/settings/audit", Role.ADMIN),
    ("About", "/settings/about", Role.VIEWER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing to go to: what it is, what it is called, where it stands, and the address of its page.

    `kind` is page, run, job, incident, or the resource type of a node.
    """

    kind: str
    name: str
    detail: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """What a text could mean, the likeliest kinds first."""

    found: tuple[Found, ...]
    as_of: datetime


@get("/api/v1/search", role=Role.VIEWER, sync_to_thread=True)
def search_document(
    request: Request[Any, Any, Any],
    text: Annotated[str, QueryParameter(description="A part of a name, or the number of a run or job.")] = "",
) -> SearchDocument:
    """Give pages, nodes, jobs, runs and incidents that a text could mean, at most 8 of each kind."""
    words = text.strip()[:_LONGEST]
    report = door_of(request).search(words, MOST_FOUND)
    return SearchDocument(
        found=(*_list_pages(words, request.scope["user"].role), *_list_found(report)), as_of=report.as_of
    )


def _list_pages(words: str, role: Role) -> Iterator[Found]:
    for name, address, least in _PAGES if words else _PAGES[:MOST_FOUND]:
        if words.casefold() in name.casefold() and role.includes(least):
            yield Found(kind="page", name=name, detail="", address=address)


def _list_found(report: SearchReport) -> Iterator[Found]:
    for run in report.runs:
        said = f"{run.job_name or 'no job'} · {run.status} · {run.account}"
        yield Found(
            kind="run",
            name=f"Run {run.run_id}",
            detail=said,
            address=f"/runs/{quote(run.account, safe='')}/{run.run_id}",
        )
    for node in report.nodes:
        said = f"{node.project_name or node.account} · {node.environment_name or node.account}"
        address = node_link(node.unique_id, node.account, node.project_id, node.environment_id)
        yield Found(kind=node.resource_type.replace("_", " "), name=node.name, detail=said, address=address)
    for job in report.jobs:
        said = " · ".join(
            part for part in (job.project_name, job.account_name, "deleted" if job.job.is_deleted else None) if part
        )
        address = f"/jobs/{quote(job.account_name, safe='')}/{job.job.job_id}"
        yield Found(kind="job", name=job.job.name, detail=said, address=address)
    for incident in report.incidents:
        said = f"{incident.state} · {incident.account}"
        yield Found(kind="incident", name=incident.sentence, detail=said, address=f"/incidents/{incident.id}")
