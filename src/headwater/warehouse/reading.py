"""One reading of a warehouse, tried again while somebody else holds it."""

from __future__ import annotations

from collections.abc import Callable

from headwater.errors import WarehouseBusy
from headwater.model.secret import Secret
from headwater.model.warehouse import WarehouseTable
from headwater.warehouse.address import WarehouseKind
from headwater.warehouse.duckdb_reader import read_duckdb
from headwater.warehouse.postgres_reader import read_postgres

TIMEOUT = 60.0
"""Seconds after which a warehouse that does not answer is given up."""

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait between the tries while a warehouse is busy."""


def read_warehouse(
    kind: WarehouseKind,
    url: Secret,
    *,
    sleep: Callable[[float], None],
    waits: tuple[float, ...] = WAITS,
    timeout: float = TIMEOUT,
) -> tuple[WarehouseTable, ...]:
    """Read the tables of a warehouse with their columns.

    Raises:
        WarehouseBusy: it was busy at every try.
        WarehouseError: it cannot be reached or read.
    """
    read = read_duckdb if kind is WarehouseKind.DUCKDB else read_postgres
    for wait in waits:
        try:
            return read(url.reveal(), timeout=timeout)
        except WarehouseBusy:
            sleep(wait)
    try:
        return read(url.reveal(), timeout=timeout)
    except WarehouseBusy as busy:
        tries = f" It was tried {len(waits) + 1} times." if waits else ""
        raise WarehouseBusy(f"{busy.message}{tries}", hint=busy.hint) from None
