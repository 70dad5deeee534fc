"""The forms of the settings. What decides who may come in asks for a proof that is not old: the guard sees to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, RawBody
from litestar.response import Redirect

from headwater.errors import NotKnown, TooManyTries, WrongUse
from headwater.model.secret import Secret
from headwater.observatory.access import Caller, Role
from headwater.web.door import door_of
from headwater.web.forms import NAMING_SIZE_LIMIT, SIZE_LIMIT, NamingForm, actor_of, read_form, read_naming
from headwater.web.login import make_cookie
from headwater.web.settings_pages import show_oneself, show_tokens, show_users
from headwater.web.undo import Undo, remember

_COOKIE_SECONDS = 7 * 86_400
_OPPOSITES = {"disable": "enable", "enable": "disable"}
_LIFETIMES = {"30": timedelta(days=30), "90": timedelta(days=90), "365": timedelta(days=365), "never": None}


@post(
    "/settings/password",
    role=Role.VIEWER,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=SIZE_LIMIT,
)
def change_password(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Set one's own password, against the one there is, and go on with a new session."""
    fields, caller, by = read_form(body), request.scope["user"], actor_of(request)
    try:
        _check_may_set(caller, fields)
        password = Secret(fields.get("new", ""))
        session = door_of(request).people.change_password(caller.name, fields.get("password", ""), password, by=by)
    except (WrongUse, TooManyTries) as error:
        return show_oneself(request, fault=str(error), status_code=400)
    cookie = make_cookie(request, session.reveal(), _COOKIE_SECONDS)
    return Redirect("/settings?saved=password", status_code=303, cookies=[cookie])


def _check_may_set(caller: Caller, fields: dict[str, str]) -> None:
    if not caller.is_person or caller.issuer is not None:
        raise WrongUse(f"{caller.name} has no password here.")
    if not caller.has_password and not caller.is_fresh:
        raise WrongUse("This login is too old to set a first password.", hint="Log in by a new link.")
    if fields.get("new") != fields.get("again"):
        raise WrongUse("The two new passwords are not the same.")


@post("/settings/logout", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False, status_code=303)
def end_sessions(request: Request[Any, Any, Any]) -> Response[Any]:
    """Log out everywhere."""
    if not request.scope["user"].is_person:
        raise WrongUse("An API token is not logged in anywhere.")
    door_of(request).people.end_sessions(by=actor_of(request))
    return Redirect("/login", status_code=303, cookies=[make_cookie(request, "", 0)])


