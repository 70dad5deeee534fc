"""Searching the catalogue: by all that a node says of itself, with counts of what each choice would leave."""

import pytest
from sqlalchemy import event

from cloud import running_cloud, watching
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.syncing import sync_accounts


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Two accounts with two days of history."""
    with running_cloud(days=2) as cloud, watching(cloud, tmp_path_factory.mktemp("catalog")) as observatory:
        sync_accounts(observatory)
        yield cloud, observatory


@pytest.fixture
def search(watched):
    """Ask the catalogue, for all that fits."""
    return lambda **asked: list_catalog(watched[1], CatalogFilter(**asked), limit=None)


def test_columns_and_descriptions_are_searched(search):
    """A word of a column's name or of a description finds nodes whose own names do not have it."""
    by_column, by_description = search(text="price_cents"), search(text="sales refunds and fees")

    assert by_column.total
    assert all("price_cents" not in node.name for node in by_column.nodes)
    assert by_description.total


def test_all_words_are_wanted_in_any_order(search):
    """Two words find what has both, wherever; upper case does not matter."""
    both = {node.unique_id for node in search(text="ORDERS stg").nodes}

    assert both == {node.unique_id for node in search(text="stg orders").nodes}
    assert both == {n.unique_id for n in search(text="stg").nodes} & {n.unique_id for n in search(text="orders").nodes}
    assert both


def test_a_facet_counts_what_its_choice_would_leave(search):
    """Each count is what the filter gives once that value is chosen; a facet's own choice does not narrow it."""
    asked = {"text": "order", "resource_type": "model"}
    report = search(**asked)

    assert report.facets["resource_type"] == search(text="order").facets["resource_type"]
    for name in ("state", "account", "project", "tag", "materialized"):
        assert report.facets[name]
        for value, number in report.facets[name].items():
            assert search(**asked, **{name: value}).total == number, (name, value)


def test_a_state_is_as_in_the_lineage(search):
    """Filtering by a state gives the nodes that have it, and every node has one."""
    everything = search()

    assert sum(everything.facets["state"].values()) == everything.total
    assert {node.state for node in search(state="healthy").nodes} == {"healthy"}
    assert all(node.ran_at is not None for node in search(state="healthy", resource_type="model").nodes)


def test_a_search_asks_the_database_next_to_nothing(watched, search):
    """While nothing new is stored a search takes few statements, however many nodes there are; news is seen."""
    cloud, observatory = watched
    search()
    statements: list[str] = []
    event.listen(observatory.store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for text in ("o", "or", "ord"):
        search(text=text)

    assert 0 < len(statements) <= 3 * 3
    before = search(text="stg_shop__orders", resource_type="model").nodes[0].ran_at
    cloud.advance(26 * 3600)
    sync_accounts(observatory)
    assert search(text="stg_shop__orders", resource_type="model").nodes[0].ran_at > before
