"""To which accounts a user or an API token is limited: what is of others is not there for it.

A limit holds addresses of accounts, so that a token can hand in runs of an account that is not connected yet, and an
account that is removed and connected again is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.errors import NotKnown, WrongUse
from headwater.model.account import ANY_ORIGIN, AccountAddress
from headwater.store.accounts import find_account, list_accounts
from headwater.store.aliases import find_account_by_any_address, find_account_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection

Limit = tuple[AccountAddress, ...] | None
"""The accounts alone that somebody has to do with; None is every one."""


def read_limit(tx: Connection, names: Iterable[str]) -> tuple[AccountAddress, ...]:
    """Read the names of accounts.

    Raises:
        NotKnown: there is no account of a name.
        WrongUse: there is no name.
    """
    wanted = sorted(set(names))
    if not wanted:
        raise WrongUse("No account is named.", hint="Name at least one, or choose every account.")
    found = [(name, find_account(tx, name)) for name in wanted]
    missing = next((name for name, account in found if account is None), None)
    if missing is not None:
        known = ", ".join(account.name for account in list_accounts(tx))
        raise NotKnown(f"There is no account {missing!r}.", hint=f"There are: {known}." if known else "Connect one.")
    return tuple(account.address for _, account in found if account is not None)


def name_limit(tx: Connection, limit: Limit) -> tuple[str, ...] | None:
    """Name the accounts of a limit, those that are not known by their numbers."""
    return None if limit is None else tuple(sorted((_name(tx, address) for address in limit), key=str.casefold))


def find_keys(tx: Connection, limit: Limit) -> frozenset[int] | None:
    """Find the accounts that are there for whom this limit is set; None for every one."""
    return None if limit is None else find_account_keys(tx, limit)


def is_within(tx: Connection, limit: Collection[AccountAddress], address: AccountAddress) -> bool:
    """Whether an account is within a limit, by any address of it, and also where it is not known yet."""
    known = find_account_by_any_address(tx, address)
    if known is not None and known.account_key in find_account_keys(tx, limit):
        return True
    return any(one.covers(address) for one in limit)


def _name(tx: Connection, address: AccountAddress) -> str:
    known = None if address.origin == ANY_ORIGIN else find_account_by_any_address(tx, address)
    if known is not None:
        return known.name
    number = f"account {address.account_id}"
    return number if address.origin == ANY_ORIGIN else f"{number} at {address.origin}"
