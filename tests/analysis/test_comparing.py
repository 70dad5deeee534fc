"""What a warehouse holds against what dbt says: types in many spellings, and tables by place."""

import pytest

from headwater.analysis.column_types import is_same_type
from headwater.analysis.comparing import DeclaredNode, Difference, compare_catalog, compare_tables
from headwater.analysis.table_nodes import TableNode
from headwater.model.node import CatalogColumn, CatalogTable, Column, Relation
from headwater.model.warehouse import WarehouseTable


@pytest.mark.parametrize(
    ("declared", "found", "adapter"),
    [
        ("int", "INTEGER", "duckdb"),
        ("bigint", "INT8", "postgres"),
        ("string", "character varying(256)", "postgres"),
        ("varchar", "TEXT", "snowflake"),
        ("numeric(18,2)", "DECIMAL(18, 2)", "duckdb"),
        ("decimal", "NUMBER(38,0)", "snowflake"),
        ("integer", "NUMBER(38,0)", "snowflake"),
        ("float", "FLOAT8", "snowflake"),
        ("int", "INT64", "bigquery"),
        ("timestamp", "timestamp without time zone", "postgres"),
        ("timestamptz", "timestamp(6) with time zone", "postgres"),
        ("bool", "BOOLEAN", "redshift"),
        ("double precision", "double", "databricks"),
        ("array<int>", "ARRAY<INT>", "databricks"),
        ("struct(a integer)", "STRUCT(a INTEGER)", "duckdb"),
        ("varchar[]", "VARCHAR[]", "duckdb"),
    ],
)
def test_one_type_in_two_spellings_is_the_same(declared: str, found: str, adapter: str) -> None:
    """A spelling is not a difference, in whichever order they are compared."""
    assert is_same_type(declared, found, adapter)
    assert is_same_type(found, declared, adapter)


@pytest.mark.parametrize(
    ("declared", "found", "adapter"),
    [
        ("int", "bigint", "postgres"),
        ("int", "text", "duckdb"),
        ("numeric(18,2)", "numeric(10,2)", "postgres"),
        ("varchar(10)", "varchar(20)", "postgres"),
        ("timestamp", "timestamp with time zone", "postgres"),
        ("date", "timestamp", "snowflake"),
        ("array<int>", "array<string>", "databricks"),
        ("((", "))", None),
    ],
)
def test_another_type_is_another_type(declared: str, found: str, adapter: str | None) -> None:
    """What holds other values differs."""
    assert not is_same_type(declared, found, adapter)


def table(name: str, *columns: tuple[str, str], schema: str = "main", database: str = "shop") -> WarehouseTable:
    found = tuple(CatalogColumn(name=one, data_type=kind, position=at) for at, (one, kind) in enumerate(columns, 1))
    return WarehouseTable(relation=Relation(database, schema, name), kind="table", columns=found)


def declared(name: str, *columns: tuple[str, str | None], relation: str = "", adapter: str = "duckdb") -> DeclaredNode:
    relation_name = relation or f'"shop"."main"."{name}"'
    parts = [part.strip('"`') for part in relation_name.split(".")]
    node = TableNode(
        unique_id=f"model.s.{name}", resource_type="model", name=name, adapter=adapter, relation_name=relation_name,
        relation=Relation(*parts),
    )  # fmt: skip
    return DeclaredNode(node=node, columns=tuple(Column(name=one, data_type=kind) for one, kind in columns))


def test_tables_and_nodes_are_told_apart() -> None:
    """A table nobody owns, a node without a table, one in a database that was not read, and dbt's own leftovers."""
    tables = [table("orders"), table("Legacy"), table("orders__dbt_tmp"), table("lonely__dbt_tmp")]
    nodes = [declared("orders"), declared("gone"), declared("far", relation='"lake"."main"."far"')]

    found = compare_tables(tables, nodes, "duckdb")

    assert [one.relation.identifier for one in found.unowned] == ["Legacy", "lonely__dbt_tmp"]
    assert [one.name for one in found.missing] == ["gone"]
    assert [one.name for one in found.elsewhere] == ["far"]
    assert found.owned == 1


def test_names_are_compared_as_the_warehouse_does() -> None:
    """PostgreSQL tells quoted names of other case apart, DuckDB does not."""
    for kind, missing in (("postgres", 1), ("duckdb", 0)):
        found = compare_tables([table("Orders")], [declared("orders", adapter=kind)], kind)

        assert (len(found.missing), len(found.unowned)) == (missing, missing)


def test_columns_that_differ() -> None:
    """A column that is gone, one of another type, and, where all are declared with types, one more."""
    held = [table("orders", ("ID", "INTEGER"), ("amount", "DOUBLE"), ("extra", "DATE"))]

    typed = compare_tables(held, [declared("orders", ("id", "int"), ("amount", "text"), ("note", "text"))], "duckdb")
    noted = compare_tables(held, [declared("orders", ("id", None), ("note", None))], "duckdb")

    assert [(one.column, one.difference, one.declared, one.found) for one in typed.differing] == [
        ("amount", Difference.TYPE, "text", "DOUBLE"),
        ("note", Difference.MISSING, "text", None),
        ("extra", Difference.UNDECLARED, None, "DATE"),
    ]
    assert [(one.column, one.difference) for one in noted.differing] == [("note", Difference.MISSING)]


def test_a_wildcard_source_owns_all_its_shards() -> None:
    """A source on `events_*` owns every table that it names."""
    shards = [table(f"events_2026010{day}", schema="ga", database="proj") for day in range(1, 4)]
    source = declared("events", relation="`proj`.`ga`.`events_*`", adapter="bigquery")

    found = compare_tables([*shards, table("other", schema="ga", database="proj")], [source], "bigquery")

    assert (found.owned, [one.relation.identifier for one in found.unowned], found.missing) == (3, ["other"], ())


def test_a_catalog_is_compared_by_unique_id() -> None:
    """What dbt's catalog does not hold is missing; what it holds is compared column by column."""
    held = CatalogTable(
        unique_id="model.s.orders", relation=Relation("shop", "main", "orders"), kind="table",
        columns=(CatalogColumn(name="id", data_type="VARCHAR", position=1),),
    )  # fmt: skip

    found = compare_catalog({"model.s.orders": held}, [declared("orders", ("id", "int")), declared("gone")])

    assert [one.name for one in found.missing] == ["gone"]
    assert [(one.column, one.difference) for one in found.differing] == [("id", Difference.TYPE)]
