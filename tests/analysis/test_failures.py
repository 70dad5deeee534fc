"""What kind of failure messages of many adapters, git and dbt are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.failures import (
    FailureKind,
    classify_failure,
    find_missing_column,
    find_variable,
    first_line,
    read_contract_breach,
)

MESSAGES = (
    (FailureKind.CREDENTIALS, "Database Error\n  250001 (08001): Incorrect username or password was specified."),
    (FailureKind.CREDENTIALS, 'FATAL:  password authentication failed for user "dbt"'),
    (FailureKind.PERMISSION, "Database Error in model orders\n  permission denied for schema raw"),
    (FailureKind.PERMISSION, "003001 (42501): SQL access control error: Insufficient privileges to operate on schema"),
    (FailureKind.PERMISSION, "Access Denied: Table shop:raw.orders: User does not have permission to query table"),
    (
        FailureKind.PERMISSION,
        'Cannot execute statement of type "CREATE" on database "fernhill" attached in read-only mode!',
    ),
    (FailureKind.PERMISSION, "Database Error\n  cannot execute CREATE TABLE in a read-only transaction"),
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
    # Snowflake
    (FailureKind.CREDENTIALS, "250001 (08001): None: Failed to connect to DB: x. JWT token is invalid."),
    (FailureKind.CREDENTIALS, "390114 (08001): Authentication token has expired. The user must authenticate again."),
    (
        FailureKind.QUOTA,
        "000606 (57P03): No active warehouse: Warehouse 'X' cannot be resumed because resource monitor",
    ),
    (FailureKind.LOCK, "000625 (57014): Statement '01a' has locked table 'ORDERS' in transaction 1 and this lock has"),
    (FailureKind.LOCK, "Statement '01b' aborted because the number of waiters for this lock exceeds the 20 statements"),
    (
        FailureKind.OUT_OF_MEMORY,
        "300005 (57014): Processing aborted: Function available memory exhausted: out of memory",
    ),
    (
        FailureKind.MISSING_RELATION,
        "002003 (42S02): SQL compilation error:\nObject 'RAW.ORDERS' does not exist or not authorized.",
    ),
    (
        FailureKind.NETWORK,
        "250003: Failed to execute request: Connection aborted., RemoteDisconnected('Remote end closed",
    ),
    # BigQuery
    (
        FailureKind.CREDENTIALS,
        "google.auth.exceptions.RefreshError: ('invalid_grant: Bad Request', {'error': 'invalid_grant'})",
    ),
    (
        FailureKind.PERMISSION,
        "403 Access Denied: BigQuery BigQuery: Permission denied while getting Drive credentials.",
    ),
    (FailureKind.QUOTA, "Quota exceeded: Your table exceeded quota for imports or query appends per table"),
    (FailureKind.QUOTA, "Exceeded rate limits: too many table update operations for this table"),
    (FailureKind.LOCK, "Transaction is aborted due to concurrent update against table shop.orders"),
    (
        FailureKind.OUT_OF_MEMORY,
        "Resources exceeded during query execution: The query could not be executed in the allotted memory.",
    ),
    (FailureKind.TIMEOUT, "Operation did not complete within the designated timeout: query timed out"),
    (FailureKind.TYPE, "No matching signature for operator = for argument types: INT64, STRING"),
    # Databricks and Spark
    (FailureKind.CREDENTIALS, "Error during request to server: : Invalid access token."),
    (FailureKind.PERMISSION, "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA"),
    (FailureKind.LOCK, "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added by a concurrent update."),
    (
        FailureKind.LOCK,
        "io.delta.exceptions.MetadataChangedException: The metadata has been changed by a concurrent update.",
    ),
    (FailureKind.OUT_OF_MEMORY, "Job aborted due to stage failure: ExecutorLostFailure (executor 3 exited)"),
    (FailureKind.MISSING_COLUMN, "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `amount` cannot be resolved."),
    (FailureKind.TYPE, "[CAST_INVALID_INPUT] The value 'n/a' of the type STRING cannot be cast to INT"),
    (
        FailureKind.DUPLICATE_KEY,
        "Cannot perform Merge as multiple source rows matched and attempted to modify the same",
    ),
    # Redshift
    (FailureKind.LOCK, "1023 DETAIL: Serializable isolation violation on table - 123, transactions forming the cycle"),
    (FailureKind.QUOTA, "FATAL: connection limit exceeded: too many connections for database"),
    (FailureKind.TIMEOUT, "Query (123) cancelled on user's request"),
    (FailureKind.QUOTA, "DISK FULL: No space left on device"),
    # PostgreSQL
    (FailureKind.LOCK, "tuple concurrently updated"),
    (FailureKind.LOCK, 'relation "fct_orders__dbt_tmp" already exists'),
    (FailureKind.CREDENTIALS, 'FATAL:  no pg_hba.conf entry for host "10.0.0.8", user "dbt", database "shop"'),
    (FailureKind.NETWORK, "server closed the connection unexpectedly\n\tThis probably means the server terminated"),
    (FailureKind.QUOTA, "FATAL:  remaining connection slots are reserved for non-replication superuser connections"),
    (FailureKind.TYPE, 'invalid input syntax for type integer: "n/a"'),
    (FailureKind.MISSING_RELATION, 'relation "raw.orders" does not exist'),
    # DuckDB
    (FailureKind.LOCK, 'TransactionContext Error: Catalog write-write conflict on create with "fct_orders"'),
    (FailureKind.TYPE, "Invalid Input Error: Failed to cast value: Could not convert string 'x' to DOUBLE"),
    (FailureKind.NETWORK, "IO Error: Could not connect to server for HTTP HEAD"),
    # Trino
    (FailureKind.OUT_OF_MEMORY, "TrinoQueryError(type=INSUFFICIENT_RESOURCES, name=EXCEEDED_LOCAL_MEMORY_LIMIT)"),
    (FailureKind.MISSING_COLUMN, "line 4:12: Column 'amount' cannot be resolved"),
    (FailureKind.MISSING_RELATION, "line 2:6: Table 'hive.raw.orders' does not exist"),
    (FailureKind.QUOTA, "TrinoQueryError(type=INSUFFICIENT_RESOURCES, name=QUERY_QUEUE_FULL, message='Too many queued"),
    # SQL Server and Fabric
    (FailureKind.CREDENTIALS, "[28000] [Microsoft][ODBC Driver 18 for SQL Server]Login failed for user 'dbt'. (18456)"),
    (FailureKind.PERMISSION, "The SELECT permission was denied on the object 'orders', database 'shop', schema 'raw'."),
    (FailureKind.LOCK, "Transaction (Process ID 61) was deadlocked on lock resources with another process"),
    (FailureKind.LOCK, "Lock request time out period exceeded. (1222)"),
    (FailureKind.LOCK, "Snapshot isolation transaction aborted due to update conflict."),
    (FailureKind.NETWORK, "[08S01] [Microsoft][ODBC Driver 18 for SQL Server]TCP Provider: Error code 0x2746 (10054)"),
    (FailureKind.MISSING_COLUMN, "[42S22] Invalid column name 'amount'. (207)"),
    (FailureKind.MISSING_RELATION, "[42S02] Invalid object name 'raw.orders'. (208)"),
    (FailureKind.TYPE, "Conversion failed when converting the varchar value 'n/a' to data type int."),
    # before dbt
    (
        FailureKind.VARIABLE,
        "Compilation Error\n  Required var 'since' not found in config:\n  Vars supplied to orders = {}",
    ),
    (FailureKind.GIT, "fatal: Remote branch release-7 not found in upstream origin"),
    (FailureKind.GIT, "Host key verification failed.\nfatal: Could not read from remote repository."),
    (
        FailureKind.PACKAGES,
        "Runtime Error\n  dbt found 3 package(s) specified in packages.yml, but only 2 package(s) installed",
    ),
    (FailureKind.UNKNOWN, "Something nobody has seen before."),
    (FailureKind.UNKNOWN, ""),
)


@pytest.mark.parametrize(("kind", "message"), MESSAGES)
def test_messages_are_told_apart(kind: FailureKind, message: str) -> None:
    """A message as an adapter writes it is of the kind that a person would call it."""
    assert classify_failure(message) is kind


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("since", "Required var 'since' not found in config:"),
        ("DBT_SCHEMA", "Parsing Error\n  Env var required but not provided: 'DBT_SCHEMA'"),
        (None, "Something else"),
        (None, None),
    ],
)
def test_the_required_variable_is_named(name: str | None, message: str | None) -> None:
    """Variables of dbt and the environment's alike."""
    assert find_variable(message) == name


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
