"""The one guard of every route. What a route does not declare is not served: the application refuses to start.

A route declares the least role that may use it with `role=`, or `role=PUBLIC` or `SIGNED`; those are listed here.
One that decides who may come in declares `proof=True` too: only a person uses it, who proved lately who it is.
Browsers prove who they are with a session cookie, programs with `Authorization: Bearer`, and never in an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.concurrency import sync_to_thread
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.routes import HTTPRoute

from headwater.errors import HeadwaterError
from headwater.observatory.access import Caller, Role, is_token
from headwater.web.door import whole_door_of

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

PUBLIC = "public"
PUBLIC_PATHS = frozenset({"/login", "/login/provider", "/login/callback", "/static", "/healthz"})
SIGNED = "signed"
SIGNED_PATHS = frozenset({"/hooks/dbt/{hook_id:str}"})
"""Where programs call without session or token: the signature of the body, which the handler checks, is the guard."""
COOKIE = "headwater_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ProofNeeded(PermissionDeniedException):
    """Somebody is logged in for longer than what is asked for allows; a browser is sent to prove who it is."""


def check_declared(app: Litestar) -> None:
    """Refuse an application that has a route without a role, or a public or signed one that is not on its list.

    Raises:
        HeadwaterError: with the routes that are at fault.
    """
    faults: list[str] = []
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            if _is_automatic(handler):
                continue
            role = handler.opt.get("role")
            public_path = route.path.removesuffix("/{file_path:path}")
            if role == PUBLIC and public_path not in PUBLIC_PATHS:
                faults.append(f"{route.path} is public but not on the list.")
            elif role == SIGNED and route.path not in SIGNED_PATHS:
                faults.append(f"{route.path} takes signed calls but is not on the list.")
            elif role not in {PUBLIC, SIGNED, *Role}:
                faults.append(f"{route.path} declares no role.")
    if faults:
        raise HeadwaterError("Routes are not guarded: " + " ".join(faults), hint="Give each route its role.")


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request pass, or refuse it: 401 for nobody, 403 for the wrong role or a request from another site."""
    if handler.opt.get("role") == SIGNED:
        return
    bearer = _bearer(connection)
    if connection.scope.get("method") not in _SAFE_METHODS and bearer is None:
        _refuse_other_sites(connection)
    least = Role.VIEWER if _is_automatic(handler) else handler.opt["role"]
    if least == PUBLIC:
        return
    caller = await sync_to_thread(find_caller, connection)
    if caller is None:
        raise NotAuthorizedException("Nobody is logged in." if bearer is None else "The API token is not valid.")
    connection.scope["user"] = caller
    if not caller.role.includes(least):
        raise PermissionDeniedException(f"This needs the role {least}; {caller.name} has {caller.role}.")
    if handler.opt.get("proof"):
        _check_proof(caller)


def _check_proof(caller: Caller) -> None:
    if not caller.is_person:
        raise PermissionDeniedException("Only a person who is logged in does this; an API token may not.")
    if not caller.is_fresh:
        raise ProofNeeded("This needs a proof of who you are that is not older than ten minutes.")


def cookie_name(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Name the cookie of the session; over https no other host and no plain connection can set one of this name."""
    return f"__Host-{COOKIE}" if is_https(connection) else COOKIE


def is_https(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether people reach the application over https."""
    return connection.url.scheme == "https" or str(connection.app.state.origin or "").startswith("https:")


def _is_automatic(handler: BaseRouteHandler) -> bool:
    """Whether Litestar itself added the handler, to answer OPTIONS."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"} and "role" not in handler.opt


def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def find_caller(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
    """Find who sent a request, by its API token or else its session; None where neither lets anybody in."""
    door, bearer = whole_door_of(connection), _bearer(connection)
    if bearer is not None:
        return door.people.find_token(bearer) if is_token(bearer) else None
    session = connection.cookies.get(cookie_name(connection))
    return door.people.find_session(session) if session else None


def _refuse_other_sites(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a change that another site's page asks for in the name of whoever is logged in here."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        origin = connection.headers.get("origin", "")
        ours = connection.app.state.origin
        allowed = bool(origin) and (
            origin == ours if ours else urlsplit(origin).netloc == connection.headers.get("host")
        )
    if not allowed:
        raise PermissionDeniedException("This request came from another site, or does not say from where it came.")
