"""Lineage in the store: which manifest held when, nodes from columns alone, and the history of one node."""

from __future__ import annotations

from dataclasses import replace

from things import (
    T0,
    at,
    make_execution,
    make_invocation,
    make_manifest,
    make_node,
    make_results,
    make_run,
    make_sources,
    new_scope,
)

from headwater.model.account import Environment, Job, Project
from headwater.model.invocation import Freshness
from headwater.model.node import Relation
from headwater.model.run import Trigger, Way
from headwater.store.database import Store
from headwater.store.inventory import save_environments, save_jobs, save_projects
from headwater.store.invocations import save_invocation
from headwater.store.lineage import (
    find_manifest_at,
    list_differences,
    list_lineage,
    list_manifest_uses,
    list_places,
    list_version_history,
    read_nodes,
)
from headwater.store.manifests import list_nodes, save_manifest
from headwater.store.node_queries import list_last_results, list_node_results
from headwater.store.runs import save_run
from headwater.store.values import clean_key
from headwater.store.writing import Scope


def save(store: Store, scope: Scope, nodes, hours: float | None, run_id: int | None = None, **results) -> int:
    """Save a manifest of some nodes and, unless no time is given, an invocation that used it then."""
    with store.write() as tx:
        key = save_manifest(tx, scope, make_manifest(tuple(nodes), at(hours or 0)), None, T0)
        if hours is not None:
            name = f"inv-{scope.project_id}-{scope.environment_id}-{hours}-{run_id}"
            invocation = make_invocation(name, generated_at=at(hours))
            save_invocation(tx, scope, invocation, manifest_key=key, now=T0, run_id=run_id, **results)
    return key


def save_pull_request(store: Store, scope: Scope, run_id: int) -> None:
    trigger = Trigger(category="ci", pull_request_id=7, schema_override="dbt_cloud_pr_7")
    with store.write() as tx:
        save_run(tx, scope.account_key, make_run(run_id, trigger=trigger), Way.POLL, T0)


OLD = [make_node(number) for number in range(4)]
NEW = [make_node(0, "changed"), *OLD[1:3], make_node(9)]


def test_the_manifest_of_a_time_is_that_of_the_last_invocation_before_it(store: Store) -> None:
    """A change, its revert, stored in any order: each time has the manifest that held then; before all, none."""
    scope = new_scope(store)
    new = save(store, scope, NEW, 5)
    old = save(store, scope, OLD, 1)
    assert save(store, scope, OLD, 9) == old
    with store.read() as tx:
        held = [find_manifest_at(tx, scope, at(hours)) for hours in (0.5, 1, 4.9, 5, 8, 9, 99)]
        assert held == [None, old, old, new, new, old, old]
        assert find_manifest_at(tx, scope) == old
        assert find_manifest_at(tx, replace(scope, environment_id=77)) is None
        assert [(use.manifest_key, use.used_at) for use in list_manifest_uses(tx, scope)] == [
            (old, at(1)),
            (new, at(5)),
            (old, at(9)),
        ]


def test_a_pull_request_never_decides_what_is_deployed(store: Store) -> None:
    """A newer manifest of a pull request does not hold; where there are only such, the newest of them does."""
    scope = new_scope(store)
    alone = replace(scope, environment_id=3)
    save_pull_request(store, scope, 7)
    merged = save(store, scope, OLD, 1)
    proposed = save(store, scope, NEW, 5, run_id=7)
    proposed_alone = save(store, alone, NEW, 6, run_id=7)
    with store.read() as tx:
        assert merged != proposed
        assert find_manifest_at(tx, scope) == find_manifest_at(tx, scope, at(99)) == merged
        assert find_manifest_at(tx, alone) == proposed_alone
        assert [use.manifest_key for use in list_manifest_uses(tx, scope)] == [merged]
        assert list_manifest_uses(tx, alone) == []


def test_a_manifest_without_an_invocation_holds_from_its_own_time(store: Store) -> None:
    """A manifest that came alone is answered with, from when dbt wrote it."""
    scope = new_scope(store)
    key = save(store, scope, OLD, None)
    with store.read() as tx:
        assert find_manifest_at(tx, scope) == key
        assert find_manifest_at(tx, scope, at(-1)) is None


def test_lineage_rows_are_what_whole_nodes_say(store: Store) -> None:
    """Read from columns alone, over a chain of differences, a row says what the whole node says."""
    scope = new_scope(store)
    odd = make_node(
        5, unique_id="exposure.shop.it's \"☕\".v1.2", resource_type="exposure", name="it's", relation=None,
        tags=("a,b", "☕"), parents=("model.shop.m0", "model.shop.gone"), materialized=None,
    )  # fmt: skip
    bare = make_node(6, relation=Relation(None, "main", "m6"), parents=(), tags=())
    save(store, scope, OLD, 1)
    key = save(store, scope, [*NEW, odd, bare], 2)
    with store.read() as tx:
        rows = {row.unique_id: row for row in list_lineage(tx, scope.account_key, key)}
        whole = list_nodes(tx, scope.account_key, key)
        assert list_lineage(tx, scope.account_key, 99) == []
        found = read_nodes(tx, scope.account_key, [(row.node_key, row.version) for row in rows.values()])
        assert read_nodes(tx, scope.account_key, [(1, b"none such")]) == {}
    assert rows.keys() == {node.unique_id for node in whole.nodes}
    for node in whole.nodes:
        row = rows[node.unique_id]
        assert (row.name, row.resource_type, row.relation) == (node.name, node.resource_type, node.relation)
        assert (row.materialized, row.tags, row.parents) == (node.materialized, node.tags, node.parents)
        assert row.version == node.version
        assert found[row.node_key] == node


