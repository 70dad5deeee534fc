"""The pages of nodes and the catalogue."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.lineage_drawing import draw_lineage
from headwater.web.lineage_filters import read_lineage_question
from headwater.web.lineage_svg import LIGHT
from headwater.web.node_filters import read_catalog_question, read_node_question
from headwater.web.render import page


@get("/nodes", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def node_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show one node: in what state it is and why, where it is built, what is around it, how it did lately."""
    door = door_of(request)
    asked = read_node_question(request.query_params)
    full = door.get_full_node(asked.node, asked.with_ephemeral)
    report = full.node
    around = read_lineage_question(
        {"ref": report.unique_id, "account": report.account, "project": str(report.project_id)}
        | {"environment": str(report.environment_id)}
        | ({"at": asked.given["at"]} if "at" in asked.given else {})
    )
    return page(
        request,
        "node.html",
        report=report,
        impact=full.impact,
        verdict=full.verdict,
        asked=asked,
        revision=full.revision,
        drawing=draw_lineage(*full.around, around) if full.around is not None else None,
        palette=LIGHT,
    )


@get("/catalog", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def catalog_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the nodes that fit the filter in the address."""
    door, asked = door_of(request), read_catalog_question(request.query_params)
    revision = door.get_revision()
    report = door.list_catalog(asked.catalog, asked.limit, asked.offset)
    accounts = door.list_accounts().accounts
    return page(request, "catalog.html", report=report, asked=asked, accounts=accounts, revision=revision)
