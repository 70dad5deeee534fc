"""How old the data of each row of the catalogue are: as on its own page, with few questions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from cloud import running_cloud, watching
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.nodes import get_node
from headwater.observatory.references import NodeQuestion
from headwater.observatory.syncing import sync_accounts


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Two accounts with days of jobs that run hourly, nightly and weekly, and fail now and then."""
    with running_cloud(days=4) as cloud, watching(cloud, tmp_path_factory.mktemp("ages"), days=4) as observatory:
        sync_accounts(observatory)
        yield cloud, observatory


def own_pages(observatory, nodes, at=None):
    """Give what the page of each node says of its data."""
    found = []
    for node in nodes:
        question = NodeQuestion(
            ref=node.unique_id, account=node.account, project=str(node.project_id),
            environment=str(node.environment_id), at=at,
        )  # fmt: skip
        told = get_node(observatory, question).data_as_of
        found.append((node.unique_id, told.at if told is not None else None))
    return found


def test_each_row_says_what_the_page_of_its_node_says(watched):
    """For every node of both accounts, now and as it was: the same age, whatever is built, loaded or only described."""
    cloud, observatory = watched
    for at in (None, cloud.now - timedelta(hours=31)):
        nodes = [
            node
            for node in list_catalog(observatory, CatalogFilter(at=at), limit=None).nodes
            if node.resource_type not in {"test", "unit_test"}
        ]
        told = [(node.unique_id, node.data_as_of) for node in nodes]

        assert told == own_pages(observatory, nodes, at)
        assert len({age for _, age in told}) > 4
        assert {node.resource_type for node in nodes if node.data_as_of} >= {"model", "source", "seed", "exposure"}


def test_a_test_has_no_data(watched):
    """What only looks at data holds none."""
    nodes = list_catalog(watched[1], CatalogFilter(resource_type="test"), limit=None).nodes

    assert nodes
    assert {node.data_as_of for node in nodes} == {None}


def test_a_page_takes_few_queries_however_many_rows_it_has(watched):
    """After news ten times as many rows take less than twice as many queries; what is known is not asked again."""
    cloud, observatory = watched
    told: list[str] = []
    event.listen(observatory.store.engine, "before_cursor_execute", lambda *given: told.append(given[2]))
    counts = []
    for limit in (10, 100):
        cloud.advance(3_600)
        sync_accounts(observatory)
        for _ in range(2):
            told.clear()
            report = list_catalog(observatory, CatalogFilter(resource_type="model"), limit=limit)
            counts.append(sum("happened_at" in statement for statement in told))
        assert len(report.nodes) > limit * 0.6

    few, again, many, once_more = counts
    assert (again, once_more) == (0, 0)
    assert 0 < few <= many < 2 * few
