"""What the web asks about people, API tokens and the audit log, as callables bound to an observatory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from headwater.observatory import about, access, audit, oidc, sessions, users, webhooks

if TYPE_CHECKING:
    from headwater.model.secret import Secret
    from headwater.observatory.about import AboutReport
    from headwater.observatory.access import Caller
    from headwater.observatory.audit import AuditReport
    from headwater.observatory.holder import Observatory
    from headwater.observatory.reports import TokenSummary
    from headwater.observatory.sessions import SessionSummary
    from headwater.observatory.users import UsersReport, UserSummary
    from headwater.observatory.webhooks import WebhookReport


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who may come in, and what they do there; `redeem_link` and `log_in` give the secret of a new session.

    `provider` is the issuer of the OpenID provider that people sign in at, None where there is none.
    """

    find_token: Callable[[str], Caller | None]
    find_session: Callable[[str], Caller | None]
    redeem_link: Callable[..., Secret | None]
    log_in: Callable[..., Secret | None]
    end_session: Callable[..., None]
    end_sessions: Callable[..., None]
    list_sessions: Callable[[str, str], tuple[SessionSummary, ...]]
    needs_first_login: Callable[[], bool]
    provider: str | None
    begin_login: Callable[..., tuple[Secret, str]]
    finish_login: Callable[..., Secret]
    list_users: Callable[[], UsersReport]
    add_user: Callable[..., UserSummary]
    invite: Callable[..., Secret]
    set_role: Callable[..., None]
    set_accounts: Callable[..., None]
    change_password: Callable[..., Secret]
    disable_user: Callable[..., None]
    enable_user: Callable[..., None]
    remove_user: Callable[..., UserSummary]
    list_tokens: Callable[[], tuple[TokenSummary, ...]]
    create_token: Callable[..., tuple[TokenSummary, Secret]]
    revoke_token: Callable[..., None]
    list_audit: Callable[..., AuditReport]
    get_webhook: Callable[[str], WebhookReport]
    get_about: Callable[[], AboutReport]


def open_people(observatory: Observatory) -> People:
    """Bind the questions to an observatory."""
    return People(
        find_token=partial(access.find_token, observatory),
        find_session=partial(sessions.find_session, observatory),
        redeem_link=partial(sessions.redeem_link, observatory),
        log_in=partial(users.log_in, observatory),
        end_session=partial(sessions.end_session, observatory),
        end_sessions=partial(sessions.end_sessions, observatory),
        list_sessions=partial(sessions.list_sessions, observatory),
        needs_first_login=partial(sessions.needs_first_login, observatory),
        provider=observatory.settings.oidc.issuer,
        begin_login=partial(oidc.begin_login, observatory),
        finish_login=partial(oidc.finish_login, observatory),
        list_users=partial(users.list_users, observatory),
        add_user=partial(users.add_user, observatory),
        invite=partial(sessions.create_invitation, observatory),
        set_role=partial(users.set_role, observatory),
        set_accounts=partial(users.set_accounts, observatory),
        change_password=partial(users.change_password, observatory),
        disable_user=partial(users.disable_user, observatory),
        enable_user=partial(users.enable_user, observatory),
        remove_user=partial(users.remove_user, observatory),
        list_tokens=partial(access.list_tokens, observatory),
        create_token=partial(access.create_token, observatory),
        revoke_token=partial(access.revoke_token, observatory),
        list_audit=partial(audit.list_audit, observatory),
        get_webhook=partial(webhooks.get_webhook, observatory),
        get_about=partial(about.get_about, observatory),
    )
