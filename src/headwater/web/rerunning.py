"""Starting runs in dbt Cloud from the page of a run or of a job, and by the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from headwater.errors import DbtCloudError, NotKnown, WrongUse
from headwater.observatory.access import Role
from headwater.observatory.audit import Actor
from headwater.observatory.rerunning import StartedRun
from headwater.web.door import Door, door_of
from headwater.web.filters import read_number
from headwater.web.forms import SIZE_LIMIT, actor_of
from headwater.web.job_pages import show_job
from headwater.web.pages import show_run

Start = Callable[[str, int, Actor], StartedRun]


@post(
    "/runs/{account:str}/{document:str}/{act:str}",
    role=Role.OPERATOR,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=SIZE_LIMIT,
)
def start_from_run(
    request: Request[Any, Any, Any], account: FromPath[str], document: FromPath[str], act: FromPath[str]
) -> Response[Any]:
    """Rerun or retry a run and go to the one that began, or show the run again with what is wrong."""
    door, run_id = door_of(request), _read_id(document)
    start = _find_start(door, act)
    try:
        started = start(account, run_id, actor_of(request))
    except NotKnown:
        raise
    except (WrongUse, DbtCloudError) as error:
        return show_run(request, door.get_run(account, run_id), fault=str(error), status_code=400)
    return _go_to(started)


@post(
    "/jobs/{account:str}/{document:str}/run",
    role=Role.OPERATOR,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=SIZE_LIMIT,
)
def start_from_job(request: Request[Any, Any, Any], account: FromPath[str], document: FromPath[str]) -> Response[Any]:
    """Start a job and go to the run that began, or show the job again with what is wrong."""
    door, job_id = door_of(request), _read_id(document)
    try:
        started = door.start_job(account, job_id, actor_of(request))
    except NotKnown:
        raise
    except (WrongUse, DbtCloudError) as error:
        return show_job(request, account, job_id, fault=str(error), status_code=400)
    return _go_to(started)


@post(
    "/api/v1/runs/{account:str}/{run_id:int}/{act:str}",
    role=Role.OPERATOR,
    sync_to_thread=True,
    status_code=201,
    request_max_body_size=SIZE_LIMIT,
)
def start_again(
    request: Request[Any, Any, Any], account: FromPath[str], run_id: FromPath[int], act: FromPath[str]
) -> StartedRun:
    """Start the job of a run once more (`rerun`), or the run from where it failed (`retry`), in dbt Cloud."""
    return _find_start(door_of(request), act)(account, run_id, actor_of(request))


@post(
    "/api/v1/jobs/{account:str}/{job_id:int}/run",
    role=Role.OPERATOR,
    sync_to_thread=True,
    status_code=201,
    request_max_body_size=SIZE_LIMIT,
)
def start_job(request: Request[Any, Any, Any], account: FromPath[str], job_id: FromPath[int]) -> StartedRun:
    """Start a job in dbt Cloud."""
    return door_of(request).start_job(account, job_id, actor_of(request))


def _find_start(door: Door, act: str) -> Start:
    acts = {"rerun": door.rerun, "retry": door.retry}
    if act not in acts:
        raise NotKnown(f"There is nothing to {act[:40]!r} about a run.", hint="There are: rerun, retry.")
    return acts[act]


def _read_id(text: str) -> int:
    number = read_number(text)
    if number is None:
        raise NotFoundException
    return number


def _go_to(started: StartedRun) -> Redirect:
    return Redirect(f"/runs/{quote(started.account, safe='')}/{started.run_id}?started=yes", status_code=303)
