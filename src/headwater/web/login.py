"""Logging in by a one-time link, and out. The link's secret stands behind the `#`, which browsers never send."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import Cookie
from litestar.params import RawBody
from litestar.response import Redirect

from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.guard import COOKIE, PUBLIC
from headwater.web.render import page

_COOKIE_SECONDS = 7 * 86_400
_FORM_SIZE_LIMIT = 4096


# Neither of the two says sync_to_thread=True: Litestar 2.25 wraps handlers twice whose path is registered twice.
@get("/login", role=PUBLIC, sync_to_thread=False, include_in_schema=False)
def login_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show where to paste a login link; a small module does it where the link was opened."""
    return page(request, "login.html", refusal="")


@post(
    "/login",
    role=PUBLIC,
    include_in_schema=False,
    request_max_body_size=_FORM_SIZE_LIMIT,
    status_code=303,
)
async def log_in(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Give a session for the secret of a login link, which works once."""
    pasted = parse_qs(body.decode("utf-8", "replace")).get("link", [""])[0]
    session = await sync_to_thread(door_of(request).redeem_link, pasted.strip().rpartition("#")[2])
    if session is None:
        refusal = "This link was used already, or has expired. Each works once, for 15 minutes."
        return page(request, "login.html", status_code=401, refusal=refusal)
    return Redirect("/", status_code=303, cookies=[_cookie(request, session.reveal(), _COOKIE_SECONDS)])


@post("/logout", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False, status_code=303)
def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """End the session."""
    session = request.cookies.get(COOKIE)
    if session:
        door_of(request).end_session(session)
    return Redirect("/login", status_code=303, cookies=[_cookie(request, "", 0)])


def _cookie(request: Request[Any, Any, Any], value: str, seconds: int) -> Cookie:
    is_secure = request.url.scheme == "https"
    return Cookie(key=COOKIE, value=value, max_age=seconds, httponly=True, samesite="lax", secure=is_secure, path="/")
