"""Connecting accounts, and questions about them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import Connection

from headwater.config import Settings
from headwater.dbtcloud.connection import PATIENCE, ConnectionReport, check_connection
from headwater.dbtcloud.origin import read_origin
from headwater.errors import CheckFailed, DbtCloudError, NotKnown, OriginRefused, SecretUnavailable, WrongUse
from headwater.model.account import LOCAL_ORIGIN, UNKNOWN_ORIGIN, AccountAddress, AccountStatus
from headwater.model.secret import Secret
from headwater.model.sync import SyncState
from headwater.observatory.aliases import find_sibling, take_over
from headwater.observatory.audit import COMMAND_LINE, Actor, note
from headwater.observatory.filtering import describe_filter
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.inbox import describe_inbox
from headwater.observatory.progress import describe_progress
from headwater.observatory.reports import AccountsReport, AccountSummary, CheckLine, CheckReport
from headwater.observatory.sentences import say_span
from headwater.observatory.webhooks import list_ours
from headwater.store import accounts as stored
from headwater.store.aliases import find_account_by_any_address, list_aliases
from headwater.store.filters import get_filter
from headwater.store.inventory import list_account_jobs, list_projects
from headwater.store.rows import Account, RunCount
from headwater.store.run_counts import count_runs
from headwater.store.runs import list_open_runs
from headwater.store.secrets import seal_token
from headwater.store.sync_progress import find_progress
from headwater.store.sync_states import get_sync_state, save_sync_state
from headwater.store.webhooks import Webhook, find_webhook

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def add_account(
    observatory: Observatory,
    name: str,
    *,
    account_id: int,
    url: str,
    token: Secret,
    allow_private: bool,
    by: Actor = COMMAND_LINE,
) -> tuple[AccountSummary, CheckReport]:
    """Connect an account: try the token, then save it sealed. An account that cannot be used is not saved.

    Private and loopback addresses are for the command line and configuration (`allow_private`), not for web forms.

    Raises:
        WrongUse: the name or the account is taken, the address is none, or the check failed; the message says which.
    """
    if not name.strip() or len(name) > 80 or "/" in name:
        raise WrongUse("An account's name is up to 80 characters without a slash.")
    try:
        address = AccountAddress(read_origin(url, allow_private=allow_private), account_id)
    except OriginRefused as error:
        raise WrongUse(error.message, hint=error.hint) from None
    with observatory.store.read() as tx:
        by_name, by_address = stored.find_account(tx, name), find_account_by_any_address(tx, address)
        by_address = by_address or find_sibling(tx, address)
    if by_name is not None:
        raise WrongUse(f"There is an account {name!r} already.", hint="Choose another name, or use set-token.")
    if by_address is not None and by_address.has_token:
        raise WrongUse(
            f"Account {account_id} of {by_address.address.origin} is connected already, as {by_address.name!r}.",
            hint=f"Run 'headwater account set-token {by_address.name}' to replace its token.",
        )
    check = _report(check_connection(observatory.unsaved_client(address, token)))
    if not check.is_usable:
        raise _check_failed(check, hint="Nothing was saved.")
    now = observatory.store.now()
    with observatory.store.write() as tx:
        if by_address is not None and by_address.address != address:
            take_over(tx, observatory.key, by_address, name, address, now)
        account = stored.save_account(tx, name, address, now)
        stored.set_token(tx, account.account_key, seal_token(observatory.key, address, token), token.hint, now)
        stored.save_connection(tx, account.account_key, AccountStatus.NEW, "", now)
        save_sync_state(tx, account.account_key, _begin(get_sync_state(tx, account.account_key), observatory, now))
        note(observatory, tx, by, "account connected", name, now=now, detail=f"{account_id} at {address.origin}")
    return get_account_summary(observatory, name), check


def set_token(observatory: Observatory, name: str, token: Secret, *, by: Actor = COMMAND_LINE) -> CheckReport:
    """Replace an account's token after trying it; one that cannot be used replaces nothing.

    Raises:
        NotKnown: there is no such account.
        WrongUse: only its id is known.
        CheckFailed: the token cannot do what is needed.
    """
    account = get_account(observatory, name)
    if account.address.origin == UNKNOWN_ORIGIN:
        number = account.address.account_id
        hint = f"Connect it with 'headwater account add NAME --account-id {number} --url URL'."
        raise WrongUse(f"Where account {number} is has not been said yet.", hint=hint)
    check = _report(check_connection(observatory.unsaved_client(account.address, token)))
    if not check.is_usable:
        raise _check_failed(check, hint="The token was not replaced.")
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.set_token(tx, account.account_key, seal_token(observatory.key, account.address, token), token.hint, now)
        stored.save_connection(tx, account.account_key, AccountStatus.CONNECTED, "", now)
        note(observatory, tx, by, "account token replaced", name, now=now)
    return check


def check_account(observatory: Observatory, name: str) -> CheckReport:
    """Try an account's token; raises NotKnown where there is no such account."""
    return _report(check_connection(observatory.client(get_account(observatory, name))))


