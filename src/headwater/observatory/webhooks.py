"""Webhooks: subscribing an account, hearing what dbt Cloud announces, and reading the runs that it announced."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from headwater.dbtcloud.origin import read_origin
from headwater.dbtcloud.webhooks import RunEvent, Subscription, Subscriptions, is_signed, read_event
from headwater.errors import AccessDenied, DbtCloudError, NotVisible, OriginRefused, TokenRejected, WrongUse
from headwater.model.secret import Secret
from headwater.observatory.audit import COMMAND_LINE, note
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.sentences import say_span
from headwater.observatory.syncing import syncing_apart
from headwater.store import webhooks as stored
from headwater.store.accounts import get_account as get_account_by_key
from headwater.store.accounts import list_accounts
from headwater.store.rows import Account
from headwater.store.secrets import WEBHOOK, open_token, seal_token
from headwater.sync.account import PassReport
from headwater.sync.announced import answer_announced

PATH = "/hooks/dbt/"
"""Where dbt Cloud calls; the last part of the path is the id of an account's webhook."""

MOST_WAITING = 1_000
"""Announcements an account may have waiting; further ones are refused, and polling finds their runs."""

_ANSWERED_AT_ONCE = 40
_NOBODY = Secret("the secret of nobody, so that an unknown address takes as long as a wrong signature")
_TEST_WAITS = 120
_TEST_WAIT_SECONDS = 0.25


class Heard(StrEnum):
    """What became of a call."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReport:
    """An account's webhook as it is known here. `url` ends in an id that only dbt Cloud is told.

    `waiting` counts announcements whose run is still to be read; `arrived` is whether a trial of dbt Cloud came
    through, null where none was made.
    """

    account: str
    sentence: str
    url: str | None = None
    subscription_id: str | None = None
    heard_at: datetime | None = None
    waiting: int = 0
    arrived: bool | None = None


@dataclass(frozen=True, slots=True)
class _Caller:
    """The account that an address belongs to, with the secret its calls are signed with."""

    account: Account
    secret: Secret


def hear(observatory: Observatory, hook_id: str, body: bytes, signature: str) -> Heard:
    """Take a call of dbt Cloud: it is verified, its event is put into the inbox, and no more.

    A call that nobody known signed leaves no trace. Of what it says only the ids of event and run are used.

    Raises:
        StoreError: the database cannot be asked; dbt Cloud tries again.
    """
    caller = _find_caller(observatory, hook_id)
    if not is_signed(caller.secret if caller is not None else _NOBODY, body, signature) or caller is None:
        return Heard.REFUSED
    return _keep(observatory, caller.account, read_event(body))


def _keep(observatory: Observatory, account: Account, event: RunEvent | None) -> Heard:
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.touch_webhook(tx, account.account_key, now)
        if event is None or account.is_paused:
            return Heard.IGNORED
        if stored.has_event(tx, account.account_key, event.event_id):
            return Heard.REPEATED
        if stored.count_waiting_events(tx, account.account_key) >= MOST_WAITING:
            return Heard.FULL
        is_new = stored.add_event(tx, account.account_key, event.event_id, event.run_id, now)
    return Heard.ACCEPTED if is_new else Heard.REPEATED


def _find_caller(observatory: Observatory, hook_id: str) -> _Caller | None:
    with observatory.store.read() as tx:
        webhook = stored.find_webhook_by_id(tx, hook_id)
        if webhook is None or webhook.secret is None:
            return None
        account = get_account_by_key(tx, webhook.account_key)
    return _Caller(account, open_token(observatory.key, account.address, webhook.secret, WEBHOOK))


def answer(observatory: Observatory, name: str) -> PassReport:
    """Read the runs that were announced for an account, beside the passes over it and without waiting for one.

    Raises:
        DbtCloudError, StoreError, SecretUnavailable: the account cannot be asked; the announcements wait.
        WrongUse: another process does it at the moment.
    """
    with syncing_apart(observatory, name, "announced") as sync:
        report = answer_announced(sync, limit=_ANSWERED_AT_ONCE)
    if report.runs_collected:
        observatory.stored.set()
    return report


def list_announced(observatory: Observatory) -> tuple[str, ...]:
    """List the names of the followed accounts of which announced runs are still to be read."""
    with observatory.store.read() as tx:
        waiting = set(stored.list_announced_accounts(tx))
        if not waiting:
            return ()
        accounts = list_accounts(tx)
    return tuple(
        account.name
        for account in accounts
        if account.account_key in waiting and account.has_token and not account.is_paused
    )


def subscribe(
    observatory: Observatory, name: str, public_url: str, *, sleep: Callable[[float], None] = time.sleep
) -> WebhookReport:
    """Let dbt Cloud announce an account's runs at a public address, and try whether its calls arrive.

    Once more with another address, the subscription is moved there. `sleep` waits for the trial to arrive.

    Raises:
        NotKnown: there is no such account, or it has no token.
        WrongUse: the address is none that dbt Cloud can call, or the token may not manage webhooks.
        DbtCloudError: dbt Cloud cannot be asked.
    """
    account = get_account(observatory, name)
    public = _read_public_url(public_url)
    with _explained(account):
        subscriptions = observatory.client(account).subscriptions()
        webhook = _settle(observatory, account, public, subscriptions)
        _note_subscribed(observatory, account, public)
        arrived = _try_out(observatory, webhook, subscriptions, sleep)
    return replace(get_webhook(observatory, name), arrived=arrived)


def _note_subscribed(observatory: Observatory, account: Account, public_url: str) -> None:
    now = observatory.store.now()
    with observatory.store.write() as tx:
        note(observatory, tx, COMMAND_LINE, "webhook subscribed", account.name, now=now, detail=public_url)


def unsubscribe(observatory: Observatory, name: str) -> None:
    """End an account's subscription, at dbt Cloud and here; one that is gone there is only forgotten here.

    Raises:
        NotKnown: there is no such account.
        WrongUse: it has no subscription, or the token may not manage webhooks.
        DbtCloudError: dbt Cloud cannot be asked; the subscription stays.
    """
    account = get_account(observatory, name)
    webhook = _find(observatory, account)
    if webhook is None:
        raise WrongUse(f"{name} has no webhook.", hint="Nothing was changed.")
    with _explained(account):
        subscriptions = observatory.client(account).subscriptions()
        for subscription in list_ours(subscriptions, webhook):
            subscriptions.delete(subscription.subscription_id)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.delete_webhook(tx, account.account_key)
        note(observatory, tx, COMMAND_LINE, "webhook ended", name, now=now)


def get_webhook(observatory: Observatory, name: str) -> WebhookReport:
    """Get what is known here of an account's webhook; raises NotKnown where there is no such account."""
    account = get_account(observatory, name)
    now = observatory.store.now()
    with observatory.store.read() as tx:
        webhook = stored.find_webhook(tx, account.account_key)
        waiting = stored.count_waiting_events(tx, account.account_key)
    if webhook is None:
        return WebhookReport(account=name, sentence="Not subscribed; runs are found by polling.")
    return WebhookReport(
        account=name,
        sentence=_sentence(webhook, now),
        url=webhook.public_url + PATH + webhook.hook_id,
        subscription_id=webhook.subscription_id or None,
        heard_at=webhook.heard_at,
        waiting=waiting,
    )


