"""The pages and documents of incidents, and what people do with them there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Redirect

from headwater.errors import NotKnown, WrongUse
from headwater.model.incident import IncidentState
from headwater.observatory.access import Role
from headwater.observatory.audit import Actor
from headwater.observatory.incident_reports import IncidentReport, IncidentsReport
from headwater.observatory.incidents import GOING_ON, IncidentQuestion
from headwater.web.api import Moment, Words, given_of
from headwater.web.door import Door, door_of
from headwater.web.filters import MOST_ROWS, PAGE_SIZE, read_time, read_whole
from headwater.web.forms import actor_of, read_form
from headwater.web.render import page
from headwater.web.undo import Undo

_FORM_SIZE_LIMIT = 64 * 1024
_STATES: Mapping[str, tuple[IncidentState, ...]] = {
    "": GOING_ON,
    "all": (),
    **{state.value: (state,) for state in IncidentState},
}
_SAID = {
    "acknowledge": "Acknowledged.",
    "unacknowledge": "It is no longer acknowledged.",
    "note": "The note is in the timeline, and stays there.",
    "resolve": "Resolved. Nobody opens it by hand; if it happens once more, it is opened again.",
}
_UNDO = {("acknowledge", "acknowledged"): "unacknowledge", ("unacknowledge", "open"): "acknowledge"}
"""The act that takes another back, where the incident is still as that left it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAct:
    """What is done with an incident: the note that goes with it."""

    note: str = ""


@get("/incidents", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def incidents_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the incidents that go on, or those asked for."""
    door = door_of(request)
    given = {name: request.query_params.get(name, "").strip() for name in ("account", "state")}
    asked, limit = _read_question(request.query_params)
    revision = door.get_revision()
    report = door.list_incidents(asked, limit)
    accounts = door.list_accounts().accounts
    return page(request, "incidents.html", report=report, given=given, accounts=accounts, revision=revision)


@get("/incidents/{incident:str}", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def incident_page(request: Request[Any, Any, Any], incident: FromPath[str]) -> Response[Any]:
    """Show an incident; who may act on it finds the forms here. With `.json` behind its id, give its document."""
    report = door_of(request).get_incident(incident.removesuffix(".json"))
    if incident.endswith(".json"):
        return Response(report, media_type=MediaType.JSON)
    done = request.query_params.get("done", "")
    return _show(request, report, said=_SAID.get(done, ""), undo=_UNDO.get((done, report.incident.state), ""))


@post(
    "/incidents/{incident:str}/{act:str}",
    role=Role.OPERATOR,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def act_on_page(
    request: Request[Any, Any, Any], incident: FromPath[str], act: FromPath[str], body: RawBody
) -> Response[Any]:
    """Do what a form of the page asks for, or show the page again with what is wrong."""
    note = read_form(body).get("note", "")
    try:
        report = _find_act(door_of(request), act)(incident, actor_of(request), note)
    except NotKnown:
        raise
    except WrongUse as error:
        return _show(request, door_of(request).get_incident(incident), fault=(act, str(error)), status_code=400)
    return Redirect(f"/incidents/{report.incident.id}?done={act}", status_code=303)


@get(["/incidents.json", "/api/v1/incidents"], role=Role.VIEWER)
async def incidents_document(
    request: Request[Any, Any, Any],
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    wanted: Annotated[
        str | None,
        QueryParameter(
            name="state", description="open, acknowledged, resolved or all; those that go on where nothing is said."
        ),
    ] = None,
    since: Moment = None,
    limit: Annotated[
        int | None, QueryParameter(description="Rows of a page, 1 to 500; 50 where nothing is said.")
    ] = None,
) -> IncidentsReport:
    """Give incidents, those that go on first."""
    told = {"account": account, "project": project, "environment": environment, "state": wanted, "since": since}
    asked, most = _read_question(given_of(**told, limit=limit))
    return await sync_to_thread(door_of(request).list_incidents, asked, most)


@get("/api/v1/incidents/{incident:str}", role=Role.VIEWER, sync_to_thread=True)
def incident_document(request: Request[Any, Any, Any], incident: FromPath[str]) -> IncidentReport:
    """Give one incident with where it began, what suffers from it, who should know, and its timeline."""
    return door_of(request).get_incident(incident)


@post(
    "/api/v1/incidents/{incident:str}/{act:str}",
    role=Role.OPERATOR,
    sync_to_thread=True,
    status_code=200,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def act_on_incident(
    request: Request[Any, Any, Any], incident: FromPath[str], act: FromPath[str], body: RawBody
) -> IncidentReport:
    """Acknowledge or unacknowledge an incident, add a note, or resolve it; the note says why."""
    return _find_act(door_of(request), act)(incident, actor_of(request), _read_act(body).note)


def _read_act(body: bytes) -> IncidentAct:
    try:
        return msgspec.json.decode(body or b"{}", type=IncidentAct)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WrongUse("The body is no JSON of an act.", hint='Send {"note": "…"}, or nothing.') from None


def _find_act(door: Door, act: str) -> Callable[[str, Actor, str], IncidentReport]:
    acts = {
        "acknowledge": door.acknowledge,
        "unacknowledge": door.unacknowledge,
        "note": door.annotate,
        "resolve": door.resolve,
    }
    if act not in acts:
        raise NotKnown(f"There is nothing to {act[:40]!r} about an incident.", hint=f"There are: {', '.join(acts)}.")
    return acts[act]


def _read_question(query: Mapping[str, str]) -> tuple[IncidentQuestion, int]:
    given = {name: query.get(name, "").strip() for name in ("account", "project", "environment", "state", "since")}
    if given["state"] not in _STATES:
        raise WrongUse(
            f"{given['state'][:40]!r} is no state of an incident.", hint="Use open, acknowledged, resolved or all."
        )
    asked = IncidentQuestion(
        account=given["account"] or None,
        project=given["project"] or None,
        environment=given["environment"] or None,
        states=_STATES[given["state"]],
        since=read_time("since", given["since"]) if given["since"] else None,
    )
    return asked, read_whole(query, "limit", PAGE_SIZE, 1, MOST_ROWS)


def _show(
    request: Request[Any, Any, Any],
    report: IncidentReport,
    *,
    said: str = "",
    undo: str = "",
    fault: tuple[str, str] = ("", ""),
    status_code: int = 200,
) -> Response[str]:
    may_act = request.scope["user"].role.includes(Role.OPERATOR)
    return page(
        request,
        "incident.html",
        status_code=status_code,
        report=report,
        incident=report.incident,
        may_act=may_act,
        said=said,
        undo=Undo(action=f"/incidents/{report.incident.id}/{undo}") if undo and may_act else None,
        fault=fault,
        revision=report.revision,
    )
