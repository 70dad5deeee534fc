"""The web's error page, and the same as JSON for programs: what happened and what to do, never how it looks inside."""

from __future__ import annotations

import secrets
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog
from litestar import MediaType, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from headwater.errors import (
    Ambiguous,
    ArtifactUnreadable,
    DbtCloudError,
    HeadwaterError,
    NotAllowed,
    NotKnown,
    StoreError,
    TooMany,
    TooManyTries,
    WrongUse,
)
from headwater.web.guard import ProofNeeded
from headwater.web.render import page

if TYPE_CHECKING:
    from litestar.connection import Request
    from litestar.types import ExceptionHandlersMap

_logger = structlog.get_logger()
_STATUSES: tuple[tuple[type[HeadwaterError], int], ...] = (
    (NotKnown, 404),
    (NotAllowed, 403),
    (TooManyTries, 429),
    (TooMany, 503),
    (WrongUse, 400),
    (ArtifactUnreadable, 400),
    (StoreError, 503),
    (DbtCloudError, 502),
)
"""The status that answers each kind of error, the first that fits."""
_SAID = {
    400: ("The request cannot be read.", "Check the address and its parameters."),
    401: ("Nobody is logged in, or the token is not valid any more.", "Log in, or send an API token as a bearer."),
    403: ("This is not allowed.", "Ask for a token or a login link with the role that is needed."),
    404: ("There is nothing at this address.", "Check the address, or begin at the overview."),
    405: (
        "This address does not take that method.",
        "The OpenAPI document at /api/v1/openapi lists what it takes.",
    ),
    413: ("What was sent is larger than this address takes.", "Send less at a time."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What an error page or an error document says."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDocument:
    """The answer of the API where something went wrong."""

    error: Fault


def answer_known(request: Request[Any, Any, Any], error: HeadwaterError) -> Response[Any]:
    """Answer with what one of our own errors says."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    hint = error.hint
    if isinstance(error, Ambiguous):
        hint = f"{hint} It could be: {'; '.join(error.candidates)}."
    return _answer(request, status, Fault(message=error.message, hint=hint))


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what the framework or the guard refuses; a browser nobody is logged in at goes to the login page."""
    status = error.status_code
    if status >= 500:
        return answer_unforeseen(request, error)
    if is_page(request) and "authorization" not in request.headers:
        if status == 401:
            return Redirect("/login", status_code=303)
        if isinstance(error, ProofNeeded):
            here = page_above(request.scope["raw_path"].decode("latin-1"))
            return Redirect(f"/confirm?then={quote(here)}", status_code=303)
    message, hint = _SAID.get(status, (HTTPStatus(status).phrase + ".", ""))
    if status in {401, 403}:
        message = error.detail
    headers = dict(error.headers or {})
    return _answer(request, status, Fault(message=message, hint=hint), headers)


def answer_unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer to what nobody foresaw: the log gets the details, whoever asked gets a number to find them by."""
    number = secrets.token_hex(4)
    trace = "".join(traceback.format_exception(error))  # without the values of variables: they may be secrets
    _logger.error("web fault", fault=number, method=request.method, path=request.url.path, trace=trace)
    said = Fault(
        message="Headwater has a fault of its own and could not answer this.",
        hint=f"The log has the details under fault {number}. Please report it.",
    )
    return _answer(request, 500, said)


def page_above(path: str) -> str:
    """Give the page that a form's address belongs to: its first two parts, as they were sent."""
    return "/".join(path.split("/")[:3])


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    HeadwaterError: answer_known,
    HTTPException: answer_http,
    Exception: answer_unforeseen,
}


def is_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a browser asks for a page, rather than a program for a document."""
    path = request.url.path
    return not path.startswith(("/api/", "/hooks/")) and not path.endswith(".json") and path != "/healthz"


def _answer(
    request: Request[Any, Any, Any], status: int, fault: Fault, headers: dict[str, str] | None = None
) -> Response[Any]:
    answer: Response[Any]
    if is_page(request) and "authorization" not in request.headers:
        title = HTTPStatus(status).phrase.capitalize()
        answer = page(request, "fault.html", status_code=status, fault=fault, title=title)
    else:
        answer = Response(FaultDocument(error=fault), media_type=MediaType.JSON, status_code=status)
        if status == 401:
            answer.set_header("WWW-Authenticate", "Bearer")
    for name, value in (headers or {}).items():
        answer.set_header(name, value)
    return answer
