"""The faults that are not in the code: SQL that spoils the raw data, and a warehouse that somebody else holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class DataFault:
    """Statements that spoil the raw data, and those that repair it."""

    spoil: tuple[str, ...]
    repair: tuple[str, ...] = ()


DATA_FAULTS: Mapping[str, DataFault] = {
    "bad_data": DataFault(
        (
            """insert into raw_payments.payments by name
               select * replace ('duplicate' as method) from raw_payments.payments order by id desc limit 7""",
            "update raw_payments.payments set order_id = null where id between 1201 and 1203 and method <> 'duplicate'",
        ),
        (
            "delete from raw_payments.payments where method = 'duplicate'",
            """update raw_payments.payments as spoilt set order_id = orders.id from raw_shop.orders as orders
               where spoilt.order_id is null and orders.ordered_at = spoilt.created_at""",
        ),
    ),
    "test_warn": DataFault(
        (
            """update raw_payments.refunds set amount_cents = 2 * amount_cents
               where id = (select max(id) from raw_payments.refunds)""",
            "update raw_shop.orders set promo_code = 'SUMMER26' where id % 97 = 0",
            "update raw_support.tickets set csat_score = 10 where id % 41 = 0",
        ),
    ),
    "dropped_column": DataFault(
        ("alter table raw_shop.products rename column price_cents to price_minor_units",),
        ("alter table raw_shop.products rename column price_minor_units to price_cents",),
    ),
    "stale_source": DataFault(
        (
            "update raw_payments.payments set _loaded_at = _loaded_at - interval 20 hour",
            "update raw_payments.refunds set _loaded_at = _loaded_at - interval 20 hour",
            "update raw_marketing.web_sessions set _loaded_at = _loaded_at - interval 7 hour",
        ),
    ),
    "missing_source": DataFault(("alter table raw_support.tickets rename to tickets_2026_backup",)),
    "budget_gap": DataFault(("update raw_wholesale.accounts set credit_limit_cents = 0 where id in (3, 8)",)),
    "sensor_fault": DataFault(
        (
            "update raw_iot.readings set celsius = 999.9 where sensor = 'bean' and id % 211 = 0",
            "update raw_iot.batches set yield_kg = charge_kg * 1.02 where id % 90 = 0",
        ),
    ),
    "sensor_gap": DataFault(
        (
            "update raw_iot.readings set _loaded_at = _loaded_at - interval 9 hour",
            "update raw_iot.batches set _loaded_at = _loaded_at - interval 2 hour",
        ),
    ),
    "odd_alarms": DataFault(
        (
            "update raw_iot.alarms set severity = 'SEV1' where code = 'E31'",
            "update raw_erp.green_lots set moisture_pct = 13.4 where id = 30",
        )
    ),
}


def run_sql(warehouse: Path, statements: Sequence[str]) -> None:
    """Runs statements on the warehouse file."""
    with duckdb.connect(str(warehouse)) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def locked(warehouse: Path) -> Iterator[None]:
    """Holds the warehouse file open in another process, so that nobody else can write to it."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.stdin.close()
