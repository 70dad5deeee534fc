"""The other addresses of an account: what comes under them is the account's, what is asked goes to its own only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.dbtcloud.origin import is_same_region, read_origin
from headwater.errors import NotKnown, OriginRefused, WrongUse
from headwater.model.account import LOCAL_ORIGIN, AccountAddress
from headwater.observatory.audit import COMMAND_LINE, note
from headwater.observatory.holder import Observatory, get_account
from headwater.store import aliases as stored
from headwater.store.accounts import list_accounts
from headwater.store.rows import Account
from headwater.store.secrets import WAREHOUSE, SealingKey, open_token, seal_token
from headwater.store.warehouses import list_warehouses, save_warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasReport:
    """The addresses that an account is known by."""

    account: str
    origin: str
    aliases: tuple[str, ...]


def add_alias(observatory: Observatory, name: str, url: str) -> AliasReport:
    """Take what comes under another address, with the account's id, for the account's. No token is ever sent there.

    Raises:
        NotKnown: there is no such account.
        WrongUse: the address is none, or an account of its own; the message says what to do.
    """
    account = get_account(observatory, name)
    if account.address.origin == LOCAL_ORIGIN:
        raise WrongUse(f"{name} holds what was ingested from folders; it has no address.")
    origin = _read(url)
    address = AccountAddress(origin, account.address.account_id)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        other = stored.find_account_by_any_address(tx, address)
        if other is not None and other.account_key != account.account_key:
            raise WrongUse(
                f"Account {address.account_id} at {origin} is {other.name!r} already, with what was stored of it.",
                hint=f"Run 'headwater account remove {other.name}' first; a sync of {name} reads its runs again.",
            )
        if other is not None and other.address == address:
            raise WrongUse(f"{origin} is the address of {name} itself.")
        stored.save_alias(tx, account, origin, now)
        note(observatory, tx, COMMAND_LINE, "alias added", name, now=now, detail=origin)
    return get_aliases(observatory, name)


def remove_alias(observatory: Observatory, name: str, url: str) -> AliasReport:
    """Take an address from an account again; what came under it stays.

    Raises:
        NotKnown: there is no such account, or it has no such address.
        WrongUse: the address is none.
    """
    account, origin, now = get_account(observatory, name), _read(url), observatory.store.now()
    with observatory.store.write() as tx:
        if not stored.delete_alias(tx, account.account_key, origin):
            raise NotKnown(f"{origin} is no other address of {name}.")
        note(observatory, tx, COMMAND_LINE, "alias removed", name, now=now, detail=origin)
    return get_aliases(observatory, name)


def get_aliases(observatory: Observatory, name: str) -> AliasReport:
    """Get the addresses of an account; raises NotKnown."""
    account = get_account(observatory, name)
    with observatory.store.read() as tx:
        others = stored.list_aliases(tx, account.account_key)
    return AliasReport(account=account.name, origin=account.address.origin, aliases=others)


def find_sibling(tx: Connection, address: AccountAddress) -> Account | None:
    """Find the account that an address names in another way: its access URL, or the older address of its region."""
    alike = [
        account
        for account in list_accounts(tx)
        if account.address.account_id == address.account_id and is_same_region(account.address.origin, address.origin)
    ]
    return alike[0] if len(alike) == 1 else None


def take_over(
    tx: Connection, key: SealingKey, account: Account, name: str, address: AccountAddress, now: datetime
) -> None:
    """Give an account that only the SDK told of the address it is being connected with; what is sealed moves along."""
    moved = stored.move_account(tx, account, name, address, now)
    for warehouse in list_warehouses(tx, (moved.account_key,)):
        use = f"{WAREHOUSE}{warehouse.name}:"
        url = open_token(key, account.address, warehouse.url, use)
        save_warehouse(tx, replace(warehouse, url=seal_token(key, address, url, use)))


def _read(url: str) -> str:
    try:
        return read_origin(url)
    except OriginRefused as error:
        raise WrongUse(error.message, hint=error.hint) from None
