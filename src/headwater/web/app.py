"""The web application: pages and documents, the guard of every route, and the shield around all of it."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.static_files import create_static_files_router

from headwater.errors import HeadwaterError
from headwater.observatory.access import Role
from headwater.observatory.explorer_states import prepare_lineage
from headwater.web import (
    accounts,
    api,
    badges,
    confirm,
    connecting,
    hooks,
    incidents,
    job_pages,
    lineage_pages,
    live,
    login,
    node_api,
    node_pages,
    oidc,
    pages,
    rerunning,
    search,
    settings_api,
    settings_forms,
    settings_pages,
)
from headwater.web.door import open_door
from headwater.web.faults import EXCEPTION_HANDLERS
from headwater.web.guard import PUBLIC, check_declared, guard
from headwater.web.listening import LOOPBACK, Listening
from headwater.web.proxy import behind
from headwater.web.render import load_templates
from headwater.web.shield import shield

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.types import ASGIApp, ControllerRouterHandler

    from headwater.observatory.holder import Observatory
    from headwater.web.door import Door

_STATIC = Path(__file__).parent / "static"
_HANDLERS: tuple[ControllerRouterHandler, ...] = (
    pages.overview_page,
    pages.runs_page,
    pages.run_page,
    pages.jobs_page,
    job_pages.job_page,
    job_pages.job_document,
    rerunning.start_from_run,
    rerunning.start_from_job,
    rerunning.start_again,
    rerunning.start_job,
    connecting.accounts_page,
    connecting.connect_account,
    accounts.account_page,
    accounts.change_filter,
    accounts.change_history,
    accounts.change_token,
    accounts.sync_account,
    accounts.remove_account,
    accounts.pause_or_resume,
    node_pages.node_page,
    node_pages.catalog_page,
    lineage_pages.lineage_page,
    lineage_pages.lineage_picture,
    incidents.incidents_page,
    incidents.incident_page,
    incidents.act_on_page,
    login.login_page,
    login.log_in,
    login.log_out,
    oidc.go_to_provider,
    oidc.come_back,
    confirm.confirm_page,
    confirm.prove,
    settings_pages.settings_page,
    settings_pages.users_page,
    settings_pages.tokens_page,
    settings_pages.webhooks_page,
    settings_pages.retention_page,
    settings_pages.audit_page,
    settings_pages.about_page,
    settings_forms.change_password,
    settings_forms.end_sessions,
    settings_forms.add_user,
    settings_forms.change_user,
    settings_forms.create_token,
    settings_forms.revoke_token,
    api.overview_document,
    api.runs_document,
    api.run_document,
    api.jobs_document,
    api.accounts_document,
    api.account_document,
    node_api.node_document,
    node_api.impact_document,
    node_api.why_document,
    node_api.catalog_document,
    lineage_pages.lineage_document,
    lineage_pages.lineage_states_document,
    settings_api.oneself_document,
    settings_api.users_document,
    settings_api.tokens_document,
    settings_api.webhooks_document,
    settings_api.about_document,
    settings_api.audit_document,
    badges.node_badge,
    badges.job_badge,
    api.match_document,
    search.search_document,
    incidents.incidents_document,
    incidents.incident_document,
    incidents.act_on_incident,
    api.revision_document,
    live.events_stream,
    api.accept_collected,
    api.health_document,
    hooks.hear_dbt,
)


def create_app(observatory: Observatory, where: Listening = LOOPBACK) -> ASGIApp:
    """Create the application as it is reached there."""
    app: ASGIApp = build_app(open_door(observatory), origin=where.origin)
    hosts = [urlsplit(where.origin).hostname or ""] if where.origin is not None else []
    return shield(behind(app, where.proxies) if where.proxies else app, hosts, is_https=where.origin is not None)


def prepare_pages(observatory: Observatory) -> None:
    """Work out what the dearest of the first pages needs, that of the lineage, as it is asked for at first."""
    with suppress(HeadwaterError):  # who asks for the page is told
        prepare_lineage(observatory)
    load_templates("lineage.html", "lineage_shapes.html")


def build_app(
    door: Door, more_handlers: Collection[ControllerRouterHandler] = (), *, origin: str | None = None
) -> Litestar:
    """Build what stands behind the shield.

    Raises:
        HeadwaterError: a route declares no role.
    """
    static = create_static_files_router("/static", [_STATIC], opt={"role": PUBLIC})
    app = Litestar(
        [*_HANDLERS, *more_handlers, static],
        guards=[guard],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=_describe(),
        state=State({"door": door, "origin": origin, "broadcasts": live.Broadcasts()}),
        logging_config=None,
    )
    check_declared(app)
    return app


def _describe() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Headwater",
        version=version("headwater"),
        description="Every page of Headwater is a document too. Send `Authorization: Bearer hw_…`.",
        render_plugins=[JsonRenderPlugin()],
        openapi_router=Router("/api/v1/openapi", route_handlers=[], opt={"role": Role.VIEWER}, include_in_schema=False),
    )
