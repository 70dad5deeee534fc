"""What changed between two manifests."""

from __future__ import annotations

from dataclasses import fields

from msgspec.structs import replace

from headwater.analysis.changes import Changes, NodeChange, compare, compare_nodes, find_users
from headwater.model.node import Column, Macro, Node, Relation

ORDERS = Node(
    unique_id="model.shop.orders",
    resource_type="model",
    name="orders",
    version=b"1",
    code_version=b"c1",
    relation=Relation("db", "main", "orders"),
    materialized="table",
    raw_code="select 1",
    columns=(Column(name="id", data_type="int"), Column(name="amount")),
    parents=("source.shop.raw", "model.shop.a"),
)
DAYS = Macro(unique_id="macro.shop.days", package_name="shop", version=b"m1")


def test_nodes_and_macros_come_go_and_change() -> None:
    """Everything is told once, by unique_id, nodes apart from macros."""
    new = Node(unique_id="test.shop.t", resource_type="test", name="t")
    before = [ORDERS, DAYS, Macro(unique_id="macro.shop.old", package_name="shop", version=b"o")]
    after = [
        new,
        replace(DAYS, version=b"m2"),
        replace(ORDERS, raw_code="select 2"),
        Macro(unique_id="macro.shop.new", package_name="shop", version=b"n"),
    ]

    assert compare(before, after) == Changes(
        added=("test.shop.t",),
        removed=(),
        changed=(NodeChange(unique_id="model.shop.orders", resource_type="model", aspects=("code",)),),
        macros_added=("macro.shop.new",),
        macros_removed=("macro.shop.old",),
        macros_changed=("macro.shop.days",),
    )
    assert compare(after, before).removed == ("test.shop.t",)


def test_each_aspect_is_told_apart() -> None:
    """Code, configuration, columns, edges and description: each alone is told as itself."""
    cases = {
        "code": {"raw_code": "select 2", "code_version": b"c2"},
        "configuration": {"config_json": '{"materialized":"view"}', "materialized": "view", "code_version": b"c2"},
        "columns": {"columns": (Column(name="id", data_type="text"), Column(name="tax"))},
        "edges": {"parents": ("model.shop.a", "model.shop.b"), "code_version": b"c2"},
        "description": {"description": "What was ordered."},
    }
    for aspect, facts in cases.items():
        change = compare_nodes(ORDERS, replace(ORDERS, version=b"2", **facts))

        assert change is not None
        assert change.aspects == (aspect,)
    columns = compare_nodes(ORDERS, replace(ORDERS, **cases["columns"]))
    edges = compare_nodes(ORDERS, replace(ORDERS, **cases["edges"]))
    assert columns is not None
    assert (columns.columns_added, columns.columns_removed, columns.columns_changed) == (("tax",), ("amount",), ("id",))
    assert edges is not None
    assert (edges.parents_added, edges.parents_removed) == (("model.shop.b",), ("source.shop.raw",))


def test_a_definition_that_is_no_code_counts_as_code() -> None:
    """A metric's definition is in its code version alone."""
    metric = Node(unique_id="metric.shop.m", resource_type="metric", name="m", code_version=b"1")
    change = compare_nodes(metric, replace(metric, code_version=b"2"))

    assert change is not None
    assert change.aspects == ("code",)


def test_the_same_is_no_change_in_whatever_order_it_stands() -> None:
    """Equal nodes, and nothing at all, compare to nothing; parents in another order are the same parents."""
    assert compare_nodes(ORDERS, ORDERS) is None
    assert compare_nodes(ORDERS, replace(ORDERS, parents=ORDERS.parents[::-1])) is None
    assert not compare([ORDERS, DAYS], [DAYS, ORDERS])
    assert not compare([], [])
    assert all(getattr(compare([], []), field.name) == () for field in fields(Changes))


def test_who_uses_a_macro_is_followed_through_other_macros() -> None:
    """A macro that calls the changed one carries the change to its own users; macros in a circle end."""
    macros = [
        Macro(unique_id="m.a", package_name="shop", version=b"", macros=("m.b",)),
        Macro(unique_id="m.b", package_name="shop", version=b"", macros=("m.c", "m.a")),
        Macro(unique_id="m.c", package_name="shop", version=b""),
    ]
    nodes = {"model.x": ("m.a",), "model.y": ("m.c",), "model.z": ()}

    assert find_users(macros, nodes, ["m.c", "m.b", "m.gone"]) == {
        "m.c": ("model.x", "model.y"),
        "m.b": ("model.x",),
        "m.gone": (),
    }
