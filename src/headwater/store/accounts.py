"""Accounts: who is connected, with which sealed token, and how the connection fares."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from headwater.errors import NotKnown, WrongUse
from headwater.model.account import LOCAL_ORIGIN, UNKNOWN_ORIGIN, AccountAddress, AccountStatus
from headwater.model.run import RunStatus
from headwater.store.database import read_once
from headwater.store.rows import Account, AccountSummary, RunMark
from headwater.store.schema import accounts, metadata, run_hours, runs
from headwater.store.values import clean_key
from headwater.store.writing import lock_account

LOCAL_ACCOUNT = "local"
"""The name of the account of what was ingested, without dbt Cloud."""
_LOCAL = AccountAddress(LOCAL_ORIGIN, 0)
_COLUMNS = [column for column in accounts.c if column.name != "token"]


def save_account(tx: Connection, name: str, address: AccountAddress, now: datetime) -> Account:
    """Save an account; one that is known already, if only by its id, takes the new name and keeps its token.

    Raises:
        WrongUse: another account has this name.
    """
    lock_accounts(tx)
    known = settle_account(tx, address)
    namesake = find_account(tx, name)
    if namesake is not None and (known is None or known.account_key != namesake.account_key):
        raise WrongUse(
            f"The name {name} belongs to account {namesake.address.account_id} at {namesake.address.origin}.",
            hint="Take another name, or remove that account first.",
        )
    if known is None:
        facts = {"name": name, "origin": address.origin, "account_id": address.account_id, "added_at": now}
        key = tx.execute(insert(accounts).values(facts).returning(accounts.c.account_key)).scalar_one()
        return get_account(tx, key)
    if known.name != name:
        tx.execute(update(accounts).where(accounts.c.account_key == known.account_key).values(name=name))
    return get_account(tx, known.account_key)


def ensure_local_account(tx: Connection, now: datetime) -> Account:
    """Give the account of what was ingested from folders, creating it when first needed."""
    return find_account_by_address(tx, _LOCAL) or save_account(tx, LOCAL_ACCOUNT, _LOCAL, now)


def set_token(tx: Connection, account_key: int, sealed: bytes, hint: str, now: datetime) -> None:
    """Keep a sealed token in place of the one before."""
    facts: dict[str, Any] = {"token": sealed, "token_hint": hint, "token_set_at": now, "status": AccountStatus.NEW}
    facts |= {"last_error": "", "revision": accounts.c.revision + 1}
    tx.execute(update(accounts).where(accounts.c.account_key == account_key).values(facts))


def find_sealed_token(tx: Connection, account_key: int) -> bytes | None:
    """Find the sealed token of an account."""
    sealed = tx.execute(select(accounts.c.token).where(accounts.c.account_key == account_key)).scalar()
    return None if sealed is None else bytes(sealed)


def set_paused(tx: Connection, account_key: int, is_paused: bool) -> None:
    """Pause an account or let it go on."""
    facts = {"is_paused": is_paused, "revision": accounts.c.revision + 1}
    tx.execute(update(accounts).where(accounts.c.account_key == account_key).values(facts))


def save_connection(tx: Connection, account_key: int, status: AccountStatus, error: str, now: datetime) -> None:
    """Keep how the last attempt to reach an account went; what is new of it raises the revision."""
    is_other = (accounts.c.status != status) | (accounts.c.last_error != error)
    facts = {"status": status, "last_error": error, "last_checked_at": now}
    facts["revision"] = accounts.c.revision + case((is_other, 1), else_=0)
    tx.execute(update(accounts).where(accounts.c.account_key == account_key).values(facts))


def delete_account(tx: Connection, account_key: int) -> None:
    """Remove an account and everything kept of it."""
    lock_account(tx, account_key)
    for table in metadata.sorted_tables:
        if "account_key" in table.c:
            tx.execute(delete(table).where(table.c.account_key == account_key))


def get_account(tx: Connection, account_key: int) -> Account:
    """Give an account by its key.

    Raises:
        NotKnown: there is none.
    """
    row = tx.execute(select(*_COLUMNS, _has_token()).where(accounts.c.account_key == account_key)).first()
    if row is None:
        raise NotKnown("There is no such account.", hint="headwater account list shows them.")
    return _account(row)


def find_account(tx: Connection, name: str) -> Account | None:
    """Find an account by its name."""
    row = tx.execute(select(*_COLUMNS, _has_token()).where(accounts.c.name == clean_key(name))).first()
    return None if row is None else _account(row)


def find_account_by_address(tx: Connection, address: AccountAddress) -> Account | None:
    """Find an account by what dbt Cloud knows it by."""
    here = (accounts.c.origin == address.origin) & (accounts.c.account_id == address.account_id)
    row = tx.execute(select(*_COLUMNS, _has_token()).where(here)).first()
    return None if row is None else _account(row)


def find_accounts_by_id(tx: Connection, account_id: int) -> list[Account]:
    """Find the accounts that have an id, whatever their origin."""
    rows = tx.execute(select(*_COLUMNS, _has_token()).where(accounts.c.account_id == account_id))
    return [_account(row) for row in rows]


def settle_account(tx: Connection, address: AccountAddress) -> Account | None:
    """Find an account by its address; one of which only the id was known is there from now on."""
    unsettled = find_account_by_address(tx, AccountAddress(UNKNOWN_ORIGIN, address.account_id))
    known = find_account_by_address(tx, address)
    if known is not None or unsettled is None:
        return known
    here = accounts.c.account_key == unsettled.account_key
    tx.execute(update(accounts).where(here).values(origin=address.origin))
    return get_account(tx, unsettled.account_key)


def name_account(tx: Connection, account_id: int) -> str:
    """Give a free name for an account that nobody named."""
    names = {known.name for known in list_accounts(tx)}
    name = f"account-{account_id}"
    return name if name not in names else f"{name}-{len(names)}"


def lock_accounts(tx: Connection) -> None:
    """Let one transaction at a time add accounts; taken before the lock of any account."""
    lock_account(tx, 0)


def list_accounts(tx: Connection) -> list[Account]:
    """List the accounts by name."""
    return [_account(row) for row in tx.execute(select(*_COLUMNS, _has_token()).order_by(accounts.c.name))]


def list_account_summaries(tx: Connection, since: datetime, until: datetime) -> list[AccountSummary]:
    """List the accounts with their last run, and with the runs and failures that stand between two times."""
    window = (run_hours.c.hour >= since) & (run_hours.c.hour < until)
    counted = select(run_hours.c.account_key, run_hours.c.status, func.sum(run_hours.c.runs)).where(window)
    counts: dict[int, dict[str, int]] = {}
    for key, status, number in tx.execute(counted.group_by(run_hours.c.account_key, run_hours.c.status)):
        counts.setdefault(key, {})[status] = int(number)
    last = _list_last_runs(tx)
    return [
        AccountSummary(
            account=account,
            runs=sum(counts.get(account.account_key, {}).values()),
            failures=counts.get(account.account_key, {}).get(RunStatus.ERROR, 0),
            last_run=last.get(account.account_key),
        )
        for account in list_accounts(tx)
    ]


def count_account_runs(tx: Connection, account_key: int) -> int:
    """Count the runs of an account."""
    query = select(func.count()).select_from(runs).where(runs.c.account_key == account_key)
    return int(tx.execute(query).scalar_one())


def read_revisions(tx: Connection) -> dict[int, int]:
    """Read the revision of each account: it grows with every change of its runs and connection, and never goes back."""

    def read() -> dict[int, int]:
        return {row.account_key: row.revision for row in tx.execute(_REVISIONS)}

    return dict(read_once(tx, ("revisions",), read))


_REVISIONS = select(accounts.c.account_key, accounts.c.revision)


_RAISE_REVISION = (
    update(accounts)
    .where(accounts.c.account_key == bindparam("of_account"))
    .values(revision=accounts.c.revision + 1)
    .returning(accounts.c.revision)
)


def raise_revision(tx: Connection, account_key: int) -> int:
    """Count a change of an account's runs; the caller holds the account's lock."""
    revision: int | None = tx.execute(_RAISE_REVISION, {"of_account": account_key}).scalar()
    if revision is None:
        raise NotKnown("The account was removed in the meantime.")
    return revision


def _list_last_runs(tx: Connection) -> Mapping[int, RunMark]:
    others = runs.alias()
    newest = (
        select(others.c.run_id)
        .where(others.c.account_key == accounts.c.account_key)
        .order_by(others.c.placed_at.desc(), others.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = (
        runs.c.account_key,
        runs.c.run_id,
        runs.c.status,
        runs.c.placed_at,
        runs.c.started_at,
        runs.c.finished_at,
    )
    joined = accounts.join(runs, (runs.c.account_key == accounts.c.account_key) & (runs.c.run_id == newest))
    return {row.account_key: run_mark(row) for row in tx.execute(select(*columns).select_from(joined))}


def run_mark(row: Any) -> RunMark:
    """Read a run as a dot in a strip."""
    elapsed = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    return RunMark(run_id=row.run_id, status=RunStatus(row.status), placed_at=row.placed_at, elapsed=elapsed)


def _has_token() -> Any:
    return accounts.c.token.is_not(None).label("has_token")


def _account(row: Any) -> Account:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    address = AccountAddress(facts.pop("origin"), facts.pop("account_id"))
    status = AccountStatus(facts.pop("status"))
    return Account(address=address, status=status, **facts)
