"""A column is followed by the names in code: through aliases, queries in one text, stars, and models."""

from __future__ import annotations

import pytest

from headwater.analysis.column_tracing import list_items, trace_columns

CAFES, SALES = "source.shop.pos.cafes", "source.shop.pos.sales"
STAGED, STAGED_SALES, DAILY = "model.shop.stg_cafes", "model.shop.stg_sales", "model.shop.daily"
PARENTS = {DAILY: (STAGED, STAGED_SALES), STAGED: (CAFES,), STAGED_SALES: (SALES,)}
CODES = {
    STAGED: "select id as cafe_id, chairs as seats from {{ source('pos', 'cafes') }}",
    STAGED_SALES: "select id, cafe_id, {{ cents_to_euros('paid_cents') }} as amount from {{ source('pos', 'sales') }}",
    DAILY: "with sold as (select cafe_id, sum(amount) as total from {{ ref('stg_sales') }} group by 1)\n"
    "select sold.total / cafes.seats as per_seat from sold join {{ ref('stg_cafes') }} as cafes using (cafe_id)",
}


@pytest.mark.parametrize(
    ("code", "outputs"),
    [
        ("select a, b.c, d as e from t", ["a", "c", "e"]),
        ("select count(*) as n, * from t", ["n", None]),
        ("select amount::decimal(18, 2), price::int as whole from t", ["amount", "whole"]),
        ("with x as (select a as b from t) select b as c from x", ["b", "c"]),
        ("select extract(year from day) as year, (select max(d) from u) as newest from t", ["year", "d", "newest"]),
        ("select a -- , b\nfrom t union all select c from u", ["a", "c"]),
        ('select "Odd Name" as odd from t', ["odd"]),
        ("", []),
        ("select", []),
        ("select 1, 2 from t", []),
        ("select (((", []),
        ("delete )) , select a", ["a"]),
        (f"select {'(' * 60}a{')' * 60} as b, c from t", ["b", "c"]),
    ],
)
def test_items_of_select_lists(code: str, outputs: list[str | None]) -> None:
    """Each item has the name that it gives its readers, whatever the code around it is."""
    assert sorted(map(str, (item.output for item in list_items(code)))) == sorted(map(str, outputs))


@pytest.mark.parametrize(
    ("name", "source", "column"),
    [("seats", CAFES, "chairs"), ("total", SALES, "paid_cents"), ("sold_by", None, "")],
)
def test_a_name_is_followed_to_the_source(name: str, source: str | None, column: str) -> None:
    """Through an alias, through a query within the code and a macro; a name nobody gives comes from nowhere."""
    found = trace_columns(DAILY, [name], CODES, PARENTS)

    assert list(found) == ([source] if source else [])
    assert not source or column in found[source]


def test_the_source_of_the_most_names_is_likeliest() -> None:
    """Of what two names come from goes before what one comes from."""
    codes = CODES | {STAGED: "select id as cafe_id, chairs as seats, total from t"}

    assert list(trace_columns(DAILY, ["seats", "cafe_id", "amount"], codes, PARENTS)) == [CAFES, SALES]


def test_a_star_and_unknown_code_give_what_is_asked() -> None:
    """A model that selects a star, or whose code is not known, passes names on; circles end."""
    parents = PARENTS | {CAFES: (DAILY,)}

    for codes in (CODES | {STAGED: "select * from t"}, {DAILY: CODES[DAILY], STAGED_SALES: CODES[STAGED_SALES]}):
        assert trace_columns(DAILY, ["seats"], codes, parents) == {CAFES: {"seats"}}
