"""Logging in by a password or a one-time link, and out.

A link's secret stands behind the `#`, which browsers never send.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import Cookie
from litestar.params import RawBody
from litestar.response import Redirect

from headwater.errors import TooManyTries
from headwater.model.secret import Secret
from headwater.observatory.access import Caller, Role
from headwater.observatory.sessions import FIRST_ADMIN
from headwater.web.door import door_of
from headwater.web.forms import SIZE_LIMIT, actor_of, address_of, read_form
from headwater.web.guard import PUBLIC, cookie_name, is_https
from headwater.web.render import page

_COOKIE_SECONDS = 7 * 86_400


# None of those of one path says sync_to_thread=True: Litestar 2.25 wraps handlers twice whose path is registered twice.
@get("/login", role=PUBLIC, include_in_schema=False)
async def login_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show how to log in; a small module does it where a login link was opened."""
    return await sync_to_thread(show_login, request, "", 200)


@post("/login", role=PUBLIC, include_in_schema=False, request_max_body_size=SIZE_LIMIT, status_code=303)
async def log_in(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Give a session for a name and a password, or for the secret of a login link, which works once."""
    return await sync_to_thread(_log_in, request, read_form(body))


@post("/logout", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False, status_code=303)
def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """End the session."""
    session = request.cookies.get(cookie_name(request))
    if session:
        door_of(request).people.end_session(session, by=actor_of(request))
    return Redirect("/login", status_code=303, cookies=[make_cookie(request, "", 0)])


def show_login(request: Request[Any, Any, Any], refusal: str, status_code: int, name: str = "") -> Response[str]:
    """Show the login page, with why somebody was not let in."""
    people = door_of(request).people
    return page(
        request,
        "login.html",
        status_code=status_code,
        refusal=refusal,
        name=name[:80],
        by_link=people.needs_first_login() and people.provider is None,
        provider=urlsplit(people.provider).netloc if people.provider else "",
    )


def enter(request: Request[Any, Any, Any], session: Secret) -> Response[Any]:
    """Let somebody in: with the cookie, to the overview; who was invited goes and sets a password."""
    caller = door_of(request).people.find_session(session.reveal())
    cookie = make_cookie(request, session.reveal(), _COOKIE_SECONDS)
    return Redirect("/settings" if _is_invited(caller) else "/", status_code=303, cookies=[cookie])


def make_cookie(request: Request[Any, Any, Any], value: str, seconds: int) -> Cookie:
    """Make the cookie of a session; with no seconds it ends the one there is."""
    return Cookie(
        key=cookie_name(request),
        value=value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )


def _log_in(request: Request[Any, Any, Any], fields: dict[str, str]) -> Response[Any]:
    people, before = door_of(request).people, request.cookies.get(cookie_name(request), "")
    address, link, name = address_of(request), fields.get("link", "").strip(), fields.get("name", "")
    if not name:
        session = people.redeem_link(link.rpartition("#")[2], address=address, replaces=before)
        refusal = "This link was used already, or has expired. Each works once, for a short time."
        return enter(request, session) if session else show_login(request, refusal, 401)
    try:
        session = people.log_in(name, fields.get("password", ""), address=address, replaces=before)
    except TooManyTries as error:
        return show_login(request, str(error), 429, name)
    refusal = "This name and password let nobody in."
    return enter(request, session) if session else show_login(request, refusal, 401, name)


def _is_invited(caller: Caller | None) -> bool:
    return caller is not None and not caller.has_password and caller.issuer is None and caller.name != FIRST_ADMIN
