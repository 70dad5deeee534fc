"""Reading real warehouses: a DuckDB file, also while another process holds it, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from duckdb_files import held
from headwater.errors import WarehouseBusy, WarehouseError, WrongUse
from headwater.model.node import Relation
from headwater.model.secret import Secret
from headwater.model.warehouse import WarehouseTable
from headwater.warehouse.address import WarehouseKind, read_warehouse_address
from headwater.warehouse.reading import WAITS, read_warehouse
from postgres import PostgresServer


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A DuckDB file with a table, a view, a schema of its own and a name that needs quotes."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, amount DECIMAL(18, 2), placed_at TIMESTAMP)")
        connection.execute("INSERT INTO orders SELECT i, i, NULL FROM range(7) t(i)")
        connection.execute("CREATE VIEW big_orders AS SELECT id, amount FROM orders")
        connection.execute('CREATE SCHEMA "od.d"')
        connection.execute('CREATE TABLE "od.d"."🐟 ""x""" (a VARCHAR)')
    return path


def read_duckdb_file(path: Path, sleep=lambda _seconds: None, **options) -> tuple[WarehouseTable, ...]:
    return read_warehouse(WarehouseKind.DUCKDB, Secret(str(path)), sleep=sleep, **options)


def test_a_duckdb_file_gives_tables_columns_and_rows(shop: Path) -> None:
    """Tables and views come with their columns in order, and tables with their number of rows."""
    tables = read_duckdb_file(shop)

    assert [(table.relation, table.kind, table.row_count) for table in tables] == [
        (Relation("shop", "main", "big_orders"), "view", None),
        (Relation("shop", "main", "orders"), "table", 7),
        (Relation("shop", "od.d", '🐟 "x"'), "table", 0),
    ]
    assert [(column.name, column.data_type) for column in tables[1].columns] == [
        ("id", "INTEGER"),
        ("amount", "DECIMAL(18,2)"),
        ("placed_at", "TIMESTAMP"),
    ]
    assert [column.name for column in tables[0].columns] == ["id", "amount"]


def test_reading_changes_nothing_of_the_file(shop: Path) -> None:
    """The file has the same bytes after a reading, and no other file lies beside it."""
    before = shop.read_bytes()

    read_duckdb_file(shop)

    assert shop.read_bytes() == before
    assert list(shop.parent.iterdir()) == [shop]


def test_a_held_duckdb_file_is_busy_after_every_try(shop: Path) -> None:
    """While another process writes, each try waits longer than the one before; then the sentence says busy."""
    slept: list[float] = []
    with (
        held(shop),
        pytest.raises(WarehouseBusy, match=r"is busy: another process writes to it\. It was tried 6 times"),
    ):
        read_duckdb_file(shop, slept.append)

    assert tuple(slept) == WAITS
    assert slept == sorted(slept)


def test_a_held_duckdb_file_is_read_once_it_is_free(shop: Path) -> None:
    """A try after the other process has ended reads the file."""
    with held(shop) as process:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                process.communicate()

        tables = read_duckdb_file(shop, sleep)

    assert len(slept) == 2
    assert len(tables) == 3


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 20_000])
def test_another_file_is_no_duckdb_file(tmp_path: Path, content: bytes) -> None:
    """What is not DuckDB's is refused in a sentence, at the first try."""
    path = tmp_path / "x.duckdb"
    path.write_bytes(content)
    slept: list[float] = []
    with pytest.raises(WarehouseError, match="cannot be read"):
        read_duckdb_file(path, slept.append)
    assert slept == []


def test_a_view_cannot_reach_other_files(tmp_path: Path) -> None:
    """A view in the file that reads another file gives its columns at most; nothing is fetched for it."""
    path, secret = tmp_path / "v.duckdb", tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW v AS SELECT * FROM read_csv('{secret}')")
    secret.unlink()

    (view,) = read_duckdb_file(path)

    assert (view.relation.identifier, view.kind, view.row_count) == ("v", "view", None)