def _sentence(webhook: stored.Webhook, now: datetime) -> str:
    if not webhook.subscription_id:
        return "Subscribing broke off; run the command once more."
    if webhook.heard_at is None:
        return "Subscribed; dbt Cloud has not called yet."
    return f"Subscribed; last heard {say_span((now - webhook.heard_at).total_seconds())} ago."


def _settle(
    observatory: Observatory, account: Account, public_url: str, subscriptions: Subscriptions
) -> stored.Webhook:
    """Bring about one subscription whose secret we have.

    The address is saved before dbt Cloud is asked, so that one whose answer was lost is found and replaced later.
    """
    webhook = _find(observatory, account) or stored.Webhook(
        account_key=account.account_key,
        hook_id=secrets.token_urlsafe(24),
        public_url=public_url,
        added_at=observatory.store.now(),
    )
    title, address = f"Headwater: {account.name}", public_url + PATH + webhook.hook_id
    existing = list_ours(subscriptions, webhook)
    if webhook.secret is not None and webhook.subscription_id in {found.subscription_id for found in existing}:
        subscriptions.update(webhook.subscription_id, title, address)
        return _save(observatory, replace(webhook, public_url=public_url))
    _save(observatory, replace(webhook, public_url=public_url, subscription_id="", secret=None))
    for orphan in existing:
        subscriptions.delete(orphan.subscription_id)
    made = subscriptions.create(title, address)
    assert made.secret is not None  # noqa: S101  create gives none without
    sealed = seal_token(observatory.key, account.address, made.secret, WEBHOOK)
    return _save(
        observatory, replace(webhook, public_url=public_url, subscription_id=made.subscription_id, secret=sealed)
    )


def list_ours(subscriptions: Subscriptions, webhook: stored.Webhook) -> list[Subscription]:
    """List what dbt Cloud has of a webhook: by its id, or by the address that only we know."""
    return [
        found
        for found in subscriptions.list_all()
        if found.subscription_id == webhook.subscription_id or found.client_url.endswith(PATH + webhook.hook_id)
    ]


def _try_out(
    observatory: Observatory, webhook: stored.Webhook, subscriptions: Subscriptions, sleep: Callable[[float], None]
) -> bool | None:
    """Tell whether a trial of dbt Cloud arrives; None where it has no run to try it with."""
    try:
        event_id = subscriptions.send_test(webhook.subscription_id)
    except (AccessDenied, TokenRejected):
        raise
    except DbtCloudError as error:
        if error.status == 400:
            return None
        raise
    for _ in range(_TEST_WAITS):
        with observatory.store.read() as tx:
            if stored.has_event(tx, webhook.account_key, event_id):
                return True
        sleep(_TEST_WAIT_SECONDS)
    return False


def _find(observatory: Observatory, account: Account) -> stored.Webhook | None:
    with observatory.store.read() as tx:
        return stored.find_webhook(tx, account.account_key)


def _save(observatory: Observatory, webhook: stored.Webhook) -> stored.Webhook:
    with observatory.store.write() as tx:
        stored.save_webhook(tx, webhook)
    return webhook


def _read_public_url(url: str) -> str:
    try:
        origin = read_origin(url)
    except OriginRefused as error:
        raise WrongUse(error.message, hint=error.hint) from None
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.query or parts.fragment:
        raise WrongUse("The public URL ends before any ? or #.", hint="Give it as https://headwater.example.com.")
    return origin + parts.path.rstrip("/")


@contextmanager
def _explained(account: Account) -> Iterator[None]:
    """Say in a sentence which permission a token lacks."""
    try:
        yield
    except (AccessDenied, NotVisible) as error:
        raise WrongUse(
            f"The token of {account.name} may not manage webhooks: {error.message}",
            hint="Reading runs needs less. Give it dbt Cloud's permission to write webhooks too (an account "
            f"administrator's token has it) with 'headwater account set-token {account.name}', or go on polling.",
        ) from None
