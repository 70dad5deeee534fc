"""The pages: each asks one question of the observatory, draws what it returns and shows it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from headwater.observatory.access import Role
from headwater.observatory.reports import RunReport
from headwater.web.attempts import group_attempts
from headwater.web.charts import draw_bars, draw_gantts
from headwater.web.door import door_of
from headwater.web.filters import read_days, read_number, read_runs_question
from headwater.web.render import page
from headwater.web.words import STALE_SECONDS

_MOST_ROWS = 200
_STARTED = "dbt Cloud began this run. Only there it can be cancelled."


@get("/", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def overview_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show whether to worry."""
    door, days = door_of(request), read_days(request.query_params)
    report = door.get_overview(days)
    late = [account for account in report.accounts if (account.lag_seconds or 0) > STALE_SECONDS]
    chart = draw_bars(report.bars, report.bucket_seconds, report.as_of)
    return page(request, "overview.html", report=report, revision=report.revision, chart=chart, late=late)


@get("/runs", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def runs_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the runs that fit the filter in the address."""
    door, asked = door_of(request), read_runs_question(request.query_params)
    revision = door.get_revision()
    report = door.list_runs(asked.runs, asked.limit, asked.offset)
    accounts = door.list_accounts().accounts
    groups = group_attempts(report.runs)
    return page(request, "runs.html", report=report, groups=groups, revision=revision, asked=asked, accounts=accounts)


@get("/runs/{account:str}/{document:str}", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def run_page(request: Request[Any, Any, Any], account: FromPath[str], document: FromPath[str]) -> Response[Any]:
    """Show one run; with `.json` behind its id, give its document."""
    door, number = door_of(request), read_number(document.removesuffix(".json"))
    if number is None:
        raise NotFoundException
    if document.endswith(".json"):
        return Response(door.get_run(account, number), media_type=MediaType.JSON)
    said = _STARTED if request.query_params.get("done") == "started" else ""
    return show_run(request, door.get_run(account, number), said=said)


def show_run(
    request: Request[Any, Any, Any], report: RunReport, *, said: str = "", fault: str = "", status_code: int = 200
) -> Response[str]:
    """Show a run, with what an act that was asked for did, or what was wrong with it."""
    revision = door_of(request).get_revision()
    ordered = sorted(report.executions, key=lambda item: (item.is_failed, item.elapsed_seconds or 0), reverse=True)
    is_of_cloud = report.run_id > 0 and (report.job_id or 0) > 0
    return page(
        request,
        "run.html",
        status_code=status_code,
        report=report,
        revision=revision,
        charts=draw_gantts(report.executions, report.steps, report.as_of),
        failures=[item for item in ordered if item.is_failed],
        executions=ordered[:_MOST_ROWS],
        built=Counter(item.resource_type for item in report.executions if item.status == "success"),
        stale=[item for item in report.freshness if item.status != "pass"],
        fresh=[item for item in report.freshness if item.status == "pass"],
        may_start=is_of_cloud and request.scope["user"].role.includes(Role.OPERATOR),
        said=said,
        fault=fault,
    )


@get("/jobs", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def jobs_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show every job with how its runs went."""
    door, days = door_of(request), read_days(request.query_params)
    revision = door.get_revision()
    return page(request, "jobs.html", report=door.list_jobs(days), revision=revision)
