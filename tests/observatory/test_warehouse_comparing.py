"""A warehouse added, read, compared, and forgotten: a real DuckDB file and a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import psycopg
import pytest
from dbt_places import NOW, make_table, open_places, save_place

from duckdb_files import held
from headwater.errors import NotKnown, WarehouseBusy, WarehouseError, WrongUse
from headwater.model.node import ArtifactMetadata, Catalog, CatalogColumn, CatalogTable, Column, Relation
from headwater.observatory.accounts import remove_account
from headwater.observatory.comparisons import compare_catalogs, compare_warehouse
from headwater.observatory.holder import Observatory
from headwater.observatory.matching import match_table
from headwater.observatory.warehouses import add_warehouse, list_warehouses, refresh_warehouse, remove_warehouse
from headwater.store.catalog import save_catalog
from headwater.warehouse.reading import WAITS

ID, AMOUNT = Column(name="id", data_type="int"), Column(name="amount", data_type="text")
NODES = (
    make_table("model.shop.orders", '"shop"."main"."orders"', (ID, AMOUNT)),
    make_table("model.shop.gone", '"shop"."main"."gone"'),
    make_table("source.shop.raw.lake", '"lake"."main"."lake"'),
)


@pytest.fixture
def slept() -> list[float]:
    """What was slept between tries."""
    return []


@pytest.fixture
def observatory(tmp_path: Path, store_url: str, slept: list[float]) -> Iterator[Observatory]:
    """An observatory with a project on DuckDB, on each database."""
    with open_places(tmp_path, store_url, slept) as opened:
        save_place(opened, NODES)
        yield opened


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A DuckDB file with a table of dbt's and one of nobody's."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, amount DOUBLE, extra DATE)")
        connection.execute("INSERT INTO orders VALUES (1, 2, NULL)")
        connection.execute("CREATE TABLE legacy (id INTEGER)")
    return path


def test_a_duckdb_file_is_read_and_compared(observatory: Observatory, shop: Path) -> None:
    """Tables nobody owns, nodes without a table and columns that differ are those that were made so."""
    added = add_warehouse(observatory, "duck", account="acme", url=f"duckdb:///{shop}", allow_private=True)
    report = refresh_warehouse(observatory, "duck")

    assert (added.kind, added.tables, added.read_at) == ("duckdb", 2, NOW)
    assert [(row.schema, row.table) for row in report.unowned] == [("main", "legacy")]
    assert [row.unique_id for row in report.missing] == ["model.shop.gone"]
    assert [(row.column, row.difference, row.declared, row.found) for row in report.differing] == [
        ("amount", "type", "text", "DOUBLE"),
        ("extra", "undeclared", None, "DATE"),
    ]
    assert (report.owned, report.elsewhere) == (1, 1)
    assert report.sentence == (
        "duck holds 2 tables: 1 of dbt, 1 of nobody. Nodes without a table: 1. Columns that differ: 2. "
        "Nodes in databases that it does not cover: 1. Answered from shop in Production (production)."
    )


def test_a_table_of_nobody_is_told_to_be_in_the_warehouse(observatory: Observatory, shop: Path) -> None:
    """`match` of a table that no node owns says which warehouse holds it, with its rows."""
    add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)

    found = match_table(observatory, "SHOP.main.Legacy")
    known = match_table(observatory, "orders")

    assert found.matches == ()
    assert "It is a table of duck." in found.sentence
    assert [(seen.warehouse, seen.relation, seen.row_count) for seen in found.warehouses] == [
        ("duck", "shop.main.legacy", 0)
    ]
    assert [(seen.relation, seen.row_count) for seen in known.warehouses] == [("shop.main.orders", 1)]


def test_a_busy_file_is_retried_and_what_was_read_stays(
    observatory: Observatory, shop: Path, slept: list[float]
) -> None:
    """While another process holds the file, reading ends with busy after every try; nothing that was read is lost."""
    add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)
    with held(shop):
        with pytest.raises(WarehouseBusy, match="It was tried 6 times"):
            refresh_warehouse(observatory, "duck")
        (summary,) = list_warehouses(observatory).warehouses

    assert tuple(slept) == WAITS
    assert (summary.tables, summary.read_at) == (2, NOW)
    assert "is busy: another process writes to it" in summary.sentence
    assert refresh_warehouse(observatory, "duck").tables == 2
    assert list_warehouses(observatory).warehouses[0].sentence == "Read."


def test_a_busy_file_can_be_added(observatory: Observatory, shop: Path) -> None:
    """A file that is held is added and told to be busy; it is compared once it was read."""
    with held(shop):
        summary = add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)

    assert "is busy" in summary.sentence
    with pytest.raises(NotKnown, match="has not been read yet"):
        compare_warehouse(observatory, "duck")
    assert refresh_warehouse(observatory, "duck").tables == 2


def test_a_reading_replaces_the_one_before(observatory: Observatory, shop: Path) -> None:
    """A table that is gone is gone; a file that is gone loses nothing that was read."""
    add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)
    with duckdb.connect(str(shop)) as connection:
        connection.execute("DROP TABLE legacy")

    assert refresh_warehouse(observatory, "duck").unowned == ()
    shop.unlink()
    with pytest.raises(WarehouseError, match="cannot be read"):
        refresh_warehouse(observatory, "duck")
    assert compare_warehouse(observatory, "duck").tables == 1


def test_a_postgres_server_is_read_and_compared(observatory: Observatory, postgres_server) -> None:
    """The same on PostgreSQL, whose nodes are those of projects on postgres only."""
    with postgres_server.database(template=None) as url:
        database = url.rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute('CREATE TABLE orders (id int, "Amount" numeric)')
        node = make_table("model.pg.orders", f'"{database}"."public"."orders"', (ID, AMOUNT))
        save_place(observatory, (node,), project=(5, "pg"), environment=(6, "Production"), adapter="postgres")

        add_warehouse(observatory, "pg", account="acme", url=url, allow_private=True)
        report = refresh_warehouse(observatory, "pg")

    assert [(row.unique_id, row.column, row.declared, row.found) for row in report.differing] == [
        ("model.pg.orders", "amount", "text", "numeric")
    ]
    assert (report.tables, report.owned, report.missing) == (1, 1, ())


def test_the_password_is_sealed_and_never_shown(observatory: Observatory, postgres_server, tmp_path: Path) -> None:
    """No file of the data folder, no row and no report holds the password; the reading uses it."""
    with postgres_server.database(template=None) as url:
        secret = url.replace("headwater@", "headwater:pw-7319-secret@")
        add_warehouse(observatory, "pg", account="acme", url=secret, allow_private=True)
        report = refresh_warehouse(observatory, "pg")
    listed = list_warehouses(observatory)
    with observatory.store.read() as tx:
        rows = tx.exec_driver_sql("SELECT * FROM warehouses").all()

    assert report.tables == 0
    assert ":***@" in listed.warehouses[0].url
    assert "pw-7319-secret" not in f"{listed!r}{report!r}{[tuple(map(bytes_or, row)) for row in rows]}"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"pw-7319-secret" in path.read_bytes()] == []


def bytes_or(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def test_what_cannot_be_added_is_told(observatory: Observatory, shop: Path) -> None:
    """Another account, a name that is taken or none, an address of nothing: nothing is saved."""
    add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)

    for name, account, url, error in (
        ("x", "nobody", str(shop), NotKnown),
        ("duck", "acme", str(shop), WrongUse),
        ("", "acme", str(shop), WrongUse),
        ("a/b", "acme", str(shop), WrongUse),
        ("x" * 10_000, "acme", str(shop), WrongUse),
        ("x", "acme", "postgresql://u:pw@127.0.0.1:1/none", WarehouseError),
    ):
        with pytest.raises(error) as refused:
            add_warehouse(observatory, name, account=account, url=url, allow_private=True)
        assert len(str(refused.value)) < 600
    assert [row.warehouse for row in list_warehouses(observatory).warehouses] == ["duck"]


def test_what_is_removed_is_gone(observatory: Observatory, shop: Path) -> None:
    """A warehouse goes with its tables, by itself or with its account."""
    for name in ("duck", "goose"):
        add_warehouse(observatory, name, account="acme", url=str(shop), allow_private=True)
    remove_warehouse(observatory, "duck")
    remove_account(observatory, "acme")

    assert list_warehouses(observatory).warehouses == ()
    with observatory.store.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM warehouse_tables").scalar_one() == 0
    with pytest.raises(NotKnown, match="There is no warehouse"):
        remove_warehouse(observatory, "duck")


def test_the_failures_that_a_test_keeps_are_not_nobodys(observatory: Observatory, shop: Path) -> None:
    """A table that a test stores its failures in belongs to the test, and one that is not there is not missed."""
    audits = tuple(
        make_table(f"test.shop.{name}", f'"shop"."audit"."{name}"', relation=None) for name in ("kept", "passed")
    )
    save_place(observatory, (*NODES, *audits))
    with duckdb.connect(str(shop)) as connection:
        connection.execute("CREATE SCHEMA audit")
        connection.execute("CREATE TABLE audit.kept (id INTEGER)")
    add_warehouse(observatory, "duck", account="acme", url=str(shop), allow_private=True)

    report = compare_warehouse(observatory, "duck")
    found = match_table(observatory, "shop.audit.kept")

    assert [row.table for row in report.unowned] == ["legacy"]
    assert [row.unique_id for row in report.missing] == ["model.shop.gone"]
    assert [(row.unique_id, row.confidence) for row in found.matches] == [("test.shop.kept", 1.0)]


def test_dbt_catalogs_are_compared_without_a_warehouse(observatory: Observatory) -> None:
    """What `dbt docs generate` stored tells the nodes without a table and the columns that differ."""
    scope = save_place(observatory, NODES)
    columns = (CatalogColumn(name="ID", data_type="INTEGER", position=1),)
    table = CatalogTable(
        unique_id="model.shop.orders", relation=Relation("shop", "main", "orders"), kind="table", columns=columns
    )
    with pytest.raises(NotKnown, match="No catalog is stored"):
        compare_catalogs(observatory)
    with observatory.store.write() as tx:
        both = (table, replace(table, unique_id="source.shop.raw.lake", columns=()))
        save_catalog(tx, scope, Catalog(metadata=ArtifactMetadata(generated_at=NOW), tables=both), NOW)

    report = compare_catalogs(observatory)

    assert [row.unique_id for row in report.missing] == ["model.shop.gone"]
    assert [(row.column, row.difference) for row in report.differing] == [("amount", "missing")]
    assert report.read_at == NOW
