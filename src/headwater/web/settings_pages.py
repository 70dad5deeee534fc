"""The settings: oneself, users, API tokens, webhooks, retention, the audit log, about. Their forms are next door."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.concurrency import sync_to_thread
from litestar.exceptions import ValidationException

from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.forms import NamingForm
from headwater.web.guard import cookie_name
from headwater.web.render import page
from headwater.web.undo import recall

_SAID = {
    "password": "The password is set. Wherever else you were logged in, you are not any more.",
    "added": "The user is added.",
    "role": "The role is changed, and the user is logged out everywhere.",
    "accounts": "The accounts are set, and the user is logged out everywhere.",
    "disable": "The user is disabled and logged out everywhere.",
    "enable": "The user may come in again.",
    "remove": "The user is removed for good and logged out everywhere. The audit log keeps the name.",
    "revoked": "The token is revoked for good: it lets nobody in. Where one is needed still, create another.",
}
_NEW_USER = NamingForm(role=Role.VIEWER)
_NEW_TOKEN = NamingForm(role=Role.INGEST)
_UNDONE = frozenset({"role", "accounts", "disable", "enable"})
_LONGEST_PAGE = 100


@get("/settings", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def settings_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show who one is and what one may do; set the password, log out everywhere."""
    return show_oneself(request)


@get("/settings/users", role=Role.ADMIN, include_in_schema=False)
async def users_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the users, and the forms that change them."""
    return await sync_to_thread(show_users, request)


@get("/settings/tokens", role=Role.ADMIN, include_in_schema=False)
async def tokens_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the API tokens without their secrets, and the form that creates one."""
    return await sync_to_thread(show_tokens, request)


@get("/settings/webhooks", role=Role.ADMIN, sync_to_thread=True, include_in_schema=False)
def webhooks_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show which accounts announce their runs, without the secret part of the address."""
    door = door_of(request)
    names = (account.account for account in door.list_accounts().accounts if account.token_hint)
    return show(request, "settings_webhooks.html", webhooks=[door.people.get_webhook(name) for name in names])


@get("/settings/retention", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def retention_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show how long runs are kept and how much is stored."""
    return show(request, "settings_retention.html", about=door_of(request).people.get_about())


@get("/settings/audit", role=Role.ADMIN, sync_to_thread=True, include_in_schema=False)
def audit_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show who did what, newest first."""
    before = request.query_params.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise ValidationException
    log = door_of(request).people.list_audit(limit=_LONGEST_PAGE, before=None if before is None else int(before))
    return show(request, "settings_audit.html", log=log)


@get("/settings/about", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def about_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what this installation is."""
    return show(request, "settings_about.html", about=door_of(request).people.get_about())


def show_oneself(request: Request[Any, Any, Any], *, fault: str = "", status_code: int = 200) -> Response[str]:
    """Show who one is and where one is logged in; `fault` is what was wrong with the form."""
    caller, secret = request.scope["user"], request.cookies.get(cookie_name(request), "")
    sessions = door_of(request).people.list_sessions(caller.name, secret) if caller.is_person else ()
    accounts = list_seen(request)
    return show(request, "settings.html", status_code=status_code, sessions=sessions, accounts=accounts, fault=fault)


def list_seen(request: Request[Any, Any, Any]) -> tuple[str, ...] | None:
    """List the accounts that are there for who asks; None where every one is."""
    return None if request.scope["user"].account_keys is None else _list_names(request)


def show_users(
    request: Request[Any, Any, Any],
    *,
    fault: str = "",
    form: NamingForm = _NEW_USER,
    invitation: str = "",
    name: str = "",
    status_code: int = 200,
) -> Response[str]:
    """Show the users; `invitation` is a link for `name`, shown this once, `fault` what was wrong with a form."""
    return show(
        request,
        "settings_users.html",
        status_code=status_code,
        users=door_of(request).people.list_users().users,
        accounts=_list_names(request),
        fault=fault,
        form=form,
        invitation=invitation,
        name=name,
    )


def show_tokens(
    request: Request[Any, Any, Any],
    *,
    fault: str = "",
    form: NamingForm = _NEW_TOKEN,
    secret: str = "",
    name: str = "",
    status_code: int = 200,
) -> Response[str]:
    """Show the API tokens; `secret` is that of `name`, just created and shown this once."""
    people = door_of(request).people
    return show(
        request,
        "settings_tokens.html",
        status_code=status_code,
        tokens=people.list_tokens(),
        accounts=_list_names(request),
        now=people.get_about().as_of,
        fault=fault,
        form=form,
        secret=secret,
        name=name,
    )


def _list_names(request: Request[Any, Any, Any]) -> tuple[str, ...]:
    return tuple(account.account for account in door_of(request).list_accounts().accounts)


def show(request: Request[Any, Any, Any], template: str, *, status_code: int = 200, **context: Any) -> Response[str]:
    """Show a page of the settings, with what was done where one comes from a form."""
    saved = request.query_params.get("saved", "")
    said = _SAID.get(saved, "")
    context.setdefault("fault", "")
    if request.method == "GET":  # what a form answers with may hold what is shown this once
        context["revision"] = door_of(request).get_revision()
    undo = recall(request, "/settings/users/") if saved in _UNDONE else None
    return page(request, template, status_code=status_code, said=said, undo=undo, roles=tuple(Role), **context)