def remove_account(observatory: Observatory, name: str, *, by: Actor = COMMAND_LINE) -> str:
    """Remove an account with everything that was stored of it, its webhook at dbt Cloud first.

    Gives a sentence where the webhook could not be ended there: the account is removed all the same, and what dbt
    Cloud goes on to send is refused.

    Raises:
        NotKnown: there is no such account.
    """
    account = get_account(observatory, name)
    with observatory.store.read() as tx:
        webhook = find_webhook(tx, account.account_key)
    left = _end_webhook(observatory, account, webhook) if webhook is not None else ""
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.delete_account(tx, account.account_key)
        note(observatory, tx, by, "account removed", name, now=now)
    return left


def _end_webhook(observatory: Observatory, account: Account, webhook: Webhook) -> str:
    try:
        subscriptions = observatory.client(account).with_policy(PATIENCE).subscriptions()
        for subscription in list_ours(subscriptions, webhook):
            subscriptions.delete(subscription.subscription_id)
    except (DbtCloudError, NotKnown, SecretUnavailable) as error:
        known = f"webhook {webhook.subscription_id}" if webhook.subscription_id else "webhook"
        return f"Its {known} could not be ended at dbt Cloud: {error} Delete it there, in the account's settings."
    return ""


def list_accounts(observatory: Observatory) -> AccountsReport:
    """List the accounts with how they are doing, in a fixed number of queries for each account."""
    now = observatory.store.now()
    with observatory.store.read() as tx:
        rows = stored.list_account_summaries(tx, now - _DAY, now + _HOUR)
        summaries = []
        for row in rows:
            key = row.account.account_key
            state = get_sync_state(tx, key)
            counts = count_runs(tx, now - _DAY, now + _HOUR, account_keys=(key,))
            summaries.append(
                AccountSummary(
                    account=row.account.name,
                    origin=row.account.address.origin,
                    account_id=row.account.address.account_id,
                    aliases=list_aliases(tx, key),
                    status=str(_status(row.account)),
                    sentence=_sentence(row.account, state, observatory.settings, find_webhook(tx, key), now),
                    is_paused=row.account.is_paused,
                    token_hint=row.account.token_hint or None,
                    token_set_at=row.account.token_set_at,
                    added_at=row.account.added_at,
                    last_success_at=state.last_success_at,
                    lag_seconds=(now - state.last_success_at).total_seconds() if state.last_success_at else None,
                    last_run_at=row.last_run.placed_at if row.last_run else None,
                    last_run_status=str(row.last_run.status) if row.last_run else None,
                    projects=sum(not project.is_deleted for project in list_projects(tx, key)),
                    jobs=sum(not job.is_deleted for job in list_account_jobs(tx, key)),
                    runs=stored.count_account_runs(tx, key),
                    open_runs=len(list_open_runs(tx, key, now - 3 * _DAY)),
                    runs_24h=row.runs,
                    failures_24h=row.failures,
                    requests=state.requests_total,
                    rate_limited=state.rate_limited_total,
                    hours=_hours(counts, now),
                    follows=_follows(tx, row.account),
                    backfill=describe_progress(
                        find_progress(tx, key),
                        state,
                        is_paused=row.account.is_paused,
                        per_minute=observatory.settings.dbt_cloud.requests_per_minute,
                        now=now,
                    ),
                )
            )
        inbox = describe_inbox(tx)
    return AccountsReport(accounts=tuple(summaries), as_of=now, inbox=inbox)


