"""What kind of failure messages of many adapters, git and dbt are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.failures import (
    FailureKind,
    classify_failure,
    find_missing_column,
    first_line,
    read_contract_breach,
)

MESSAGES = (
    (FailureKind.CREDENTIALS, "Database Error\n  250001 (08001): Incorrect username or password was specified."),
    (FailureKind.CREDENTIALS, 'FATAL:  password authentication failed for user "dbt"'),
    (FailureKind.PERMISSION, "Database Error in model orders\n  permission denied for schema raw"),
    (FailureKind.PERMISSION, "003001 (42501): SQL access control error: Insufficient privileges to operate on schema"),
    (FailureKind.PERMISSION, "Access Denied: Table shop:raw.orders: User does not have permission to query table"),
    (FailureKind.QUOTA, "Quota exceeded: Your project exceeded quota for concurrent queries"),
    (FailureKind.QUOTA, "Warehouse 'TRANSFORM' cannot be resumed because resource monitor 'M' has exceeded its quota."),
    (FailureKind.TIMEOUT, "000630 (57014): Statement reached its statement or warehouse timeout of 3,600 second(s)"),
    (FailureKind.TIMEOUT, "canceling statement due to statement timeout"),
    (FailureKind.LOCK, 'IO Error: Could not set lock on file "/data/shop.duckdb": Conflicting lock is held'),
    (FailureKind.LOCK, "deadlock detected\n  DETAIL: Process 12 waits for ShareLock"),
    (FailureKind.LOCK, "could not serialize access due to concurrent update"),
    (FailureKind.LOCK, "ConcurrentAppendException: Files were added to the root of the table by a concurrent update"),
    (FailureKind.OUT_OF_MEMORY, "Out of Memory Error: could not allocate block of size 256.0 KiB"),
    (FailureKind.OUT_OF_MEMORY, "java.lang.OutOfMemoryError: Java heap space"),
    (FailureKind.NETWORK, 'could not translate host name "db.internal" to address'),
    (FailureKind.NETWORK, "HTTPSConnectionPool(host='x'): Max retries exceeded with url: /session"),
    (FailureKind.CONTRACT, "This model has an enforced contract that failed."),
    (FailureKind.MISSING_COLUMN, 'Binder Error: Referenced column "price_cents" not found in FROM clause!'),
    (FailureKind.MISSING_COLUMN, "000904 (42000): SQL compilation error: error line 3\n  invalid identifier 'AMOUNT'"),
    (FailureKind.MISSING_COLUMN, "Unrecognized name: amount at [4:12]"),
    (FailureKind.MISSING_COLUMN, "column orders.amount does not exist"),
    (FailureKind.MISSING_RELATION, "Catalog Error: Table with name tickets does not exist!"),
    (FailureKind.MISSING_RELATION, "Not found: Table shop:raw.orders was not found in location EU"),
    (FailureKind.MISSING_RELATION, "[TABLE_OR_VIEW_NOT_FOUND] The table or view `raw`.`orders` cannot be found."),
    (FailureKind.DUPLICATE_KEY, "100090 (42P18): Duplicate row detected during DML action"),
    (FailureKind.DUPLICATE_KEY, "UPDATE/MERGE must match at most one source row for each target row"),
    (FailureKind.TYPE, "Conversion Error: Could not convert string 'n/a' to INT32"),
    (FailureKind.TYPE, "100038 (22018): Numeric value 'n/a' is not recognized"),
    (FailureKind.SYNTAX, 'Parser Error: syntax error at or near "form"'),
    (FailureKind.ENVIRONMENT_VARIABLE, "Parsing Error\n  Env var required but not provided: 'DBT_SCHEMA'"),
    (FailureKind.GIT, "fatal: could not read Username for 'https://git.example': terminal prompts disabled"),
    (FailureKind.PACKAGES, "Package dbt-labs/dbt_utilz was not found in the package index"),
    (FailureKind.PARSE, "Compilation Error\n  Model 'model.shop.a' depends on a node named 'b' which was not found"),
    (FailureKind.UNKNOWN, "Something nobody has seen before."),
    (FailureKind.UNKNOWN, ""),
)


@pytest.mark.parametrize(("kind", "message"), MESSAGES)
def test_messages_are_told_apart(kind: FailureKind, message: str) -> None:
    """A message as an adapter writes it is of the kind that a person would call it."""
    assert classify_failure(message) is kind


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("price_cents", 'Binder Error: Referenced column "price_cents" not found in FROM clause!'),
        ("amount", "error line 3 at position 5\n  invalid identifier 'ORDERS.AMOUNT'"),
        ("amount", "Unrecognized name: amount at [4:12]"),
        ("amount", "column orders.amount does not exist"),
        (None, "Out of Memory Error: column store is full"),
    ],
)
def test_the_missing_column_is_named(column: str | None, message: str) -> None:
    """The column is found without its table and its quotes, and only where one is missing."""
    assert find_missing_column(message) == column


def test_a_breach_names_its_columns() -> None:
    """Dbt prints a table of what differs; its rows become sentences."""
    message = (
        "This model has an enforced contract that failed.\n\n"
        "  | column_name | definition_type | contract_type | mismatch_reason    |\n"
        "  | ----------- | --------------- | ------------- | ------------------ |\n"
        "  | line_count  | VARCHAR         | BIGINT        | data type mismatch |\n"
        "  | gone        |                 | INTEGER       | missing in definition |\n"
    )

    assert read_contract_breach(message) == (
        "line_count: VARCHAR, promised BIGINT.", "gone: no column, promised INTEGER.",
    )  # fmt: skip


def test_the_first_line_is_behind_the_heading() -> None:
    """Dbt's heading names the node, which the reader knows already."""
    assert first_line("Runtime Error in model a (a.sql)\n  Binder Error: no\n  LINE 1") == "Binder Error: no"


@given(st.text())
def test_no_text_is_too_odd(message: str) -> None:
    """Whatever a warehouse writes is of some kind, and its line is one line."""
    assert classify_failure(message) in FailureKind
    assert len(first_line(message).splitlines()) <= 1
    assert find_missing_column(message) != ""
