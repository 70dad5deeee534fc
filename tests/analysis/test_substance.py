"""Which changes can matter to a build or a test, and which are for people alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.substance import Compared, find_substance, list_aspects, merge_differences
from headwater.model.code import meaning_of, words_of
from headwater.model.node import Column, Constraint, Macro, Node

SQL = "select id, amount -- in cents\nfrom {{ ref('stg_orders') }} where state = 'Paid'"


def node(code: str | None = SQL, *, version: str = "", unique_id: str = "model.shop.orders", **facts: object) -> Node:
    """Make a model; its versions follow from what is given."""
    told = json.dumps([code, version, str(facts.get("config_json"))]).encode()
    usual = {"resource_type": "model", "name": "orders", "version": told, "code_version": told, "language": "sql"}
    return Node(**{**usual, **facts}, unique_id=unique_id, raw_code=code)  # type: ignore[arg-type]


UNIQUE = (Column(name="id", constraints=(Constraint(type="unique"),)),)
HARMLESS = {
    "a comment": node(SQL.replace("in cents", "in cents, not euros")),
    "a comment of dbt": node("{# who wrote this? #}\n" + SQL),
    "a block comment": node("/* old:\n select 1 */ " + SQL),
    "formatting": node("SELECT\n    id,\n    amount\nFROM {{ ref( 'stg_orders' ) }}\nWHERE state = 'Paid'"),
    "a description": node(description="Orders."),
    "the description of a column": node(columns=(Column(name="id", description="The key."),)),
    "a column that is only declared": node(columns=(Column(name="id"),)),
    "a constraint without a contract": node(columns=UNIQUE),
    "tags and meta": node(tags=("nightly",), config_json=json.dumps({"tags": ["nightly"], "meta": {"a": 1}})),
    "a group": node(group="finance", config_json=json.dumps({"group": "finance"})),
}
CONTRACT = json.dumps({"contract": {"enforced": True}})
HARMFUL = {
    "code": (node(SQL.replace("amount", "total")), {"code"}),
    "a text in quotes": (node(SQL.replace("Paid", "paid")), {"code"}),
    "two dashes in a text": (node(SQL.replace("Paid", "Paid -- twice")), {"code"}),
    "a configuration": (node(config_json=json.dumps({"materialized": "incremental"})), {"configuration"}),
    "a type": (node(columns=(Column(name="id", data_type="bigint"),)), {"columns"}),
    "a parent": (node(parents=("model.shop.b",)), {"edges"}),
}


@pytest.mark.parametrize("changed", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_for_people_is_no_change(changed: Node) -> None:
    """Dbt and the warehouse do the same as before."""
    assert list_aspects(node(), changed) == frozenset()


@pytest.mark.parametrize(("changed", "found"), HARMFUL.values(), ids=HARMFUL.keys())
def test_what_a_machine_reads_is_a_change(changed: Node, found: set[str]) -> None:
    """Each is told by what it is."""
    assert list_aspects(node(), changed) == found


def test_a_constraint_that_a_contract_enforces_is_a_change() -> None:
    """The table that dbt builds is another one."""
    old, new = (node(config_json=CONTRACT, columns=columns) for columns in ((Column(name="id"),), UNIQUE))
    assert list_aspects(old, new) == {"columns"}


def test_a_seed_is_what_its_file_is() -> None:
    """It has no code: another checksum is another seed."""
    old, new = (node(None, version=text, resource_type="seed") for text in ("one", "two"))

    assert list_aspects(old, new) == {"code"}


def test_python_is_read_as_python() -> None:
    """A comment there begins with another sign, and white space has a meaning."""
    code = "def model(dbt, session):\n    return dbt.ref('a')  # all of it\n"

    assert meaning_of(code, "python") == meaning_of(code.replace("all of it", "some"), "python")
    assert meaning_of(code, "python") != meaning_of(code.replace("'a'", "'b'"), "python")
    assert meaning_of("def (", "python") != meaning_of("def  (", "python")


def test_macros_are_compared_by_what_they_mean() -> None:
    """One whose comment changed is none; one stored before meanings were is compared by its code."""

    def macro(version: bytes, meaning: bytes) -> Macro:
        return Macro(unique_id="macro.shop.cents", package_name="shop", version=version, meaning=meaning)

    def difference(old: Macro, new: Macro) -> dict[str, frozenset[str]]:
        used = {"model.shop.orders": ("macro.shop.cents",)}
        compared = Compared(before=(old,), after=(new,), macros=(new,), used=used)
        return dict(find_substance(compared, frozenset({"model.shop.orders"}), "shop").macros)

    assert difference(macro(b"1", b"same"), macro(b"2", b"same")) == {}
    assert difference(macro(b"1", b""), macro(b"2", b"")) == {"model.shop.orders": frozenset({"macro.shop.cents"})}


def test_differences_of_several_spans_are_laid_together() -> None:
    """What a node lost in either counts, and the names that came and went are told."""

    def difference(old: str, new: str, unique_id: str):
        compared = Compared(before=(node(old, unique_id=unique_id),), after=(node(new, unique_id=unique_id),))
        return find_substance(compared, frozenset({unique_id}), "shop")

    merged = merge_differences([
        difference("select a, b", "select a", "model.shop.x"), difference("select c", "select C, d", "model.shop.y"),
    ])  # fmt: skip

    assert merged.aspects == {"model.shop.x": frozenset({"code"}), "model.shop.y": frozenset({"code"})}
    assert merged.lost == {"model.shop.x": frozenset({"b"}), "model.shop.y": frozenset()}
    assert merged.gained["model.shop.y"] == {"d"}


@given(st.text(), st.sampled_from(["sql", "python", "odd"]))
def test_any_text_has_a_meaning_and_its_own(code: str, language: str) -> None:
    """Nothing that somebody writes is too odd, and the same text always means the same."""
    assert meaning_of(code, language) == meaning_of(code, language)
    assert all(word == word.lower() for word in words_of(code))


@given(st.lists(st.sampled_from(["select", "a", ",", "'x -- y'", '"B"', "from", "t", "/", "-", "*", "{{ x }}"])))
def test_white_space_and_comments_between_words_mean_nothing(tokens: list[str]) -> None:
    """Joined by spaces, by line ends or by comments it is the same code."""
    plain = " ".join(tokens)

    assert meaning_of("\n\n".join(tokens)) == meaning_of(plain)
    assert meaning_of(" /* why? */ ".join(tokens)) == meaning_of(plain)
    assert meaning_of("{# so #}".join(f" {token} " for token in tokens)) == meaning_of(plain)
