"""The explorer of the lineage: its page, its picture as a file, and its documents.

The documents are compressed here, and carry an ETag: of the manifests for a view, of what is stored for its states.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from headwater.errors import NotKnown, WrongUse
from headwater.observatory.access import Role
from headwater.observatory.lineage_reports import LineageReport, LineageStates
from headwater.web.api import Moment, Words, given_of
from headwater.web.door import door_of
from headwater.web.lineage_drawing import count_states, draw_box, draw_lineage, list_neighbour_counts
from headwater.web.lineage_filters import PAGE_ROWS, LineageRequest, read_lineage_question
from headwater.web.lineage_svg import DARK, LIGHT
from headwater.web.render import page, render

GOOD_STATES = frozenset({"healthy", "unknown"})
MOST_DRAWN = 250
"""More things than this are drawn by the browser alone; the server lists them as a table."""
MOST_IN_FILE = 5_000
_COMPRESSION = 1
_WORTH_COMPRESSING = 1400

Ref = Annotated[str | None, QueryParameter(description="The node in the middle, as `ref` of a node.")]
Levels = Annotated[str | None, QueryParameter(description="Levels around it, 1 to 99, or all; 2 by itself.")]
Way = Annotated[str | None, QueryParameter(description="both, up or down.")]
Gathering = Annotated[str | None, QueryParameter(description="What is drawn as one: none, folder, group or project.")]
Several = Annotated[str | None, QueryParameter(description="Names with | between them.")]
Flag = Annotated[str | None, QueryParameter(description="yes or no.")]


@get("/lineage", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def lineage_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the lineage, or the part of it that the address asks for."""
    door, asked = door_of(request), read_lineage_question(request.query_params)
    accounts = door.list_accounts().accounts
    try:
        view, states = door.get_lineage(asked.lineage), door.get_lineage_states(asked.lineage)
    except NotKnown as nothing:
        if asked.given:
            raise
        return page(request, "lineage_none.html", nothing=nothing, accounts=accounts)
    drawing = draw_lineage(view, states, asked) if len(view.names) <= MOST_DRAWN else None
    order = sorted(range(len(view.names)), key=lambda number: (states.state_numbers[number], view.x[number], number))
    rows = [draw_box(view, states, asked, number) for number in order[asked.offset : asked.offset + PAGE_ROWS]]
    parents, children = list_neighbour_counts(view)
    seen = count_states(states)
    return page(
        request,
        "lineage.html",
        report=states,
        view=view,
        states=states,
        asked=asked,
        accounts=accounts,
        drawing=drawing,
        rows=rows,
        parents=parents,
        children=children,
        seen=seen,
        question=_write_question(request),
        chosen_accounts=[(account.account, account.account) for account in accounts],
        chosen_projects=_list_projects(view, asked),
        bad={state: count for state, count in seen.items() if state not in GOOD_STATES},
        palette=LIGHT,
    )


def _write_question(request: Request[Any, Any, Any]) -> str:
    """Write what the script asks the documents for: the page's own question without colour, camera and page."""
    asked = parse_qsl(request.url.query, keep_blank_values=True)
    return urlencode([(name, value) for name, value in asked if name not in {"colour", "view", "offset"}])


def _list_projects(view: LineageReport, asked: LineageRequest) -> list[tuple[str, str]]:
    """List the projects to choose from; the one that is asked for is among them as it was written."""
    known = {str(place.project_id): place.project_name or str(place.project_id) for place in view.places}
    given = asked.given.get("project")
    if given and given not in known:
        known = {given: given}
    return [("", "all"), *sorted(known.items(), key=lambda item: item[1])]


@get("/lineage.svg", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def lineage_picture(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the picture of a view as an SVG file; `scheme=dark` for a dark page."""
    door, asked = door_of(request), read_lineage_question(request.query_params)
    view, states = door.get_lineage(asked.lineage), door.get_lineage_states(asked.lineage)
    if len(view.names) > MOST_IN_FILE:
        raise WrongUse(
            f"{len(view.names):,} boxes are too many for a picture in a file; {MOST_IN_FILE:,} are the most.",
            hint="Put a node in the middle, or draw folders as one.",
        )
    palette = DARK if request.query_params.get("scheme") == "dark" else LIGHT
    drawing = draw_lineage(view, states, asked)
    content = render("lineage_file.svg", drawing=drawing, palette=palette, view=view)
    headers = {"content-disposition": 'attachment; filename="lineage.svg"'}
    return Response(content, media_type="image/svg+xml", headers=headers)


def read_request(
    ref: Ref = None,
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    at: Moment = None,
    direction: Way = None,
    depth: Levels = None,
    collapse: Gathering = None,
    opened: Several = None,
    more: Several = None,
    path: Several = None,
    reach: Flag = None,
    tests: Flag = None,
) -> LineageRequest:
    """Read which view an address asks for."""
    told = {"ref": ref, "account": account, "project": project, "environment": environment, "at": at}
    shown = {"direction": direction, "depth": depth, "collapse": collapse, "opened": opened, "more": more, "path": path}
    return read_lineage_question(given_of(**told, **shown, reach=reach, tests=tests))


Asked = NamedDependency[LineageRequest]
_ASKED = {"asked": Provide(read_request, sync_to_thread=False)}


@get(["/lineage.json", "/api/v1/lineage"], role=Role.VIEWER, dependencies=_ASKED)
async def lineage_document(request: Request[Any, Any, Any], asked: Asked) -> Response[LineageReport]:
    """Give a view of the lineage: what is drawn, where, and what leads to what, in columns."""
    return await sync_to_thread(_answer, request, partial(door_of(request).get_lineage, asked.lineage))


@get("/api/v1/lineage/states", role=Role.VIEWER, dependencies=_ASKED)
async def lineage_states_document(request: Request[Any, Any, Any], asked: Asked) -> Response[LineageStates]:
    """Give the states of what a view of the lineage shows, when it ran last and how long that took, in columns."""
    return await sync_to_thread(_answer, request, partial(door_of(request).get_lineage_states, asked.lineage))


def _answer(request: Request[Any, Any, Any], ask: Callable[[], LineageReport | LineageStates]) -> Response[Any]:
    """Answer with a document, compressed where the browser takes that, or with 304 where it has it already."""
    document = ask()
    etag = f'"{document.etag}"'
    headers = {"etag": etag, "vary": "Accept-Encoding, Cookie, Authorization"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=MediaType.JSON)
    body = msgspec.json.encode(document)
    if len(body) > _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, _COMPRESSION)
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers, media_type=MediaType.JSON)
