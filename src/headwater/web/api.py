"""The documents: what the pages show, as JSON, at `/api/v1/…` and beside each page; and where the SDK hands in.

A handler with two addresses goes to a thread by itself: Litestar 2.25 wraps it twice for `sync_to_thread=True`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter, RawBody

from headwater.observatory.access import Role
from headwater.observatory.following import AccountReport
from headwater.observatory.inbox_reports import AcceptReport
from headwater.observatory.jobs import JobsReport
from headwater.observatory.matching import MatchReport
from headwater.observatory.reports import (
    AccountsReport,
    OverviewReport,
    RunReport,
    RunsReport,
)
from headwater.web.door import door_of
from headwater.web.filters import read_days, read_runs_question
from headwater.web.guard import PUBLIC

COLLECTED_SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes of one collected run, as sent. It is held in memory while it is read."""

Days = Annotated[
    int | None, QueryParameter(description="The last so many days, 1 to 90; a week where nothing is said.")
]
Words = Annotated[str | None, QueryParameter(description="A name or an id.")]
Moment = Annotated[str | None, QueryParameter(description="An ISO-8601 time; without an offset it is in UTC.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A number that grows when what pages show changes."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """That the web application answers, and nothing else."""

    status: str


@get(["/overview.json", "/api/v1/overview"], role=Role.VIEWER)
async def overview_document(request: Request[Any, Any, Any], days: Days = None) -> OverviewReport:
    """Give whether to worry, runs over time, the accounts, what runs now and what failed last."""
    return await sync_to_thread(door_of(request).get_overview, read_days(given_of(days=days)))


@get(["/runs.json", "/api/v1/runs"], role=Role.VIEWER)
async def runs_document(
    request: Request[Any, Any, Any],
    account: Words = None,
    project: Words = None,
    environment: Words = None,
    job: Words = None,
    status: Annotated[str | None, QueryParameter(description="The status of the runs.")] = None,
    trigger: Annotated[str | None, QueryParameter(description="What caused the runs: scheduled, api, ci, …")] = None,
    created_from: Moment = None,
    created_to: Moment = None,
    text: Annotated[str | None, QueryParameter(description="A part of a name, a branch or a commit.")] = None,
    limit: Annotated[
        int | None, QueryParameter(description="Rows of a page, 1 to 500; 50 where nothing is said.")
    ] = None,
    offset: Annotated[int | None, QueryParameter(description="Rows to pass over.")] = None,
) -> RunsReport:
    """Give a page of the runs that fit, newest first."""
    asked = read_runs_question(
        given_of(
            account=account,
            project=project,
            environment=environment,
            job=job,
            status=status,
            trigger=trigger,
            created_from=created_from,
            created_to=created_to,
            text=text,
            limit=limit,
            offset=offset,
        )
    )
    return await sync_to_thread(door_of(request).list_runs, asked.runs, asked.limit, asked.offset)


@get("/api/v1/runs/{account:str}/{run_id:int}", role=Role.VIEWER, sync_to_thread=True)
def run_document(request: Request[Any, Any, Any], account: FromPath[str], run_id: FromPath[int]) -> RunReport:
    """Give one run with its steps, executions, source checks, artifacts and observations."""
    return door_of(request).get_run(account, run_id)


@get(["/jobs.json", "/api/v1/jobs"], role=Role.VIEWER)
async def jobs_document(request: Request[Any, Any, Any], days: Days = None) -> JobsReport:
    """Give every job with how its runs went."""
    return await sync_to_thread(door_of(request).list_jobs, read_days(given_of(days=days)))


@get(["/accounts.json", "/api/v1/accounts"], role=Role.VIEWER)
async def accounts_document(request: Request[Any, Any, Any]) -> AccountsReport:
    """Give every account with its status."""
    return await sync_to_thread(door_of(request).list_accounts)


@get("/api/v1/accounts/{account:str}", role=Role.VIEWER, sync_to_thread=True)
def account_document(request: Request[Any, Any, Any], account: FromPath[str]) -> AccountReport:
    """Give an account with what is followed of it."""
    return door_of(request).get_account(account)


@get("/api/v1/match", role=Role.VIEWER)
async def match_document(
    request: Request[Any, Any, Any],
    table: Annotated[str, QueryParameter(description="A table's name, however it is written.")],
    account: Words = None,
    project: Words = None,
    environment: Words = None,
) -> MatchReport:
    """Give the node that builds or declares a warehouse table, with the reason and how sure that is."""
    return await sync_to_thread(
        door_of(request).match_table, table, account or None, project or None, environment or None
    )


@get("/api/v1/revision", role=Role.VIEWER, sync_to_thread=True)
def revision_document(request: Request[Any, Any, Any]) -> Revision:
    """Give the number that grows when what pages show changes."""
    return Revision(revision=door_of(request).get_revision())


@post(
    "/api/v1/collected",
    role=Role.INGEST,
    sync_to_thread=True,
    status_code=202,
    request_max_body_size=COLLECTED_SIZE_LIMIT,
)
def accept_collected(request: Request[Any, Any, Any], body: RawBody) -> AcceptReport:
    """Accept a run or a target folder as the SDK collected it; it is stored right after the answer."""
    return door_of(request).accept(body, only=request.scope["user"].accounts)


@get("/healthz", role=PUBLIC, sync_to_thread=False)
def health_document() -> Health:
    """Say that the web application answers."""
    return Health(status="ok")


def given_of(**asked: str | int | None) -> dict[str, str]:
    """Give what was asked as a query string has it."""
    return {name: str(value) for name, value in asked.items() if value is not None}
