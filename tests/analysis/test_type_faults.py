"""Messages of warehouses about values that a query could not work with: which names of the code they are about."""

from __future__ import annotations

import pytest

from headwater.analysis.failures import FailureKind, classify_failure
from headwater.analysis.type_faults import find_in_doubt

CODE = """select
    day, count(*) as sales, sum(b.paid) as paid, b.charge_kg / m.drum_kg as filled, quantity * price as amount
from b join m using (machine_id) group by day"""
DUCKDB = "Binder Error: No function matches the given name and argument types "


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("Conversion Error: Could not convert string '4 units' to INT32 from source column paid", {"paid"}),
        (f"{DUCKDB}'sum(VARCHAR)'. You might need to add explicit type casts.", {"sum", "b", "paid"}),
        (f"{DUCKDB}'/(DOUBLE, VARCHAR)'. You might need to add explicit type casts.", {"drum_kg"}),
        (f"{DUCKDB}'/(VARCHAR, DOUBLE)'. You might need to add explicit type casts.", {"charge_kg"}),
        (f"{DUCKDB}'/(VARCHAR, VARCHAR)'.", {"b", "m", "charge_kg", "drum_kg", "as", "filled"}),
        ("function sum(text) does not exist\n  LINE 2: sum(b.paid) as paid\nHINT:  No function matches",
         {"sum", "b", "paid"}),
        ("operator does not exist: text * integer\nLINE 3:  quantity * price as amount\n         ^",
         {"quantity", "price", "amount", "as"}),
        ("Invalid argument types for function '/': (NUMBER(38,0), VARCHAR(16777216))", {"drum_kg"}),
        ("No matching signature for operator / for argument types: STRING, INT64. Supported signature", {"charge_kg"}),
        ("No matching signature for aggregate function SUM for argument types: STRING.", {"sum", "b", "paid"}),
        ('[DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES] Cannot resolve "(quantity * price)" due to data type mismatch',
         {"quantity", "price"}),
        ("Unexpected parameters (varchar) for function sum. Expected: sum(bigint)", {"sum", "b", "paid"}),
        ("Cannot apply operator: varchar / integer", {"b", "m", "charge_kg", "drum_kg", "as", "filled"}),
        ("Operand data type varchar is invalid for sum operator.", {"sum", "b", "paid"}),
        ("Numeric value '4 units' is not recognized", set()),
    ],
)  # fmt: skip
def test_what_a_message_puts_in_doubt(message: str, names: set[str]) -> None:
    """A column that is named, else the operand that is text, else the items in which the function or sign stands."""
    assert classify_failure(message) is FailureKind.TYPE
    assert names <= find_in_doubt(message, CODE)
    assert find_in_doubt(message, CODE) <= names | {"as"}


@pytest.mark.parametrize(("message", "code"), [(None, CODE), ("", None), (f"{DUCKDB}'nosuch(VARCHAR)'.", CODE)])
def test_what_tells_nothing_puts_nothing_in_doubt(message: str | None, code: str | None) -> None:
    """No message, no code, or a function that is not in the code."""
    assert find_in_doubt(message, code) == frozenset()
