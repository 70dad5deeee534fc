"""The documents of nodes, of what they feed, and of the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get
from litestar.concurrency import sync_to_thread
from litestar.params import QueryParameter

from headwater.observatory.access import Role
from headwater.observatory.node_reports import CatalogReport, ImpactReport, NodeReport
from headwater.observatory.verdicts import VerdictReport
from headwater.web.api import Moment, Words, given_of
from headwater.web.door import door_of
from headwater.web.node_filters import read_catalog_question, read_node_question

Ref = Annotated[str | None, QueryParameter(description="A unique_id, a model's name or a table's name. Needed.")]
RunId = Annotated[int | None, QueryParameter(description="As it was in this run, by dbt Cloud's number.")]
Ephemeral = Annotated[
    str | None, QueryParameter(description="yes shows ephemeral models too; no where nothing is said.")
]


@get(["/nodes.json", "/api/v1/nodes"], role=Role.VIEWER)
async def node_document(
    request: Request[Any, Any, Any],
    ref: Ref = None,
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    run: RunId = None,
    at: Moment = None,
    ephemeral: Ephemeral = None,
) -> NodeReport:
    """Give one node with its parents, children, tests, columns, executions, and when its code changed."""
    told = {"ref": ref, "account": account, "project": project, "environment": environment}
    asked = read_node_question(given_of(**told, run=run, at=at, ephemeral=ephemeral))
    return await sync_to_thread(door_of(request).get_node, asked.node, asked.with_ephemeral)


@get(["/impact.json", "/api/v1/impact"], role=Role.VIEWER)
async def impact_document(
    request: Request[Any, Any, Any],
    ref: Ref = None,
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    run: RunId = None,
    at: Moment = None,
    ephemeral: Ephemeral = None,
) -> ImpactReport:
    """Give all that is made from a node, across projects, with exposures and owners."""
    told = {"ref": ref, "account": account, "project": project, "environment": environment}
    asked = read_node_question(given_of(**told, run=run, at=at, ephemeral=ephemeral))
    return await sync_to_thread(door_of(request).get_impact, asked.node, asked.with_ephemeral)


@get(["/why.json", "/api/v1/why"], role=Role.VIEWER)
async def why_document(
    request: Request[Any, Any, Any],
    ref: Ref = None,
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    at: Moment = None,
) -> VerdictReport:
    """Give the state of a node, since when, the causes, likeliest first, and what it reaches."""
    told = {"ref": ref, "account": account, "project": project, "environment": environment}
    asked = read_node_question(given_of(**told, at=at))
    return await sync_to_thread(door_of(request).get_verdict, asked.node)


@get(["/catalog.json", "/api/v1/catalog"], role=Role.VIEWER)
async def catalog_document(
    request: Request[Any, Any, Any],
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    resource_type: Annotated[
        str | None, QueryParameter(description="Resource types, with commas between them.")
    ] = None,
    owner: Annotated[str | None, QueryParameter(description="A part of an owner's name or address.")] = None,
    tag: Annotated[str | None, QueryParameter(description="A tag.")] = None,
    materialized: Annotated[
        str | None, QueryParameter(description="Materializations, with commas between them.")
    ] = None,
    wanted: Annotated[
        str | None, QueryParameter(name="state", description="States at a glance, with commas between them.")
    ] = None,
    text: Annotated[
        str | None,
        QueryParameter(description="Words, all of which a name, table, column, description, tag or owner must have."),
    ] = None,
    at: Moment = None,
    limit: Annotated[
        int | None, QueryParameter(description="Rows of a page, 1 to 500; 50 where nothing is said.")
    ] = None,
    offset: Annotated[int | None, QueryParameter(description="Rows to pass over.")] = None,
) -> CatalogReport:
    """Give a page of the nodes that fit, by name."""
    asked = read_catalog_question(
        given_of(
            account=account,
            project=project,
            environment=environment,
            resource_type=resource_type,
            owner=owner,
            tag=tag,
            materialized=materialized,
            state=wanted,
            text=text,
            at=at,
            limit=limit,
            offset=offset,
        )
    )
    return await sync_to_thread(door_of(request).list_catalog, asked.catalog, asked.limit, asked.offset)
