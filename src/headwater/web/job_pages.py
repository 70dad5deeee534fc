"""The page of a job, and its document."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from headwater.observatory.access import Role
from headwater.observatory.job_reports import JobReport
from headwater.web.api import given_of
from headwater.web.attempts import group_attempts
from headwater.web.door import door_of
from headwater.web.filters import read_job_days, read_number
from headwater.web.job_chart import draw_durations
from headwater.web.render import page

JobDays = Annotated[int | None, QueryParameter(description="The last so many days, 1 to 90; 30 where nothing is said.")]


@get("/jobs/{account:str}/{document:str}", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def job_page(request: Request[Any, Any, Any], account: FromPath[str], document: FromPath[str]) -> Response[Any]:
    """Show one job; with `.json` behind its id, give its document."""
    number = read_number(document.removesuffix(".json"))
    if number is None:
        raise NotFoundException
    if document.endswith(".json"):
        report = door_of(request).get_job(account, number, read_job_days(request.query_params))
        return Response(report, media_type=MediaType.JSON)
    return show_job(request, account, number)


@get("/api/v1/jobs/{account:str}/{job_id:int}", role=Role.VIEWER, sync_to_thread=True)
def job_document(
    request: Request[Any, Any, Any], account: FromPath[str], job_id: FromPath[int], days: JobDays = None
) -> JobReport:
    """Give one job: its runs and durations, how its schedule was kept, and what it builds."""
    return door_of(request).get_job(account, job_id, read_job_days(given_of(days=days)))


def show_job(
    request: Request[Any, Any, Any], account: str, job_id: int, *, fault: str = "", status_code: int = 200
) -> Response[str]:
    """Show a job, with what was wrong with an act that was asked for."""
    door = door_of(request)
    revision = door.get_revision()
    report = door.get_job(account, job_id, read_job_days(request.query_params))
    return page(
        request,
        "job.html",
        status_code=status_code,
        report=report,
        revision=revision,
        chart=draw_durations(report),
        groups=group_attempts(report.last_runs),
        may_start=request.scope["user"].role.includes(Role.OPERATOR) and report.job_id > 0 and not report.is_deleted,
        fault=fault,
    )