@post(
    "/settings/users",
    role=Role.ADMIN,
    proof=True,
    include_in_schema=False,
    status_code=200,
    request_max_body_size=NAMING_SIZE_LIMIT,
)
async def add_user(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Add a user and show the invitation, this once."""
    return await sync_to_thread(_add_user, request, body)


def _add_user(request: Request[Any, Any, Any], body: bytes) -> Response[Any]:
    people, by, form = door_of(request).people, actor_of(request), read_naming(body)
    try:
        user = people.add_user(form.name, _read_role(form.role), accounts=_read_seen(form), by=by)
        return show_users(request, invitation=_invite(request, user.name), name=user.name)
    except WrongUse as error:
        return show_users(request, fault=str(error), form=form, status_code=400)


@post(
    "/settings/users/{name:str}/{act:str}",
    role=Role.ADMIN,
    proof=True,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=NAMING_SIZE_LIMIT,
)
def change_user(
    request: Request[Any, Any, Any], name: FromPath[str], act: FromPath[str], body: RawBody
) -> Response[Any]:
    """Change a user's role or accounts, disable, enable or remove it, or show a link that lets it in once."""
    people, by, fields = door_of(request).people, actor_of(request), read_form(body)
    acts: dict[str, Callable[[], object]] = {
        "role": lambda: people.set_role(name, _read_role(fields.get("role", "")), by=by),
        "accounts": lambda: people.set_accounts(name, _read_seen(read_naming(body)), by=by),
        "disable": lambda: people.disable_user(name, by=by),
        "enable": lambda: people.enable_user(name, by=by),
        "remove": lambda: people.remove_user(name, by=by),
    }
    try:
        if act == "link":
            return show_users(request, invitation=_invite(request, name), name=name)
        if act not in acts:
            raise NotKnown(f"There is nothing to {act!r} about a user.", hint="Open the settings.")
        undo = _find_undo(request, name, act)
        acts[act]()
    except WrongUse as error:
        return show_users(request, fault=str(error), status_code=404 if isinstance(error, NotKnown) else 400)
    cookies = [] if undo is None else [remember(request, undo)]
    return Redirect(f"/settings/users?saved={act}", status_code=303, cookies=cookies)


def _find_undo(request: Request[Any, Any, Any], name: str, act: str) -> Undo | None:
    """Find the act that takes one back, before it is done; None for what cannot be, and a user that is not there."""
    here = f"/settings/users/{quote(name, safe='')}"
    if act in _OPPOSITES:
        return Undo(action=f"{here}/{_OPPOSITES[act]}")
    user = next((user for user in door_of(request).people.list_users().users if user.name == name), None)
    if user is None or act == "remove":
        return None
    if act == "role":
        return Undo(action=f"{here}/role", fields=(("role", user.role),))
    named = tuple(("account", account) for account in user.accounts or ())
    return Undo(action=f"{here}/accounts", fields=(("sees", "all" if user.accounts is None else "named"), *named))


@post(
    "/settings/tokens",
    role=Role.ADMIN,
    proof=True,
    include_in_schema=False,
    status_code=200,
    request_max_body_size=NAMING_SIZE_LIMIT,
)
async def create_token(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Create an API token and show it, this once."""
    return await sync_to_thread(_create_token, request, body)


def _create_token(request: Request[Any, Any, Any], body: bytes) -> Response[Any]:
    form, by = read_naming(body), actor_of(request)
    try:
        account_id = _read_account(form)
        _, secret = door_of(request).people.create_token(
            form.name,
            _read_role(form.role),
            lifetime=_read_lifetime(form.days),
            accounts=_read_seen(form) if account_id is None else None,
            account_id=account_id,
            by=by,
        )
    except WrongUse as error:
        return show_tokens(request, fault=str(error), form=form, status_code=400)
    return show_tokens(request, secret=secret.reveal(), name=form.name)


@post(
    "/settings/tokens/{name:str}/revoke",
    role=Role.ADMIN,
    proof=True,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
)
def revoke_token(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """Let an API token in no more."""
    try:
        door_of(request).people.revoke_token(name, by=actor_of(request))
    except NotKnown as error:
        return show_tokens(request, fault=str(error), status_code=404)
    return Redirect("/settings/tokens?saved=revoked", status_code=303)


def _invite(request: Request[Any, Any, Any], name: str) -> str:
    """Give a link that lets a user in once."""
    secret = door_of(request).people.invite(name, by=actor_of(request))
    origin = request.app.state.origin or f"{request.url.scheme}://{request.headers['host']}"
    return f"{origin}/login#{secret.reveal()}"


def _read_seen(form: NamingForm) -> tuple[str, ...] | None:
    if form.sees not in {"all", "named"}:
        raise WrongUse("Choose every account, or these alone.")
    return form.accounts if form.sees == "named" else None


def _read_role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise WrongUse("Choose a role: viewer, operator or admin.") from None


def _read_account(form: NamingForm) -> int | None:
    if form.sees != "unconnected":
        return None
    text = form.account_id
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 2**63):
        raise WrongUse("The id of an account is the number in its addresses in dbt Cloud.")
    return int(text)


def _read_lifetime(days: str) -> timedelta | None:
    if days not in _LIFETIMES:
        raise WrongUse("A token is good for 30, 90 or 365 days, or for ever.")
    return _LIFETIMES[days]
