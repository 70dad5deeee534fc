"""The connection check: ask for a little of everything, then say in plain sentences what works and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from headwater.dbtcloud.client import Client
from headwater.dbtcloud.reading import Account, User
from headwater.dbtcloud.retry import RetryPolicy
from headwater.errors import (
    AccessDenied,
    DbtCloudError,
    NotVisible,
    RateLimited,
    TokenRejected,
)
from headwater.model.account import AccountAddress

Found = TypeVar("Found")

PATIENCE = RetryPolicy(patience=8.0)
"""Somebody is waiting for the answer."""

_LEAST = "The permission set Job Viewer has everything that is needed."
_PREFIXES = ("dbtc_", "dbtu_")
_NEEDED = ("projects", "environments", "jobs", "runs")


class TokenKind(StrEnum):
    """What kind of token it is, as far as it can be told from outside."""

    PERSONAL = "personal"
    SERVICE = "service"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the check: `ok` is None where it could not be found out or does not matter."""

    name: str
    ok: bool | None
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """What a token can do with an account."""

    checks: tuple[Check, ...]
    account: Account | None = None
    token_kind: TokenKind = TokenKind.UNKNOWN

    @property
    def is_usable(self) -> bool:
        """Whether the account can be followed: all that is needed was found, and nothing failed."""
        found = {check.name for check in self.checks if check.ok}
        return found.issuperset(_NEEDED) and all(check.ok is not False for check in self.checks)

    @property
    def sentence(self) -> str:
        """Give the check in one sentence: what is wrong first, or what could not be found out, or that all is well."""
        if self.is_usable:
            return "The account can be followed."
        worst_first = sorted(self.checks, key=lambda check: (check.ok is True, check.ok is None))
        return worst_first[0].sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What was found by asking: a value, the error that came instead, or None where it was not asked for."""

    accounts: tuple[Account, ...] | DbtCloudError | None = None
    account: Account | DbtCloudError | None = None
    counts: dict[str, int | DbtCloudError] | None = None
    user: User | DbtCloudError | None = None
    can_read_tokens: bool | None = None
    token_prefix: str = ""


def check_connection(client: Client) -> ConnectionReport:
    """Find out what the token can do with the account, with at most eight small requests; raises nothing."""
    return judge(collect_probes(client.with_policy(PATIENCE)), client.address)


def collect_probes(client: Client) -> Probes:
    """Ask for a little of everything; stop where the first answers show that nothing else can work."""
    prefix = next((start for start in _PREFIXES if client.token.reveal().startswith(start)), "")
    accounts = _ask(client.list_accounts)
    if isinstance(accounts, DbtCloudError) and not isinstance(accounts, AccessDenied | NotVisible):
        return Probes(accounts=accounts, token_prefix=prefix)
    account = _ask(client.get_account)
    if isinstance(account, NotVisible) or (isinstance(account, DbtCloudError) and isinstance(accounts, DbtCloudError)):
        return Probes(accounts=accounts, account=account, token_prefix=prefix)
    user = _ask(client.get_user)
    return Probes(
        accounts=accounts,
        account=account,
        counts={noun: _ask(partial(client.count, noun)) for noun in _NEEDED},
        user=user,
        can_read_tokens=None if isinstance(user, User) else client.can_read_tokens(),
        token_prefix=prefix,
    )


def judge(probes: Probes, address: AccountAddress) -> ConnectionReport:
    """Say what the probes mean; pure."""
    host = urlsplit(address.origin).netloc
    kind = token_kind(probes)
    checks = [_reachable(probes, host)]
    if checks[-1].ok:
        checks.append(_token(probes, host, kind))
    if checks[-1].name == "token" and checks[-1].ok:
        checks.append(_account(probes, address))
    if probes.counts is not None:
        checks += [_readable(noun, found) for noun, found in probes.counts.items()]
        checks += _privileges(probes, kind)
    account = probes.account if isinstance(probes.account, Account) else None
    return ConnectionReport(checks=tuple(checks), account=account, token_kind=kind)


def token_kind(probes: Probes) -> TokenKind:
    """Tell a personal token from a service token: by whom it acts for, else by how it begins."""
    if isinstance(probes.user, User) or probes.token_prefix == "dbtu_":  # noqa: S105
        return TokenKind.PERSONAL
    return TokenKind.SERVICE if probes.token_prefix == "dbtc_" else TokenKind.UNKNOWN  # noqa: S105


def _reachable(probes: Probes, host: str) -> Check:
    error = probes.accounts if isinstance(probes.accounts, DbtCloudError) else None
    if error is None or isinstance(error, TokenRejected | AccessDenied | NotVisible | RateLimited):
        return Check(name="reachable", ok=True, sentence=f"{host} answers.")
    return Check(name="reachable", ok=False, sentence=error.message, hint=error.hint)


def _token(probes: Probes, host: str, kind: TokenKind) -> Check:
    for error in (probes.accounts, probes.account):
        if isinstance(error, TokenRejected):
            return Check(name="token", ok=False, sentence=error.message, hint=error.hint)
    if isinstance(probes.accounts, AccessDenied) and isinstance(probes.account, AccessDenied):
        return Check(name="token", ok=False, sentence=probes.account.message, hint=probes.account.hint)
    if isinstance(probes.accounts, RateLimited):
        return Check(
            name="token", ok=None, sentence=f"{host} was asked too often and does not say whether the token is good.",
            hint="Check again in five minutes.",
        )  # fmt: skip
    what = {TokenKind.PERSONAL: "The personal token", TokenKind.SERVICE: "The service token"}.get(kind, "The token")
    whose = f" of {probes.user.email or probes.user.name}" if isinstance(probes.user, User) else ""
    return Check(name="token", ok=True, sentence=f"{what}{whose} is accepted.")


def _account(probes: Probes, address: AccountAddress) -> Check:
    number = address.account_id
    if isinstance(probes.account, Account):
        account = probes.account
        if account.is_locked:
            return Check(
                name="account", ok=False, sentence=f"Account {number}, {account.name}, is locked by dbt Cloud.",
                hint="Ask who pays for it.",
            )  # fmt: skip
        plan = f", on the plan {account.plan}" if account.plan else ""
        return Check(name="account", ok=True, sentence=f"Account {number} is {account.name}{plan}.")
    others = _visible(probes, number)
    if isinstance(probes.account, NotVisible):
        return Check(
            name="account", ok=False, sentence=f"The token cannot see account {number}.",
            hint=f"It can see {others}." if others else "Is the account id the number in dbt Cloud's URLs?",
        )  # fmt: skip
    if isinstance(probes.account, DbtCloudError):
        return Check(name="account", ok=False, sentence=probes.account.message, hint=probes.account.hint)
    return Check(name="account", ok=None, sentence=f"Account {number} was not asked for.")


def _visible(probes: Probes, number: int) -> str:
    if probes.accounts is None or isinstance(probes.accounts, DbtCloudError):
        return ""
    return ", ".join(f"{one.account_id} ({one.name})" for one in probes.accounts[:5] if one.account_id != number)


def _readable(noun: str, found: int | DbtCloudError) -> Check:
    if isinstance(found, AccessDenied | NotVisible):
        return Check(
            name=noun, ok=False, sentence=f"The token may not read {noun}.",
            hint=f"Give it a permission set that reads {noun}. {_LEAST}",
        )  # fmt: skip
    if isinstance(found, DbtCloudError):
        sentence = f"Whether the token may read {noun} could not be found out. {found.message}"
        return Check(name=noun, ok=None, sentence=sentence, hint=found.hint or "Check again.")
    if found == 0 and noun == "projects":
        # dbt Cloud narrows every list to what the token is granted, without a word.
        return Check(
            name=noun, ok=False, sentence="The token can see no project.",
            hint=f"Either the account has none, or the token is granted none: grant it all projects. {_LEAST}",
        )  # fmt: skip
    if found == 0:
        return Check(name=noun, ok=True, sentence=f"The token reads {noun}; there are none yet, or it is granted none.")
    return Check(name=noun, ok=True, sentence=f"The token reads {noun}: {found:,} {noun if found > 1 else noun[:-1]}.")


def _privileges(probes: Probes, kind: TokenKind) -> list[Check]:
    if not probes.can_read_tokens or kind is TokenKind.PERSONAL:
        return []
    return [
        Check(
            name="privileges",
            ok=None,
            sentence="The token may do more than is needed: it can read service tokens.",
            hint=f"It works; a narrower one is safer. {_LEAST}",
        )
    ]


def _ask(question: Callable[[], Found]) -> Found | DbtCloudError:
    try:
        return question()
    except DbtCloudError as error:
        return error.with_traceback(None)
