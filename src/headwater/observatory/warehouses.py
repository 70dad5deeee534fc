"""Warehouses: adding and reading them, and what they hold against what dbt says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.errors import NotKnown, WarehouseBusy, WarehouseError, WrongUse
from headwater.observatory.audit import COMMAND_LINE, note
from headwater.observatory.comparisons import ComparisonReport, compare_warehouse, find_stored
from headwater.observatory.holder import Observatory, get_account
from headwater.store import warehouses as stored
from headwater.store.accounts import LOCAL_ACCOUNT, ensure_local_account
from headwater.store.accounts import get_account as get_account_by_key
from headwater.store.secrets import WAREHOUSE, open_token, seal_token
from headwater.warehouse.address import WarehouseKind, read_warehouse_address
from headwater.warehouse.reading import WAITS, read_warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseSummary:
    """A warehouse and how its last reading went; `url` is without the password."""

    warehouse: str
    account: str
    kind: str
    url: str
    added_at: datetime
    read_at: datetime | None
    tables: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehousesReport:
    """The warehouses by name."""

    warehouses: tuple[WarehouseSummary, ...]
    as_of: datetime


def add_warehouse(
    observatory: Observatory, name: str, *, account: str, url: str, allow_private: bool
) -> WarehouseSummary:
    """Add a warehouse after reading it once; its address is sealed. A busy one is added, and read another time.

    Raises:
        WrongUse: the name is taken or none, or the address cannot be read.
        NotKnown: there is no such account.
        WarehouseError: it cannot be reached or read; nothing was saved.
    """
    if not name.strip() or len(name) > 80 or not name.isprintable() or "/" in name:
        raise WrongUse("A warehouse's name is up to 80 characters without a slash.")
    address = read_warehouse_address(url, allow_private=allow_private)
    now = observatory.store.now()
    with observatory.store.read() as tx:
        known = stored.find_warehouse(tx, name)
    if known is not None:
        raise WrongUse(f"There is a warehouse {name!r} already.", hint="Remove it first, or choose another name.")
    if account == LOCAL_ACCOUNT:
        with observatory.store.write() as tx:
            ensure_local_account(tx, now)
    owner = get_account(observatory, account)
    busy, tables = "", None
    try:
        tables = read_warehouse(address.kind, address.url, sleep=observatory.sleep, waits=())
    except WarehouseBusy as error:
        busy = error.message
    warehouse = stored.Warehouse(
        account_key=owner.account_key,
        name=name,
        kind=str(address.kind),
        shown_url=address.shown,
        url=seal_token(observatory.key, owner.address, address.url, _use(name)),
        added_at=now,
        last_error=busy,
    )
    with observatory.store.write() as tx:
        stored.save_warehouse(tx, warehouse)
        if tables is not None:
            stored.save_reading(tx, warehouse, tables, now)
        note(observatory, tx, COMMAND_LINE, "warehouse added", name, now=now, detail=address.shown)
    return get_warehouse(observatory, name)


def list_warehouses(observatory: Observatory) -> WarehousesReport:
    """List the warehouses with how their last reading went."""
    with observatory.store.read() as tx:
        summaries = tuple(
            WarehouseSummary(
                warehouse=row.name,
                account=get_account_by_key(tx, row.account_key).name,
                kind=row.kind,
                url=row.shown_url,
                added_at=row.added_at,
                read_at=row.read_at,
                tables=stored.count_warehouse_tables(tx, row),
                sentence=row.last_error or ("Read." if row.read_at is not None else "Not read yet."),
            )
            for row in stored.list_warehouses(tx)
        )
    return WarehousesReport(warehouses=summaries, as_of=observatory.store.now())


def get_warehouse(observatory: Observatory, name: str) -> WarehouseSummary:
    """Get one warehouse as a row; raises NotKnown."""
    for summary in list_warehouses(observatory).warehouses:
        if summary.warehouse == name:
            return summary
    raise NotKnown(f"There is no warehouse {name[:80]!r}.", hint="headwater warehouse list shows them.")


def remove_warehouse(observatory: Observatory, name: str) -> None:
    """Forget a warehouse and what was read of it; raises NotKnown."""
    warehouse = find_stored(observatory, name)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.delete_warehouse(tx, warehouse)
        note(observatory, tx, COMMAND_LINE, "warehouse removed", name, now=now)


def refresh_warehouse(observatory: Observatory, name: str, *, waits: tuple[float, ...] = WAITS) -> ComparisonReport:
    """Read a warehouse, keep what was found in place of what was found before, and compare it with dbt.

    Raises:
        NotKnown: there is no such warehouse.
        WarehouseBusy: somebody held it at every try; what was read before stays.
        WarehouseError: it cannot be reached or read; what was read before stays.
        SecretUnavailable: its address does not open with this key.
    """
    warehouse = find_stored(observatory, name)
    with observatory.store.read() as tx:
        owner = get_account_by_key(tx, warehouse.account_key)
    url = open_token(observatory.key, owner.address, warehouse.url, _use(name))
    try:
        tables = read_warehouse(WarehouseKind(warehouse.kind), url, sleep=observatory.sleep, waits=waits)
    except WarehouseError as error:
        with observatory.store.write() as tx:
            stored.save_reading_failed(tx, warehouse, error.message)
        raise
    with observatory.store.write() as tx:
        stored.save_reading(tx, warehouse, tables, observatory.store.now())
    return compare_warehouse(observatory, name)


def _use(name: str) -> str:
    return f"{WAREHOUSE}{name}:"
