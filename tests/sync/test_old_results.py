"""Results of dbt before 1.7 carry no compiled code; it is taken from the manifest of their own step."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from headwater.collect import CollectedArtifact, CollectedRun
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import Run, RunStatus, RunStep
from headwater.store.accounts import save_account
from headwater.store.database import Store
from headwater.sync.record import Decoded, prepare_run

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDRESS = AccountAddress("https://ab123.us1.dbt.com", 1)
SCHEMA = "https://schemas.getdbt.com/dbt/{}.json"


def artifact(path: str, schema: str, **fields: object) -> CollectedArtifact:
    """Give an artifact of the first step."""
    body = json.dumps({"metadata": {"dbt_schema_version": SCHEMA.format(schema)}, **fields}).encode()
    return CollectedArtifact(step_index=1, path=path, state=ArtifactState.STORED, body=body)


def run_of(run_id: int, code: str) -> CollectedRun:
    """Give a run of dbt 1.6 that compiled its only model to this code."""
    node = {"resource_type": "model", "raw_code": "select now()", "compiled_path": "m.sql", "compiled": True}
    node |= {"compiled_code": code, "extra_ctes_injected": True, "extra_ctes": []}
    row = {"unique_id": "model.p.m", "status": "success", "timing": [], "thread_id": "Thread-1", "execution_time": 1.0}
    step = RunStep(index=1, name="dbt run", command="dbt run", status=RunStatus.SUCCESS, started_at=NOW)
    return CollectedRun(
        address=ADDRESS,
        run=Run(run_id=run_id, status=RunStatus.SUCCESS, finished_at=NOW, steps=(step,)),
        artifacts=(
            artifact("run_results.json", "run-results/v4", results=[row], args={"which": "run"}, elapsed_time=1.0),
            artifact("manifest.json", "manifest/v10", nodes={"model.p.m": node}),
        ),
        collected_at=NOW,
    )


def test_each_run_has_the_code_of_its_own_manifest(store: Store) -> None:
    """Two runs whose manifests differ in nothing but compiled code, prepared together, each have their own."""
    with store.write() as tx:
        key = save_account(tx, "acme", ADDRESS, NOW).account_key
    decoded: Decoded = {}
    prepared = [prepare_run(store, key, run_of(number, f"select {number}"), decoded) for number in (1, 2)]

    codes = [[row.compiled_code for row in each.read.results[1].executions] for each in prepared]
    assert len(decoded) == 1
    assert codes == [["select 1"], ["select 2"]]
