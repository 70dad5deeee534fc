"""Nodes, impact and catalogue over the simulated dbt Cloud: two projects of one account, production and CI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx
import pytest

from cloud import Cloud, running_cloud, watching
from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.observatory.catalog import CatalogFilter, list_catalog
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import get_impact
from headwater.observatory.nodes import get_node
from headwater.observatory.overrides import forget_override, set_override
from headwater.observatory.references import NodeQuestion
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import sync_accounts
from headwater.store.lineage import find_manifest_at, list_places
from headwater.store.manifests import list_nodes

ORDERS = "model.storefront.fct_orders"


@dataclass(frozen=True)
class World:
    """What was synced, and the clock it was synced by."""

    cloud: Cloud
    observatory: Observatory


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    with running_cloud(days=3) as cloud, watching(cloud, tmp_path_factory.mktemp("lineage"), days=3) as observatory:
        sync_accounts(observatory)
        yield World(cloud, observatory)


def ask(ref: str, **narrowed) -> NodeQuestion:
    return NodeQuestion(ref=ref, **narrowed)


def stored_graph(observatory: Observatory, *projects: str) -> tuple[nx.DiGraph, set[str]]:
    """Give the production graph as whole nodes say it, and which of them are ephemeral; ids are unique here."""
    graph, ephemeral = nx.DiGraph(), set()
    with observatory.store.read() as tx:
        for place in list_places(tx):
            if place.is_production and place.project_name in projects:
                for node in list_nodes(tx, place.account_key, find_manifest_at(tx, place.scope)).nodes:
                    graph.add_node(node.unique_id)
                    graph.add_edges_from((parent, node.unique_id) for parent in node.parents)
                    if node.materialized == "ephemeral":
                        ephemeral.add(node.unique_id)
    return graph, ephemeral


def test_impact_crosses_projects_and_is_that_of_networkx(world) -> None:
    """From every source, model and seed of the storefront: the storefront's and finance's descendants, no other's."""
    graph, ephemeral = stored_graph(world.observatory, "Storefront", "Finance")
    asked = [node for node in graph if node.startswith(("source.storefront.shop", "seed.", "model.storefront.fct"))]
    assert len(asked) > 10
    for node in asked:
        report = get_impact(world.observatory, ask(node))
        expected = nx.descendants(graph, node)

        assert set(report.downstream) == expected - ephemeral
        assert set(report.ephemeral) == expected & ephemeral
        assert set(get_impact(world.observatory, ask(node), with_ephemeral=True).downstream) == expected
        assert sum(report.counts.values()) == len(report.downstream)
    reached = get_impact(world.observatory, ask(ORDERS))
    assert reached.projects == ("Storefront", "Finance")
    assert "exposure.finance.monthly_close" in {one.unique_id for one in reached.exposures}
    assert {"Pieter Bos", "Finance Analytics"} <= {one.name for one in reached.owners}


def test_production_answers_and_says_so(world) -> None:
    """Without an environment production is asked; staging has only what pull requests parsed, and must be named."""
    node = get_node(world.observatory, ask("fct_orders"))
    staging = get_node(world.observatory, ask("fct_orders", project="Storefront", environment="Staging"))

    assert (node.environment_name, node.place.is_production) == ("Production", True)
    assert node.place.sentence == "Production of Storefront answers: it is production, and no environment was named."
    assert node.other_environments == ("Staging of Storefront",)
    assert (staging.environment_name, staging.place.is_production) == ("Staging", False)
    assert staging.relation.split(".")[1].startswith("dbt_cloud_pr_")
    assert node.relation == "fernhill.marts.fct_orders"
    staged = get_impact(world.observatory, ask(ORDERS, environment="Staging"))
    assert staged.projects == ("Storefront",)


@pytest.mark.parametrize(
    "ref",
    [ORDERS, "fct_orders", "marts.fct_orders", "fernhill.marts.fct_orders", '"FERNHILL"."MARTS"."FCT_ORDERS"',
     "`fernhill`.`marts`.`fct_orders`", "[fernhill].[marts].[fct_orders]",
     "duckdb://warehouse/fernhill/marts/fct_orders", "fernhill..fct_orders", "marts.fct_orders__dbt_tmp"],
)  # fmt: skip
def test_a_node_is_known_by_id_name_and_table(world, ref) -> None:
    """A unique_id, a name, and the table's name in any dress mean the same node, as for `headwater match`."""
    assert get_node(world.observatory, ask(ref)).unique_id == ORDERS


