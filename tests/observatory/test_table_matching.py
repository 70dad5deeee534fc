"""The question `match`: which environment answers, what a person says instead, and that nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_places import make_table, open_places, save_place

from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.observatory.holder import Observatory
from headwater.observatory.matching import match_table
from headwater.observatory.overrides import forget_override, set_override

ORDERS = make_table("model.shop.orders", '"shop"."main"."orders"')
DEV_ORDERS = make_table("model.shop.orders", '"shop"."dev_ann"."orders"')
NEW = make_table("model.shop.new_one", '"shop"."dev_ann"."new_one"')


@pytest.fixture
def observatory(tmp_path: Path, store_url: str) -> Iterator[Observatory]:
    """An observatory with a production and a development environment of one project, on each database."""
    with open_places(tmp_path, store_url) as opened:
        save_place(opened, (ORDERS,))
        save_place(opened, (DEV_ORDERS, NEW), environment=(3, "Development"))
        yield opened


def test_production_answers_and_the_answer_says_so(observatory: Observatory) -> None:
    """Where no environment is named, only production's table matches; a development one is near, with its name."""
    found = match_table(observatory, "SHOP.MAIN.ORDERS")
    dev = match_table(observatory, "shop.dev_ann.orders")

    assert [(row.unique_id, row.confidence, row.environment) for row in found.matches] == [
        ("model.shop.orders", 1.0, "Production")
    ]
    assert found.environments[0].is_production
    assert found.sentence.endswith("Answered from shop in Production (production).")
    assert dev.matches == ()
    assert dev.near[0].environment == "Development"
    assert "But this is Development, which does not answer unless it is named." in dev.near[0].reason


def test_a_named_environment_answers_alone(observatory: Observatory) -> None:
    """--environment, by name in any case or by id, decides whose tables are asked."""
    for name in ("development", "3"):
        found = match_table(observatory, "orders", environment=name, project="shop", account="acme")

        assert [(row.relation, row.environment) for row in found.matches] == [
            ('"shop"."dev_ann"."orders"', "Development")
        ]
        assert [place.environment for place in found.environments] == ["Development"]


@pytest.mark.parametrize("narrowed", [{"account": "nobody"}, {"project": "nothing"}, {"environment": "nowhere"}])
def test_what_is_not_known_is_told_with_what_is(observatory: Observatory, narrowed: dict[str, str]) -> None:
    """A name that nothing has ends in a sentence with the names there are."""
    with pytest.raises(NotKnown, match=r"There is no .* (Known accounts: acme|There are: )"):
        match_table(observatory, "orders", **narrowed)


def test_one_name_in_two_projects_is_ambiguous_until_narrowed(observatory: Observatory) -> None:
    """Both are listed with half the confidence; with the project named one is left."""
    save_place(
        observatory,
        (make_table("model.eu.orders", '"eu"."main"."orders"'),),
        project=(9, "eu"),
        environment=(8, "Production"),
    )

    both = match_table(observatory, "main.orders")
    one = match_table(observatory, "main.orders", project="eu")

    assert both.is_ambiguous
    assert [(row.unique_id, row.confidence) for row in both.matches] == [
        ("model.eu.orders", 0.45),
        ("model.shop.orders", 0.45),
    ]
    assert "is ambiguous: 2 nodes fit alike" in both.sentence
    assert [(row.unique_id, row.confidence) for row in one.matches] == [("model.eu.orders", 0.9)]


def test_a_model_that_another_project_refers_to_is_one_node(observatory: Observatory) -> None:
    """A mesh reference repeats a model in the manifest of the other project; its own project answers, alone."""
    save_place(observatory, (ORDERS,), project=(9, "eu"), environment=(8, "Production"))

    found = match_table(observatory, "shop.main.orders")
    narrowed = match_table(observatory, "shop.main.orders", project="eu")
    near = match_table(observatory, "shop.main.order")

    assert [(row.unique_id, row.confidence, row.project) for row in found.matches] == [
        ("model.shop.orders", 1.0, "shop")
    ]
    assert [(row.unique_id, row.confidence, row.project) for row in narrowed.matches] == [
        ("model.shop.orders", 1.0, "eu")
    ]
    assert [(row.unique_id, row.project) for row in near.near] == [("model.shop.orders", "shop")]


def test_what_a_person_says_holds_until_it_is_forgotten(observatory: Observatory) -> None:
    """An override answers every way of writing the name, in its environment only, and is gone when forgotten."""
    before = match_table(observatory, "raw.legacy.orders")
    said = set_override(observatory, "raw.legacy.orders", "model.shop.orders")
    again = match_table(observatory, '"RAW"."Legacy".orders')
    dev = match_table(observatory, "raw.legacy.orders", environment="Development")
    after = forget_override(observatory, "`raw`.`legacy`.`orders`")

    assert before.matches == after.matches == dev.matches == ()
    assert [(row.unique_id, row.confidence, row.reason, row.is_override) for row in said.matches] == [
        ("model.shop.orders", 1.0, "You said so.", True)
    ]
    assert again.matches == said.matches
    with pytest.raises(NotKnown, match="Nothing was said"):
        forget_override(observatory, "raw.legacy.orders")


def test_an_override_survives_that_dbt_forgets_the_node(observatory: Observatory) -> None:
    """Where the node is gone from the newest manifest, the answer tells so instead of matching it."""
    set_override(observatory, "raw.legacy.orders", "model.shop.orders")
    save_place(observatory, (make_table("model.shop.other", '"shop"."main"."other"'),))

    found = match_table(observatory, "raw.legacy.orders")

    assert found.matches == ()
    assert "You said that it is model.shop.orders, which dbt does not know any more." in found.unknown


def test_only_what_is_known_can_be_said(observatory: Observatory) -> None:
    """An unknown node, one that several environments know, and a name that is none are refused."""
    save_place(observatory, (DEV_ORDERS,), project=(9, "eu"), environment=(8, "Production"))

    with pytest.raises(NotKnown, match=r"model\.shop\.nope"):
        set_override(observatory, "a.b.c", "model.shop.nope")
    with pytest.raises(Ambiguous) as several:
        set_override(observatory, "a.b.c", "model.shop.orders")
    assert several.value.candidates == ("acme: shop in Production", "acme: eu in Production")
    for name in ("", "...", "x" * 10_000, "💥" * 401):
        with pytest.raises(WrongUse, match="no table's name that can be kept"):
            set_override(observatory, name, "model.shop.orders", project="shop")


def test_without_a_manifest_the_answer_says_what_is_not_known(tmp_path: Path) -> None:
    """An empty store answers as well."""
    with open_places(tmp_path) as empty:
        found = match_table(empty, "orders")

    assert (found.matches, found.near) == ((), ())
    assert found.sentence == (
        "orders is not known. No node builds or declares this table. No project has been parsed yet."
    )


@pytest.mark.parametrize(
    "name", ["\ud800\x00\x1b[2J", "a" * 10_000, '"' * 99, "🐟.🐟.🐟", "", "x.y.z'; DROP TABLE nodes"]
)
def test_hostile_names_are_answered(observatory: Observatory, name: str) -> None:
    """Whatever is asked gets an answer that can be printed, and matches nothing."""
    found = match_table(observatory, name)

    assert found.matches == ()
    assert found.unknown
    assert found.sentence.isprintable()
    assert len(found.sentence) < 400
    found.table.encode()
