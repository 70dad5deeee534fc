"""Proving once more who one is, before changing who may come in."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import RawBody
from litestar.response import Redirect

from headwater.errors import TooManyTries
from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.forms import SIZE_LIMIT, address_of, read_form
from headwater.web.guard import cookie_name
from headwater.web.login import make_cookie
from headwater.web.render import page

_COOKIE_SECONDS = 7 * 86_400
_OURS = re.compile(r"/(?:[\w.~%@+-]+(?:/[\w.~%@+-]+)*)?", re.ASCII)
"""An address of this application: a path, and nothing that a browser could take for another host."""


@get("/confirm", role=Role.VIEWER, include_in_schema=False)
async def confirm_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask who is logged in for the password once more, or for a login link."""
    return _show(request, read_then(request.query_params.get("then", "")), "", 200)


@post("/confirm", role=Role.VIEWER, include_in_schema=False, request_max_body_size=SIZE_LIMIT, status_code=303)
async def prove(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Give a new session to who proves to be the one who is logged in, and go back."""
    return await sync_to_thread(_prove, request, read_form(body))


def read_then(text: str) -> str:
    """Read where to go afterwards; anything but a page of ours is the settings."""
    return text if _OURS.fullmatch(text) else "/settings"


def _prove(request: Request[Any, Any, Any], fields: dict[str, str]) -> Response[Any]:
    people, caller = door_of(request).people, request.scope["user"]
    before = request.cookies.get(cookie_name(request), "")
    then, address = read_then(fields.get("then", "")), address_of(request)
    if not caller.is_person:
        return _show(request, then, "An API token has nothing to confirm.", 400)
    try:
        if caller.has_password:
            session = people.log_in(caller.name, fields.get("password", ""), address=address, replaces=before)
        else:
            link = fields.get("link", "").strip().rpartition("#")[2]
            session = people.redeem_link(link, address=address, replaces=before)
    except TooManyTries as error:
        return _show(request, then, str(error), 429)
    if session is None:
        what = "password" if caller.has_password else "login link"
        return _show(request, then, f"This {what} is not right.", 401)
    return Redirect(then, status_code=303, cookies=[make_cookie(request, session.reveal(), _COOKIE_SECONDS)])


def _show(request: Request[Any, Any, Any], then: str, refusal: str, status_code: int) -> Response[str]:
    return page(request, "confirm.html", status_code=status_code, then=then, refusal=refusal)
