"""Why a model failed, of a real dbt on DuckDB: variables, packages, columns, comments, and what was repaired."""

from __future__ import annotations

import subprocess
from typing import Any

import duckdb
import pytest
from dbt_house import DbtHouse

DBT = "name: four\nprofile: four\nmodels: {four: {+materialized: table}}\n"
PACKAGE = {"dbt_project.yml": "name: kit\n", "macros/kit.sql": "", "macros/more.sql": ""}


@pytest.fixture
def house(real: DbtHouse) -> DbtHouse:
    """The project of four models on a source, built well once."""
    write(real, "models/raw.yml", "sources: [{name: raw, schema: main, tables: [{name: orders}]}]")
    real.write(first="select id, state, {{ var('factor', 2) }} * amount as total from {{ source('raw', 'orders') }}")
    real.write(third="select id, total from {{ ref('second') }}")
    query(real, "create table orders as select 1 as id, 'paid' as state, 10 as amount")
    build(real, 0)
    return real


def write(house: DbtHouse, path: str, text: str) -> None:
    """Write a file of the project."""
    place = house.project / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def query(house: DbtHouse, sql: str) -> None:
    """Change the warehouse behind dbt's back."""
    with duckdb.connect(str(house.folder / "four.duckdb")) as connection:
        connection.execute(sql)


def build(house: DbtHouse, status: int, *words: str) -> None:
    """Let the real dbt build, and Headwater keep what it wrote."""
    said = house.program.run("dbt", "--", "build", *words)
    assert said.status == status, said.out + said.err


def why(house: DbtHouse, ref: str) -> Any:
    """Ask for the verdict."""
    return house.program.run("why", ref, "--json").json


def first_cause(house: DbtHouse, ref: str) -> tuple[str, str | None, str | None]:
    """Give the likeliest cause of a bad node: its kind, its node, and what it is about."""
    document = why(house, ref)
    assert document["causes"], document
    cause = document["causes"][0]
    return cause["kind"], cause["unique_id"], cause["about"]


def test_a_variable_that_was_given_otherwise(house: DbtHouse) -> None:
    """The value of `--vars` that breaks a model is named with what it was before; after it the model is well again."""
    build(house, 1, "--vars", "{factor: nonsense}")

    assert first_cause(house, "first") == ("variable_changed", None, "factor")
    assert "nonsense" in why(house, "third")["causes"][0]["evidence"][1]
    assert [step["name"] for step in why(house, "third")["path"]] == ["third", "second", "first", "factor"]

    build(house, 0)

    document = why(house, "third")
    assert (document["state"], document["causes"]) == ("healthy", [])
    assert "skipped" in document["past"]


def test_a_variable_of_the_project_shows_in_what_was_compiled(house: DbtHouse) -> None:
    """`dbt_project.yml` is in no artifact, but the compiled SQL is."""
    write(house, "dbt_project.yml", DBT + "vars: {factor: nonsense}\n")
    build(house, 1)

    assert first_cause(house, "second") == ("variable_changed", None, "factor")


def test_a_package_is_one_cause(house: DbtHouse) -> None:
    """Two macros of a package changed and one model uses both: the package is named, once."""
    for name, text in PACKAGE.items():
        write(house, f"../kit/{name}", text)
    write(house, "../kit/macros/kit.sql", "{% macro pick(x) %}{{ x }}{% endmacro %}")
    write(house, "../kit/macros/more.sql", "{% macro same(x) %}{{ x }}{% endmacro %}")
    write(house, "packages.yml", "packages: [{local: ../kit}]\n")
    subprocess.run(["dbt", "deps", "--quiet"], cwd=house.project, check=True, env=house.program.environment())
    house.write(third="select {{ kit.pick('id') }}, {{ kit.same('total') }} from {{ ref('second') }}")
    build(house, 0)
    for macro, file in (("pick", "kit"), ("same", "more")):
        write(house, f"../kit/macros/{file}.sql", f"{{% macro {macro}(x) %}}{{{{ x }}}}_gone{{% endmacro %}}")
    build(house, 1)

    document = why(house, "third")
    assert first_cause(house, "third") == ("package_changed", None, "kit")
    assert [cause["kind"] for cause in document["causes"]].count("package_changed") == 1
    assert "pick, same" in document["causes"][0]["evidence"][0]


def test_comments_are_not_blamed_for_a_column_that_the_source_lost(house: DbtHouse) -> None:
    """Every model was touched, none of them really; the column is the source's."""
    for name in ("first", "second", "third"):
        path = house.project / "models" / f"{name}.sql"
        path.write_text(f"-- nothing to see\n{path.read_text().replace('select', 'SELECT')}")
    query(house, "alter table orders rename column amount to cents")
    build(house, 1)

    assert first_cause(house, "first") == ("columns_changed", "source.four.raw.orders", None)
    assert first_cause(house, "third") == ("columns_changed", "source.four.raw.orders", None)


def test_the_change_that_lost_the_column_is_blamed_not_the_one_beside_it(house: DbtHouse) -> None:
    """Two models upstream changed; only one of them has to do with what is missing."""
    first = (house.project / "models" / "first.sql").read_text()
    house.write(first=first.replace("as total", "as sum_of_all"), second="select *, 1 as one from {{ ref('first') }}")
    build(house, 1)

    assert first_cause(house, "third") == ("upstream_code_changed", "model.four.first", None)


def test_a_model_that_is_new_is_blamed_itself(house: DbtHouse) -> None:
    """It has never been good, and was not there before."""
    house.write(fifth="select nothing from {{ ref('first') }}")
    build(house, 1)

    assert first_cause(house, "fifth") == ("code_changed", "model.four.fifth", None)