def get_account_summary(observatory: Observatory, name: str) -> AccountSummary:
    """Get one account as a row; raises NotKnown."""
    for summary in list_accounts(observatory).accounts:
        if summary.account == name:
            return summary
    raise NotKnown(f"There is no account {name!r}.")


def _begin(state: SyncState, observatory: Observatory, now: datetime) -> SyncState:
    days = observatory.settings.dbt_cloud.backfill_days
    return SyncState(
        backfill_from=min(state.backfill_from or now, now - timedelta(days=days)),
        backfilled_to=state.backfilled_to,
    )


def _report(found: ConnectionReport) -> CheckReport:
    return CheckReport(
        lines=tuple(
            CheckLine(name=check.name, ok=check.ok, sentence=check.sentence, hint=check.hint) for check in found.checks
        ),
        is_usable=found.is_usable,
    )


def _check_failed(check: CheckReport, *, hint: str) -> CheckFailed:
    fault = next((line for line in check.lines if line.ok is False), None)
    message = "The account cannot be followed: no run could be seen."
    if fault is not None:
        message = f"{fault.sentence} {fault.hint}".rstrip()
    shapes = {True: "●", False: "✕", None: "○"}
    lines = tuple(f"{shapes[line.ok]} {line.sentence} {line.hint}".rstrip() for line in check.lines)
    return CheckFailed(message, lines=lines, hint=hint)


def _status(account: Account) -> AccountStatus:
    if account.is_paused:
        return AccountStatus.PAUSED
    return AccountStatus.CONNECTED if account.address.origin == LOCAL_ORIGIN else account.status


def _sentence(account: Account, state: SyncState, settings: Settings, webhook: Webhook | None, now: datetime) -> str:
    host = urlsplit(account.address.origin).netloc
    if account.address.origin == LOCAL_ORIGIN:
        return "Holds what was ingested from folders."
    if account.address.origin == UNKNOWN_ORIGIN:
        return "Known from artifacts of its runs only; add it with its address to follow it."
    if not account.has_token:
        return "Known from the SDK only; set a token to follow it."
    if account.is_paused:
        return "Paused; it is not followed."
    if account.status in {AccountStatus.REJECTED, AccountStatus.FAILING}:
        return account.last_error or f"{host} cannot be asked."
    if state.last_success_at is None:
        return "Connected; nothing has been synced yet."
    age = now - state.last_success_at
    if age > timedelta(seconds=max(60.0, settings.dbt_monitor.interval * 6)):
        return f"Not synced for {say_span(age.total_seconds())}; is the monitor running?"
    return f"Follows {host}. {_say_webhook(webhook, now)}".rstrip()


def _say_webhook(webhook: Webhook | None, now: datetime) -> str:
    if webhook is None:
        return ""
    if webhook.heard_at is None:
        return "Webhook: not heard yet."
    return f"Webhook: last heard {say_span((now - webhook.heard_at).total_seconds())} ago."


def _follows(tx: Connection, account: Account) -> str:
    """Say which runs of an account are followed; nothing of one that nobody can follow."""
    return describe_filter(tx, account.account_key, get_filter(tx, account.account_key)) if account.has_token else ""


def _hours(counts: list[RunCount], now: datetime) -> tuple[int, ...]:
    by_hour: defaultdict[datetime, int] = defaultdict(int)
    for count in counts:
        by_hour[count.start] += count.runs
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    return tuple(by_hour[first + _HOUR * index] for index in range(24))