def test_a_name_of_ten_kilobytes_is_the_same_node_as_a_parent(store: Store) -> None:
    """Keys of the database are cut, with a hash; a parent that is named so long is cut alike, so the edge is there."""
    scope = new_scope(store)
    long = f"model.shop.{'x' * 10_000}"
    nodes = [make_node(0, unique_id=long, name="x"), make_node(1, parents=(long, "model.shop.m9"))]
    key = save(store, scope, nodes, 1)
    with store.read() as tx:
        rows = {row.name: row for row in list_lineage(tx, scope.account_key, key)}
    assert rows["x"].unique_id == clean_key(long)
    assert rows["m1"].parents == (clean_key(long), "model.shop.m9")


def test_the_history_of_a_node_follows_every_manifest(store: Store) -> None:
    """For each manifest the version the node had in it, None where it was not there, whatever the chain stores."""
    scope = new_scope(store)
    keys = [
        save(store, scope, nodes, hours)
        for hours, nodes in enumerate((OLD, NEW, OLD[1:], [make_node(0, "again"), *OLD[1:]]))
    ]
    with store.read() as tx:
        rows = {row.unique_id: row.node_key for row in list_lineage(tx, scope.account_key, keys[0])}
        history = list_version_history(tx, scope, rows["model.shop.m0"])
        before, after = list_differences(tx, scope.account_key, keys[0], keys[1])
        unchanged = list_differences(tx, scope.account_key, keys[0], keys[0])
    assert [history[key] for key in keys] == [
        OLD[0].version,
        NEW[0].version,
        None,
        make_node(0, "again").version,
    ]
    assert set(before.values()) == {OLD[0].version, OLD[3].version}
    assert set(after.values()) == {NEW[0].version, NEW[3].version}
    assert unchanged == ({}, {})


def test_places_have_the_names_that_are_known(store: Store) -> None:
    """A place of which only a manifest is known has ids and no names; others have project, environment and type."""
    scope = new_scope(store)
    save(store, scope, OLD, 1)
    save(store, replace(scope, project_id=8, environment_id=9), OLD, 3)
    with store.write() as tx:
        save_projects(tx, scope.account_key, [Project(project_id=1, name="Shop")])
        production = Environment(environment_id=2, project_id=1, name="Prod", deployment_type="production")
        save_environments(tx, scope.account_key, [production])
    with store.read() as tx:
        places = {place.project_id: place for place in list_places(tx)}
        assert list_places(tx, (99,)) == []
    assert (places[1].project_name, places[1].environment_name, places[1].role) == ("Shop", "Prod", "production")
    assert (places[8].project_name, places[8].environment_name, places[8].role) == (None, None, "")
    assert (places[1].is_production, places[8].is_production, places[8].current_at) == (True, False, at(3))
    assert places[1].scope == scope


def test_results_of_a_node_come_newest_first_with_their_jobs(store: Store) -> None:
    """Executions with run and job, until a time; those of pull requests only if asked for; the last of each node."""
    scope = new_scope(store)
    save_pull_request(store, scope, 7)
    with store.write() as tx:
        save_run(tx, scope.account_key, make_run(1), Way.POLL, T0)
        save_jobs(tx, scope.account_key, [Job(job_id=3, project_id=1, environment_id=2, name="nightly")])
    for hours, run_id, status in ((1, 1, "success"), (2, None, "error"), (3, 7, "skipped")):
        result = make_execution(0, status, started_at=at(hours))
        save(store, scope, OLD, hours, run_id=run_id, run_results=make_results(result))
    with store.read() as tx:
        node_key = next(row.node_key for row in list_lineage(tx, scope.account_key, 1) if row.name == "m0")
        results = list_node_results(tx, scope.account_key, node_key)
        everything = list_node_results(tx, scope.account_key, node_key, with_proposed=True)
        early = list_node_results(tx, scope.account_key, node_key, until=at(1))
        last = list_last_results(tx, scope.account_key, [node_key, 99])
        last_early = list_last_results(tx, scope.account_key, [node_key], until=at(1), with_proposed=True)
    assert [(one.status, one.run_id, one.job_name) for one in results] == [
        ("error", None, None),
        ("success", 1, "nightly"),
    ]
    assert [one.status for one in everything] == ["skipped", "error", "success"]
    assert [one.status for one in early] == ["success"]
    assert {key: one.status for key, one in last.items()} == {node_key: "error"}
    assert last_early[node_key].run_id == 1


def test_checks_of_a_source_are_its_results(store: Store) -> None:
    """A source has no executions; its freshness checks are asked for in the same way."""
    scope = new_scope(store)
    source = make_node(0, unique_id="source.shop.raw.orders", resource_type="source", name="orders")
    check = Freshness(unique_id=source.unique_id, status="warn", snapshotted_at=at(1), max_loaded_at=at(0))
    save(store, scope, [source], 1, sources=make_sources(check))
    with store.read() as tx:
        (row,) = list_lineage(tx, scope.account_key, 1)
        (result,) = list_node_results(tx, scope.account_key, row.node_key, is_source=True)
        assert list_node_results(tx, scope.account_key, row.node_key) == []
    assert (result.status, result.rows_affected) == ("warn", None)
