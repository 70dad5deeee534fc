"""Signing in at an OpenID provider: there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import Cookie
from litestar.response import Redirect

from headwater.observatory.oidc import LoginRefused, Return
from headwater.web.door import door_of
from headwater.web.forms import address_of
from headwater.web.guard import PUBLIC, cookie_name, is_https
from headwater.web.login import enter, make_cookie, show_login

_COOKIE = "headwater_signing_in"
_COOKIE_SECONDS = 600


@get("/login/provider", role=PUBLIC, sync_to_thread=True, include_in_schema=False)
def go_to_provider(request: Request[Any, Any, Any]) -> Response[Any]:
    """Send a browser to the OpenID provider; what binds the login to it is in a cookie."""
    again = request.query_params.get("again") == "yes"
    try:
        secret, url = door_of(request).people.begin_login(_redirect_uri(request), again=again)
    except LoginRefused as error:
        return show_login(request, str(error), 502)
    return Redirect(url, status_code=303, cookies=[_cookie(request, secret.reveal(), _COOKIE_SECONDS)])


@get("/login/callback", role=PUBLIC, sync_to_thread=True, include_in_schema=False)
def come_back(request: Request[Any, Any, Any]) -> Response[Any]:
    """Take a browser back from the OpenID provider, and let in whom it vouches for."""
    query = request.query_params
    back = Return(
        code=query.get("code", ""),
        state=query.get("state", ""),
        issuer=query.get("iss"),
        error=query.get("error", ""),
    )
    try:
        session = door_of(request).people.finish_login(
            _redirect_uri(request),
            request.cookies.get(_name(request), ""),
            back,
            address=address_of(request),
            replaces=request.cookies.get(cookie_name(request), ""),
        )
    except LoginRefused as error:
        answer = show_login(request, str(error), 401)
    else:
        answer = enter(request, session)
    answer.set_cookie(_cookie(request, "", 0))
    return answer


def _redirect_uri(request: Request[Any, Any, Any]) -> str:
    origin = request.app.state.origin or f"{request.url.scheme}://{request.headers['host']}"
    return f"{origin}/login/callback"


def _name(request: Request[Any, Any, Any]) -> str:
    return f"__Host-{_COOKIE}" if is_https(request) else _COOKIE


def _cookie(request: Request[Any, Any, Any], value: str, seconds: int) -> Cookie:
    return replace(make_cookie(request, value, seconds), key=_name(request))
