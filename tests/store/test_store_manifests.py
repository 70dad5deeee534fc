"""Manifests: an unchanged one costs next to nothing, a changed one what changed, in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from things import T0, at, make_invocation, make_manifest, make_node, new_scope

from headwater.errors import NotKnown
from headwater.model.account import Environment
from headwater.model.node import ArtifactMetadata, Catalog, CatalogColumn, CatalogTable, Macro, Relation
from headwater.store.catalog import list_catalog_history, list_catalog_tables, save_catalog
from headwater.store.database import Store
from headwater.store.inventory import save_environments
from headwater.store.invocations import save_invocation
from headwater.store.manifests import (
    count_nodes,
    find_latest_manifest,
    find_manifest_by_fingerprint,
    get_manifest,
    list_latest_manifests,
    list_nodes,
    save_manifest,
)
from headwater.store.retention import delete_before
from headwater.store.schema import metadata
from headwater.store.writing import Scope


def save(store: Store, scope: Scope, manifest, fingerprint=None, now=T0) -> int:
    with store.write() as tx:
        return save_manifest(tx, scope, manifest, fingerprint, now)


def count_rows(store: Store) -> dict[str, int]:
    with store.read() as tx:
        return {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def growth(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


NODES = tuple(make_node(number) for number in range(1000))
MACROS = tuple(
    Macro(unique_id=f"macro.shop.k{n}", package_name="shop", version=bytes([n]) * 16, path="m.sql") for n in range(3)
)


def test_a_manifest_comes_back_as_it_was_saved(store: Store) -> None:
    """Nodes, macros and groups are read back equal, with the keys that executions use."""
    scope = new_scope(store)
    manifest = make_manifest(NODES[:5], macros=MACROS)
    key = save(store, scope, manifest)
    with store.read() as tx:
        found, row = list_nodes(tx, scope.account_key, key), get_manifest(tx, scope.account_key, key)
        with pytest.raises(NotKnown):
            list_nodes(tx, scope.account_key, 99)
    assert set(found.nodes) == set(manifest.nodes)
    assert set(found.macros) == set(MACROS)
    assert found.groups == row.groups == manifest.groups
    assert found.keys_by_unique_id.keys() == {thing.unique_id for thing in (*manifest.nodes, *MACROS)}
    assert (row.dbt_version, row.adapter_type, row.project_name) == ("1.11.0", "duckdb", "shop")
    assert row.node_counts == {"model": 5}


def test_an_unchanged_manifest_costs_a_row_or_none(store: Store) -> None:
    """The same content adds nothing; the same content in other bytes adds the one row that knows those bytes."""
    scope = new_scope(store)
    manifest = make_manifest(NODES)
    key = save(store, scope, manifest, b"bytes-1")
    before = count_rows(store)
    assert before["node_versions"] == before["manifest_nodes"] == len(NODES)
    assert save(store, scope, manifest, b"bytes-1") == key
    assert growth(before, count_rows(store)) == {}
    assert (
        save(store, scope, replace(manifest, metadata=replace(manifest.metadata, generated_at=at(5))), b"bytes-2")
        == key
    )
    assert growth(before, count_rows(store)) == {"manifest_fingerprints": 1}
    with store.read() as tx:
        assert find_manifest_by_fingerprint(tx, scope, b"bytes-2") == key
        assert find_manifest_by_fingerprint(tx, replace(scope, environment_id=9), b"bytes-2") is None
        assert find_manifest_by_fingerprint(tx, scope, b"bytes-3") is None
        assert find_latest_manifest(tx, scope).current_at == at(5)


def test_a_change_costs_the_nodes_that_changed(store: Store) -> None:
    """One percent changed, one node gone, one new: so many rows and no more; both manifests are read back whole."""
    scope = new_scope(store)
    first = make_manifest(NODES)
    second = make_manifest((*(make_node(number, "changed") for number in range(10)), *NODES[10:-1], make_node(5000)))
    one = save(store, scope, first)
    before = count_rows(store)
    two = save(store, scope, second)
    assert growth(before, count_rows(store)) == {"manifests": 1, "manifest_nodes": 12, "node_versions": 11, "nodes": 1}
    with store.read() as tx:
        assert set(list_nodes(tx, scope.account_key, one).nodes) == set(first.nodes)
        assert set(list_nodes(tx, scope.account_key, two).nodes) == set(second.nodes)


def test_a_version_that_comes_back_is_not_kept_twice(store: Store) -> None:
    """A change that is taken back costs the difference, and no new version."""
    scope = new_scope(store)
    kept = (*NODES[:20], make_node(77))
    save(store, scope, make_manifest(NODES[:20]))
    save(store, scope, make_manifest((make_node(0, "x"), *NODES[1:20])))
    before = count_rows(store)
    save(store, scope, make_manifest(kept))
    assert growth(before, count_rows(store)) == {"manifests": 1, "manifest_nodes": 2, "node_versions": 1, "nodes": 1}


histories = st.lists(st.dictionaries(st.integers(0, 12), st.integers(0, 2), max_size=12), min_size=1, max_size=24)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, seed=st.integers(0, 999))
def test_manifests_may_come_in_any_order(store: Store, history, seed) -> None:
    """Any history saved in any order, chains as deep as they go: each manifest is read back exactly."""
    account = new_scope(store).account_key
    manifests = [
        make_manifest(tuple(make_node(number, salt) for number, salt in sorted(nodes.items())), at(hours))
        for hours, nodes in enumerate(history)
    ]
    for environment_id, order in enumerate((list(manifests), Random(seed).sample(manifests, len(manifests)))):
        scope = Scope(account, seed * 10_000 + Random().randrange(10_000), environment_id)
        keys = {manifest.content: save(store, scope, manifest) for manifest in order}
        with store.read() as tx:
            for manifest in manifests:
                assert set(list_nodes(tx, account, keys[manifest.content]).nodes) == set(manifest.nodes)
            assert find_latest_manifest(tx, scope).content == manifests[-1].content


def test_a_long_chain_begins_anew(store: Store) -> None:
    """After sixteen differences a whole manifest is written, so that reading one never grows with history."""
    scope = new_scope(store)
    keys = [save(store, scope, make_manifest((make_node(0, salt), *NODES[1:50]))) for salt in range(40)]
    with store.read() as tx:
        depths = list(tx.execute(select(metadata.tables["manifests"].c.depth)).scalars())
        for salt, key in enumerate(keys):
            assert make_node(0, salt) in list_nodes(tx, scope.account_key, key).nodes
    assert max(depths) == 16
    assert depths.count(0) == 3


def test_environments_do_not_mix_and_production_is_counted(store: Store) -> None:
    """The same unique_id in two environments is two nodes; counts are of production, or of what was parsed last."""
    scope = new_scope(store)
    ci, lone = replace(scope, environment_id=3), Scope(scope.account_key, 8, 9)
    with store.write() as tx:
        environments = [Environment(environment_id=2, project_id=1, name="Prod", deployment_type="production")]
        save_environments(tx, scope.account_key, environments)
    save(store, scope, make_manifest(NODES[:3]))
    save(store, ci, make_manifest(NODES[:5], at(9)))
    save(store, lone, make_manifest((NODES[0], make_node(1, unique_id="test.shop.t", resource_type="test"))))
    with store.read() as tx:
        assert count_nodes(tx) == {"model": 4, "test": 1}
        assert count_nodes(tx, (99,)) == {}
        assert [len(list_nodes(tx, row.account_key, row.manifest_key).nodes) for row in list_latest_manifests(tx)] == [
            3,
            5,
            2,
        ]


def test_a_manifest_is_current_by_its_last_use(store: Store) -> None:
    """A change, then its revert: the older manifest is the current one again, by an invocation that used it."""
    scope = new_scope(store)
    old = save(store, scope, make_manifest(NODES[:3], at(1)))
    new = save(store, scope, make_manifest(NODES[:4], at(2)))
    with store.read() as tx:
        assert find_latest_manifest(tx, scope).manifest_key == new
    with store.write() as tx:
        save_invocation(tx, scope, make_invocation(generated_at=at(3)), manifest_key=old, now=T0)
    with store.read() as tx:
        assert find_latest_manifest(tx, scope).manifest_key == old


def test_old_manifests_go_when_nothing_needs_them(store: Store) -> None:
    """Retention takes manifests off the ends of chains with the versions only they had, and keeps the current one."""
    scope = new_scope(store)
    for hours in range(5):
        save(store, scope, make_manifest((make_node(0, hours), *NODES[1:10]), at(hours)))
    with store.write() as tx:  # back to the first: it is the base of all the others, which nothing uses
        save_manifest(tx, scope, make_manifest((make_node(0, 0), *NODES[1:10]), at(50)), None, T0)
        assert delete_before(tx, scope.account_key, at(40), 10).manifests == 4
    assert count_rows(store)["node_versions"] == 10
    with store.read() as tx:
        assert len(list_nodes(tx, scope.account_key, find_latest_manifest(tx, scope).manifest_key).nodes) == 10


def make_catalog(hours: float, *columns: str, row_count: int | None = None) -> Catalog:
    table = CatalogTable(
        unique_id="model.shop.m1",
        relation=Relation("db", "main", "m1"),
        kind="BASE TABLE",
        owner="dbt",
        columns=tuple(CatalogColumn(name=name, data_type="int", position=at) for at, name in enumerate(columns)),
        row_count=row_count,
    )
    return Catalog(metadata=ArtifactMetadata(generated_at=at(hours), invocation_id=f"inv-{hours}"), tables=(table,))


def test_a_catalog_keeps_one_row_for_each_shape(store: Store) -> None:
    """The same shape moves its last-seen time and row count; an older catalog that comes late is not the latest."""
    scope = new_scope(store)
    for catalog in (
        make_catalog(2, "id", row_count=5),
        make_catalog(4, "id", row_count=9),
        make_catalog(3, "id", "name"),
        make_catalog(1, "id", row_count=1),
    ):
        with store.write() as tx:
            save_catalog(tx, scope, catalog, T0)
    with store.read() as tx:
        (latest,) = list_catalog_tables(tx, scope)
        history = list_catalog_history(tx, scope.account_key, latest.node_key)
    assert latest.table == make_catalog(4, "id", row_count=9).tables[0]
    assert (latest.first_seen_at, latest.last_seen_at, latest.invocation_id) == (at(1), at(4), "inv-4")
    assert [len(row.table.columns) for row in history] == [1, 2]
