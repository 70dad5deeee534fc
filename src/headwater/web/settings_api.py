"""The documents of the settings: what their pages show, and no secret, as these show none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get
from litestar.concurrency import sync_to_thread
from litestar.params import QueryParameter

from headwater.observatory.about import AboutReport
from headwater.observatory.access import Role
from headwater.observatory.audit import AuditReport
from headwater.observatory.reports import TokenSummary
from headwater.observatory.sessions import SessionSummary
from headwater.observatory.users import UsersReport
from headwater.observatory.webhooks import WebhookReport
from headwater.web.door import Door, door_of
from headwater.web.filters import read_whole
from headwater.web.guard import cookie_name
from headwater.web.settings_pages import list_seen

MOST_EVENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OneselfReport:
    """Who asks and what it may do, `accounts` alone where not every one; a person with where it is logged in."""

    name: str
    role: str
    is_person: bool
    has_password: bool
    issuer: str | None
    accounts: tuple[str, ...] | None
    sessions: tuple[SessionSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensReport:
    """Every API token by name, revoked ones included."""

    tokens: tuple[TokenSummary, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksReport:
    """The accounts that are asked by a token, each with its webhook; what only dbt Cloud is told is left out."""

    webhooks: tuple[WebhookReport, ...]


@get(["/settings.json", "/api/v1/settings"], role=Role.VIEWER)
async def oneself_document(request: Request[Any, Any, Any]) -> OneselfReport:
    """Give who asks, what it may do, and where it is logged in."""
    return await sync_to_thread(read_oneself, request)


@get(["/settings/users.json", "/api/v1/settings/users"], role=Role.ADMIN)
async def users_document(request: Request[Any, Any, Any]) -> UsersReport:
    """Give every user."""
    return await sync_to_thread(door_of(request).people.list_users)


@get(["/settings/tokens.json", "/api/v1/settings/tokens"], role=Role.ADMIN)
async def tokens_document(request: Request[Any, Any, Any]) -> TokensReport:
    """Give every API token without its secret."""
    return await sync_to_thread(_list_tokens, door_of(request))


@get(["/settings/webhooks.json", "/api/v1/settings/webhooks"], role=Role.ADMIN)
async def webhooks_document(request: Request[Any, Any, Any]) -> WebhooksReport:
    """Give which accounts announce their runs."""
    return await sync_to_thread(_list_webhooks, door_of(request))


@get(["/settings/about.json", "/settings/retention.json", "/api/v1/settings/about"], role=Role.VIEWER)
async def about_document(request: Request[Any, Any, Any]) -> AboutReport:
    """Give what this installation is, how long runs are kept and how much is stored."""
    return await sync_to_thread(door_of(request).people.get_about)


@get(["/settings/audit.json", "/api/v1/settings/audit"], role=Role.ADMIN)
async def audit_document(
    request: Request[Any, Any, Any],
    before: Annotated[int | None, QueryParameter(description="Events before the one of this number.")] = None,
) -> AuditReport:
    """Give a page of the audit log, newest first."""
    number = None if before is None else read_whole({"before": str(before)}, "before", 0, 0, 10**18)
    return await sync_to_thread(lambda: door_of(request).people.list_audit(limit=MOST_EVENTS, before=number))


def read_oneself(request: Request[Any, Any, Any]) -> OneselfReport:
    """Read who asks."""
    caller, secret = request.scope["user"], request.cookies.get(cookie_name(request), "")
    return OneselfReport(
        name=caller.name,
        role=caller.role,
        is_person=caller.is_person,
        has_password=caller.has_password,
        issuer=caller.issuer,
        accounts=list_seen(request),
        sessions=door_of(request).people.list_sessions(caller.name, secret) if caller.is_person else (),
    )


def _list_tokens(door: Door) -> TokensReport:
    return TokensReport(tokens=door.people.list_tokens(), as_of=door.people.get_about().as_of)


def _list_webhooks(door: Door) -> WebhooksReport:
    names = (account.account for account in door.list_accounts().accounts if account.token_hint)
    found = (door.people.get_webhook(name) for name in names)
    return WebhooksReport(webhooks=tuple(replace(one, url=_without_id(one.url)) for one in found))


def _without_id(url: str | None) -> str | None:
    return None if url is None else f"{url.rpartition('/')[0]}/…"
