"""A run is recorded without keeping other writers out for long."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

from sqlalchemy import event, func, select

from headwater.collect import CollectedArtifact, CollectedRun
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import Run, RunStatus, RunStep, Way
from headwater.store.accounts import save_account
from headwater.store.database import Store, open_store
from headwater.store.manifests import find_latest_manifest, list_nodes
from headwater.store.schema import node_versions
from headwater.store.writing import Scope
from headwater.sync.record import record_run

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDRESS = AccountAddress("https://ab123.us1.dbt.com", 1)
MODELS = 1_000


def make_manifest() -> bytes:
    """Make a manifest of many models, each from the one before."""
    nodes = {}
    for number in range(MODELS):
        name = f"model_{number}"
        parents = [f"model.shop.model_{number - 1}"] if number else []
        nodes[f"model.shop.{name}"] = {
            "unique_id": f"model.shop.{name}",
            "resource_type": "model",
            "name": name,
            "package_name": "shop",
            "path": f"{name}.sql",
            "original_file_path": f"models/{name}.sql",
            "fqn": ["shop", name],
            "depends_on": {"nodes": parents, "macros": []},
            "config": {"materialized": "table"},
            "checksum": {"name": "sha256", "checksum": f"{number:064x}"},
            "raw_code": f"select {number}",
        }
    metadata = {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "project_name": "shop"}
    return json.dumps({"metadata": metadata, "nodes": nodes, "parent_map": {}, "child_map": {}}).encode()


def count_versions(store: Store) -> int:
    """Count the versions of nodes that are committed."""
    with store.read() as tx:
        return tx.execute(select(func.count()).select_from(node_versions)).scalar_one()


def test_other_writers_get_their_turn_between_the_nodes_of_a_new_manifest(store: Store, store_url: str) -> None:
    """No transaction writes more than 250 new nodes, and at the end every node is there, once."""
    with store.write() as tx:
        account_key = save_account(tx, "acme", ADDRESS, NOW).account_key
    step = RunStep(index=1, name="dbt run", command="dbt run", status=RunStatus.SUCCESS, started_at=NOW)
    run = Run(run_id=7, status=RunStatus.SUCCESS, finished_at=NOW, steps=(step,))
    artifact = CollectedArtifact(step_index=1, path="manifest.json", state=ArtifactState.STORED, body=make_manifest())
    collected = CollectedRun(address=ADDRESS, run=run, artifacts=(artifact,), collected_at=NOW)

    with open_store(store_url) as other:
        seen: list[int] = []

        def look(_: object) -> None:
            seen.append(count_versions(other))

        event.listen(store.engine, "commit", look)
        record_run(store, account_key, collected, Way.SDK, NOW)
        event.remove(store.engine, "commit", look)
        seen.append(count_versions(other))

    with store.read() as tx:
        manifest = find_latest_manifest(tx, Scope(account_key))
        assert manifest is not None
        assert len(list_nodes(tx, account_key, manifest.manifest_key).nodes) == MODELS
    assert seen[-1] == MODELS
    assert max(after - before for before, after in pairwise(seen)) <= 250
