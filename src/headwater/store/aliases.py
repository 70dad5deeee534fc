"""The other addresses of an account, under which observations of it may come; a token never goes there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from headwater.model.account import ANY_ORIGIN, AccountAddress
from headwater.store.accounts import find_account_by_address, find_accounts_by_id, get_account
from headwater.store.rows import Account
from headwater.store.schema import account_aliases, accounts
from headwater.store.values import clean_key
from headwater.store.writing import upsert


def save_alias(tx: Connection, account: Account, origin: str, now: datetime) -> None:
    """Save an origin as another address of an account."""
    facts = {"account_key": account.account_key, "origin": clean_key(origin), "account_id": account.address.account_id}
    upsert(tx, account_aliases, [{**facts, "added_at": now}], keep=("added_at",))


def delete_alias(tx: Connection, account_key: int, origin: str) -> bool:
    """Forget another address of an account; False where it had none such."""
    here = (account_aliases.c.account_key == account_key) & (account_aliases.c.origin == clean_key(origin))
    return tx.execute(delete(account_aliases).where(here)).rowcount > 0


def list_aliases(tx: Connection, account_key: int) -> tuple[str, ...]:
    """List the other origins of an account."""
    query = select(account_aliases.c.origin).where(account_aliases.c.account_key == account_key)
    return tuple(tx.execute(query.order_by(account_aliases.c.origin)).scalars())


def find_account_by_any_address(tx: Connection, address: AccountAddress) -> Account | None:
    """Find an account by its own address, else by another one that it was given."""
    known = find_account_by_address(tx, address)
    if known is not None:
        return known
    here = (account_aliases.c.origin == clean_key(address.origin)) & (
        account_aliases.c.account_id == address.account_id
    )
    account_key = tx.execute(select(account_aliases.c.account_key).where(here)).scalar()
    return None if account_key is None else get_account(tx, account_key)


def find_account_keys(tx: Connection, addresses: Iterable[AccountAddress]) -> frozenset[int]:
    """Find the accounts that some addresses name, by the accounts' own addresses or other ones; see ANY_ORIGIN."""
    keys = set()
    for address in addresses:
        if address.origin == ANY_ORIGIN:
            keys |= {account.account_key for account in find_accounts_by_id(tx, address.account_id)}
        elif (known := find_account_by_any_address(tx, address)) is not None:
            keys.add(known.account_key)
    return frozenset(keys)


def move_account(tx: Connection, account: Account, name: str, address: AccountAddress, now: datetime) -> Account:
    """Give an account without a token a name and an address of its own; the one before stays as another address."""
    facts = {"name": name, "origin": address.origin, "account_id": address.account_id}
    tx.execute(update(accounts).where(accounts.c.account_key == account.account_key).values(facts))
    moved = get_account(tx, account.account_key)
    delete_alias(tx, account.account_key, address.origin)
    save_alias(tx, moved, account.address.origin, now)
    return moved