def test_what_a_person_said_of_a_table_is_believed_everywhere(world) -> None:
    """An override answers for a table's name wherever a node is asked for, says so, and is gone when forgotten."""
    set_override(world.observatory, "legacy.orders", ORDERS)
    node = get_node(world.observatory, ask('"LEGACY".orders'))
    forget_override(world.observatory, "legacy.orders")

    assert node.unique_id == ORDERS
    assert node.place.sentence.endswith("no environment was named. You said so.")
    with pytest.raises(NotKnown, match="There is no node"):
        get_node(world.observatory, ask("legacy.orders"))


def test_near_misses_are_named_and_never_taken(world) -> None:
    """A table's name with a letter wrong means no node; the hint says which are near."""
    with pytest.raises(NotKnown, match="There is no node") as missed:
        get_node(world.observatory, ask("fernhill.marts.fct_order"))

    assert missed.value.hint is not None
    assert missed.value.hint.startswith("Near it: model.storefront.fct_orders")


def test_what_finance_imports_is_the_storefronts(world) -> None:
    """Asked of finance, the storefront's model answers from the storefront, with finance's children among its own."""
    node = get_node(world.observatory, ask("fct_orders", project="Finance"))

    assert (node.project_name, node.unique_id) == ("Storefront", ORDERS)
    assert node.place.sentence == "Production of Storefront answers: it owns what Production of Finance imports."
    assert {"model.finance.stg_orders", "model.storefront.fct_revenue"} <= {one.unique_id for one in node.children}
    child = get_node(world.observatory, ask("model.finance.stg_orders"))
    assert [(one.unique_id, one.project_name) for one in child.parents] == [(ORDERS, "Storefront")]
    assert child.upstream > 10


def test_ephemeral_models_are_passed_through_unless_asked_for(world) -> None:
    """A table's parents are tables; with ephemeral models, they stand between."""
    graph, ephemeral = stored_graph(world.observatory, "Storefront")
    pairs = [(through, child) for through in sorted(ephemeral) for child in graph.successors(through)]
    assert pairs
    for through, child in pairs:
        tables = get_node(world.observatory, ask(child))
        everything = get_node(world.observatory, ask(child), with_ephemeral=True)

        assert {one.unique_id for one in everything.parents} == set(graph.predecessors(child))
        assert {one.materialized for one in everything.parents} >= {"ephemeral"}
        assert "ephemeral" not in {one.materialized for one in tables.parents}
        assert set(graph.predecessors(through)) <= {one.unique_id for one in tables.parents}
        assert through in tables.ephemeral


def test_tests_stand_by_what_they_test(world) -> None:
    """Attached tests with their last result; a test of another model that only reads this one is not among them."""
    node = get_node(world.observatory, ask(ORDERS))
    names = {test.unique_id for test in node.tests}
    reading = [name for name in names if name.startswith("test.storefront.relationships_fct_payments")]

    assert len(names) == 9
    assert reading == []
    assert all(test.status is not None and test.run_id is not None for test in node.tests)


def test_executions_jobs_and_columns(world) -> None:
    """The last executions newest first, the jobs that ran it, and columns as declared and as in the warehouse."""
    node = get_node(world.observatory, ask(ORDERS))

    assert {job.job_name for job in node.jobs} >= {"Nightly build", "Hourly models"}
    times = [one.happened_at for one in node.executions]
    assert times == sorted(times, reverse=True)
    assert {column.name for column in node.columns} >= {"order_id", "order_amount"}
    source = get_node(world.observatory, ask("source.storefront.shop.orders"))
    assert source.executions
    assert source.executions[0].status in {"pass", "warn", "error", "runtime error"}


def test_names_that_mean_several_nodes_are_listed(world) -> None:
    """Two versions of one model are two nodes; each is known by its name with the version."""
    with pytest.raises(Ambiguous) as several:
        get_node(world.observatory, ask("dim_customers"))

    assert [candidate.split()[0] for candidate in several.value.candidates] == [
        "model.storefront.dim_customers.v1",
        "model.storefront.dim_customers.v2",
    ]
    assert get_node(world.observatory, ask("dim_customers.v2")).unique_id == "model.storefront.dim_customers.v2"


