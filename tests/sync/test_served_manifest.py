"""A manifest that one visit failed to read, and that another step then served, is not asked for again and again."""

from __future__ import annotations

from datetime import UTC, datetime

from headwater.collect import CollectedArtifact, CollectedRun
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import Run, RunStatus, RunStep, Way
from headwater.store.accounts import save_account
from headwater.store.database import Store
from headwater.store.runs import list_artifact_records, list_due_artifacts
from headwater.sync.record import record_run

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW.replace(hour=13)
ADDRESS = AccountAddress("https://ab123.us1.dbt.com", 1)


def visit(store: Store, account_key: int, way: Way, *, status: RunStatus = RunStatus.SUCCESS, **states: str) -> None:
    """Record a visit that found the manifest of steps (`step_1`) in such states."""
    steps = tuple(
        RunStep(index=index, name=f"dbt {word}", command=f"dbt {word}", status=status, started_at=NOW)
        for index, word in ((1, "run"), (2, "test"))
    )
    artifacts = tuple(
        CollectedArtifact(
            step_index=int(name.removeprefix("step_")), path="manifest.json", state=ArtifactState(state), reason="So."
        )
        for name, state in states.items()
    )
    run = Run(run_id=7, status=status, finished_at=NOW if status.is_finished else None, steps=steps)
    collected = CollectedRun(address=ADDRESS, run=run, artifacts=artifacts, collected_at=NOW)
    record_run(store, account_key, collected, way, NOW)


def test_a_manifest_that_another_step_serves_is_not_due_for_ever(store: Store) -> None:
    """The SDK read neither step's manifest; the poll then read the first step's, and nothing is left to ask for."""
    with store.write() as tx:
        key = save_account(tx, "acme", ADDRESS, NOW).account_key
    visit(store, key, Way.SDK, step_1="failed", step_2="failed")
    visit(store, key, Way.POLL, step_1="stored")

    with store.read() as tx:
        states = {record.step_index: record.state for record in list_artifact_records(tx, key, 7) if record.step_index}
        assert list_due_artifacts(tx, key, LATER, 10) == []
    assert states == {1: ArtifactState.STORED, 2: ArtifactState.ABSENT}


def test_without_any_manifest_it_stays_due(store: Store) -> None:
    """An observation of the running run, or one that read no manifest, closes nothing."""
    with store.write() as tx:
        key = save_account(tx, "acme", ADDRESS, NOW).account_key
    visit(store, key, Way.SDK, step_1="failed", step_2="failed")
    visit(store, key, Way.SDK, status=RunStatus.RUNNING)
    visit(store, key, Way.POLL, step_1="failed")

    with store.read() as tx:
        due = {(one.record.step_index, one.record.path) for one in list_due_artifacts(tx, key, LATER, 10)}
    assert due == {(1, "manifest.json"), (2, "manifest.json")}