@pytest.fixture
def warehouse_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database with tables, a view, a materialized view, a partitioned table and odd names."""
    with postgres_server.database(template=None) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in (
                "CREATE SCHEMA shop",
                "CREATE TABLE shop.orders (id bigint, amount numeric(18, 2), at timestamp with time zone)",
                "INSERT INTO shop.orders SELECT i, i, now() FROM generate_series(1, 7) i",
                "CREATE VIEW shop.big AS SELECT id FROM shop.orders",
                "CREATE MATERIALIZED VIEW shop.kept AS SELECT id FROM shop.orders",
                "CREATE TABLE shop.days (day date) PARTITION BY RANGE (day)",
                "CREATE TABLE shop.days_1 PARTITION OF shop.days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
                'CREATE TABLE public."Od.d ""x"" 🐟" (a text)',
                "CREATE TABLE shop.no_columns ()",
                "ANALYZE",
            ):
                connection.execute(statement)
        yield url


def test_a_postgres_server_gives_tables_columns_and_rows(warehouse_url: str) -> None:
    """Tables, views and materialized views come with types as PostgreSQL formats them; partitions are one table."""
    address = read_warehouse_address(warehouse_url, allow_private=True)

    tables = read_warehouse(address.kind, address.url, sleep=lambda _seconds: None)

    found = {table.relation.identifier: (table.relation.schema, table.kind, table.row_count) for table in tables}
    assert found == {
        'Od.d "x" 🐟': ("public", "table", 0),
        "big": ("shop", "view", None),
        "days": ("shop", "table", None),
        "kept": ("shop", "materialized view", 7),
        "no_columns": ("shop", "table", 0),
        "orders": ("shop", "table", 7),
    }
    (orders,) = [table for table in tables if table.relation.identifier == "orders"]
    assert [(column.name, column.data_type, column.position) for column in orders.columns] == [
        ("id", "bigint", 1),
        ("amount", "numeric(18,2)", 2),
        ("at", "timestamp with time zone", 3),
    ]
    assert orders.relation.database == warehouse_url.rpartition("/")[2]


def test_a_postgres_server_that_refuses_is_told_without_the_password(postgres_server: PostgresServer) -> None:
    """An unknown database and a port that nobody listens on end in a sentence; the password is not in it."""
    for place in (f"127.0.0.1:{postgres_server.port}/nowhere", "127.0.0.1:1/db"):
        address = read_warehouse_address(f"postgresql://headwater:s3cret-pw@{place}", allow_private=True)
        with pytest.raises(WarehouseError, match="refuses us or is away") as refused:
            read_warehouse(address.kind, address.url, sleep=lambda _seconds: None)

        assert "s3cret" not in f"{refused.value!r} {refused.value} {refused.value.__cause__!r}"


def test_an_address_is_read_as_it_is_written(shop: Path) -> None:
    """DuckDB files may be a path or a duckdb: address; a password is hidden in what is shown."""
    forms = [str(shop), f"duckdb:{shop}", f"duckdb://{shop}", f"duckdb:///{shop}"]
    read = [read_warehouse_address(form, allow_private=True) for form in forms]
    server = read_warehouse_address("postgres://me:pw-1234@db.example.com/shop?sslmode=require", allow_private=False)

    assert {(one.kind, one.url.reveal()) for one in read} == {(WarehouseKind.DUCKDB, str(shop.resolve()))}
    assert server.shown == "postgresql://me:***@db.example.com/shop?sslmode=require"
    assert server.has_password
    assert "pw-1234" not in repr(server)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "mysql://root@db.example.com/shop",
        "snowflake://u:s3cret@acct/db",
        "postgresql://s3cret",
        "postgresql:///s3cret",
        "postgresql://u:s3cret@db.example.com:port/x",
        "postgresql://u:s3cret@db.example.com/x?passfile=/etc/passwd",
        "postgresql://u:s3cret@db.example.com/x?host=/tmp",
        "duckdb:///nowhere/there-is-nothing.duckdb",
        "s3cret\nnewline.duckdb",
        "🐟",
        "x" * 10_000,
    ],
)
def test_a_wrong_address_is_refused_without_repeating_a_secret(text: str) -> None:
    """Each wrong address ends in a sentence that holds nothing secret of it."""
    with pytest.raises(WrongUse) as refused:
        read_warehouse_address(text, allow_private=True)

    assert "s3cret" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "text", ["postgresql://u@127.0.0.1/x", "postgresql://u@[::1]/x", "postgresql://u@db/x", "a.duckdb"]
)
def test_private_places_are_for_the_command_line(text: str) -> None:
    """A file, a loopback or private address may be given on the command line only."""
    with pytest.raises(WrongUse, match="only be added from the command line"):
        read_warehouse_address(text, allow_private=False)