def test_what_is_not_known_is_said(world) -> None:
    """No such name, project, environment, account, time or run: an error that names what there is."""
    questions = {
        "There is no node": ask("no_such_model"),
        "No lineage is known of a project": ask(ORDERS, project="Nope"),
        "No lineage is known of an environment": ask(ORDERS, environment="Nope"),
        "There is no account": ask(ORDERS, account="nope"),
        "There is no run": ask(ORDERS, run_id=1),
    }
    for words, question in questions.items():
        with pytest.raises(NotKnown, match=words):
            get_node(world.observatory, question)
    with pytest.raises(NotKnown, match="No manifest is known of that time"):
        get_node(world.observatory, ask(ORDERS, at=world.cloud.now.replace(year=2020)))
    with pytest.raises(WrongUse, match="No node is named"):
        get_node(world.observatory, ask("  "))
    with pytest.raises(WrongUse, match="Both a run and a time"):
        get_node(world.observatory, ask(ORDERS, run_id=1, at=world.cloud.now))


def test_a_run_answers_with_its_own_manifest(world) -> None:
    """In a pull request's run the model stands in the pull request's schema; a run's project is where it looks."""
    runs = list_runs(world.observatory, RunFilter(account="first", trigger="ci", status="success"), limit=None).runs
    asked = ask(ORDERS, account="first", run_id=runs[0].run_id)
    node = get_node(world.observatory, asked)

    assert node.environment_name == "Staging"
    assert node.relation.split(".")[1].startswith("dbt_cloud_pr_")
    with pytest.raises(NotKnown):
        get_node(world.observatory, ask("model.finance.stg_orders", run_id=runs[0].run_id))


def test_a_run_says_what_changed_since_the_last_good_one(world) -> None:
    """Each finished run has a sentence; what is compared is an earlier success of the same job, or the run named."""
    runs = list_runs(
        world.observatory, RunFilter(account="first", job="Hourly models", status="success"), limit=None
    ).runs
    newest, oldest = runs[0], runs[-1]
    report = get_run(world.observatory, "first", newest.run_id).changes
    against = get_run(world.observatory, "first", newest.run_id, oldest.run_id).changes
    missing = get_run(world.observatory, "first", newest.run_id, 1).changes

    assert report.sentence
    assert against.against_run_id == oldest.run_id
    assert (missing.against_run_id, missing.sentence) == (
        None,
        "Run 1 is not stored: there is nothing to compare with.",
    )
    first = get_run(world.observatory, "first", oldest.run_id).changes
    assert first.against_run_id is None
    assert "No earlier good run" in first.sentence


def test_the_catalogue_filters_by_everything_it_shows(world) -> None:
    """Each filter keeps what it says and nothing else; what finance imports is listed once, where it is owned."""
    everything = list_catalog(world.observatory, limit=None)
    page = list_catalog(world.observatory, limit=7, offset=7)

    def listed(**asked):
        return list_catalog(world.observatory, CatalogFilter(**asked), limit=None).nodes

    assert page.nodes == everything.nodes[7:14]
    assert page.total == everything.total == len(everything.nodes)
    assert [node.unique_id for node in everything.nodes].count(ORDERS) == 1
    assert {node.account for node in everything.nodes} == {"first", "second"}
    assert {node.account for node in listed(account="second")} == {"second"}
    assert {node.resource_type for node in listed(resource_type="model, seed")} == {"model", "seed"}
    assert {node.materialized for node in listed(materialized="incremental")} == {"incremental"}
    assert all("hourly" in node.tags for node in listed(tag="Hourly"))
    assert {"fct_orders"} <= {node.name for node in listed(tag="hourly")}
    assert {name for node in listed(owner="pieter") for name in node.owners} == {"Pieter Bos"}
    assert ORDERS in {node.unique_id for node in listed(text="MARTS.FCT_ORD")}
    assert {node.project_name for node in listed(project="finance")} == {"Finance"}
    assert {node.environment_name for node in listed(environment="Staging")} == {"Staging"}
    assert listed(text="no such thing") == ()
    assert sum(everything.resource_types.values()) == everything.total
