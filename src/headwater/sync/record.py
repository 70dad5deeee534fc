"""A collected run → the store, in one transaction, whichever way it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from msgspec import structs
from sqlalchemy import Connection

from headwater.artifacts import (
    fingerprint_manifest,
    read_catalog,
    read_compiled_code,
    read_manifest,
    read_metadata,
    read_run_results,
    read_sources,
)
from headwater.collect import MANIFEST, CollectedArtifact, CollectedRun, parse_flags
from headwater.errors import ArtifactUnreadable
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.invocation import Invocation, RunResults, Sources
from headwater.model.node import ArtifactMetadata, Catalog, Macro, Manifest, Node
from headwater.model.run import RunStep, Way
from headwater.store.catalog import save_catalog
from headwater.store.database import Store
from headwater.store.inventory import save_environments, save_jobs, save_projects
from headwater.store.invocation_queries import list_run_invocations
from headwater.store.invocations import save_invocation
from headwater.store.manifests import find_manifest_by_fingerprint, save_manifest
from headwater.store.nodes import save_nodes
from headwater.store.rows import Saved
from headwater.store.runs import list_artifact_records, save_artifact_records, save_run
from headwater.store.writing import Scope, chunks
from headwater.sync.plan import DETAIL, settle

_RESULTS_CARRY_CODE_FROM = 5
"""From this schema version on run_results carries compiled code; before it the manifest must be read for it."""


_NODES_AT_ONCE = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class StepManifest:
    """The manifest of a step: its fingerprint, and its nodes where the store does not know the fingerprint."""

    fingerprint: bytes
    known_key: int | None
    manifest: Manifest | None


@dataclass(slots=True, kw_only=True)
class ReadRun:
    """The artifacts of a run by step, read; `unreadable` has the reason for each that could not be."""

    manifests: dict[int, StepManifest] = field(default_factory=dict)
    results: dict[int, RunResults] = field(default_factory=dict)
    sources: dict[int, Sources] = field(default_factory=dict)
    catalogs: dict[int, Catalog] = field(default_factory=dict)
    unreadable: dict[tuple[int, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording a run did."""

    saved: Saved
    artifacts_stored: int
    open_artifacts: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A collected run whose artifacts are read, ready to be written."""

    scope: Scope
    collected: CollectedRun
    read: ReadRun


def record_run(store: Store, account_key: int, collected: CollectedRun, way: Way, now: datetime) -> Recorded:
    """Record a collected run: read its artifacts, then write everything in one transaction.

    Any run may come in any order, in parts and again; what is stored already stays, and changes nothing.
    Only nodes that are new are written before, a few at a time, so that other writers do not wait for all of them.
    """
    prepared = prepare_run(store, account_key, collected)
    for found in prepared.read.manifests.values():
        if found.manifest is not None:
            things: tuple[Node | Macro, ...] = (*found.manifest.macros, *found.manifest.nodes)
            for some in chunks(things, _NODES_AT_ONCE):
                with store.write() as tx:
                    save_nodes(tx, prepared.scope, some)
    with store.write() as tx:
        return write_run(tx, prepared, way, now)


Decoded = dict[tuple[Scope, bytes], Manifest]
"""Manifests that were decoded and are not written yet, by where they belong and fingerprint."""


def prepare_run(store: Store, account_key: int, collected: CollectedRun, decoded: Decoded | None = None) -> PreparedRun:
    """Read a run's artifacts, outside of any writing; their bytes are not kept.

    Runs that are prepared together hand on what was `decoded`: most of them carry the same manifest.
    """
    run = collected.run
    scope = Scope(account_key, run.project_id or 0, run.environment_id or 0)
    read = read_artifacts(store, scope, collected.artifacts, decoded if decoded is not None else {})
    sized = tuple(replace(artifact, body=None, size_bytes=_size(artifact)) for artifact in collected.artifacts)
    return PreparedRun(scope=scope, collected=replace(collected, artifacts=sized), read=read)


def write_run(tx: Connection, prepared: PreparedRun, way: Way, now: datetime) -> Recorded:
    """Write a prepared run within a transaction of the caller's."""
    collected, read, account_key = prepared.collected, prepared.read, prepared.scope.account_key
    _write_places(tx, account_key, collected)
    saved = save_run(tx, account_key, collected.run, way, now, context=collected.airflow)
    manifest_keys = _write_manifests(tx, prepared, now)
    for step in collected.run.steps:
        invocation = _invocation(collected.run.run_id, step, read)
        if invocation is not None:
            save_invocation(
                tx,
                prepared.scope,
                invocation,
                read.results.get(step.index),
                read.sources.get(step.index),
                manifest_key=_manifest_key(step, collected.run.steps, manifest_keys),
                run_id=collected.run.run_id,
                now=now,
            )
        if step.index in read.catalogs:
            save_catalog(tx, prepared.scope, read.catalogs[step.index], now)
    known = list_artifact_records(tx, account_key, collected.run.run_id)
    records = (*_each_record(collected, read, _attempts(known), now), *_each_served(collected, known))
    save_artifact_records(tx, account_key, collected.run.run_id, records)
    return Recorded(
        saved=saved,
        artifacts_stored=sum(record.state is ArtifactState.STORED for record in records if record.path != DETAIL),
        open_artifacts=sum(record.state.is_open for record in records),
        faults=tuple(_each_fault(collected.run.run_id, read)),
    )


def _write_places(tx: Connection, account_key: int, collected: CollectedRun) -> None:
    if collected.project is not None:
        save_projects(tx, account_key, (collected.project,))
    if collected.environment is not None:
        save_environments(tx, account_key, (collected.environment,))
    if collected.job is not None:
        save_jobs(tx, account_key, (collected.job,))


def _write_manifests(tx: Connection, prepared: PreparedRun, now: datetime) -> dict[int | None, int]:
    """Write the manifests that are new, and give the key of each step's, those of earlier visits included."""
    keys = {
        row.invocation.step_index: row.manifest_key
        for row in list_run_invocations(tx, prepared.scope.account_key, prepared.collected.run.run_id)
        if row.manifest_key is not None
    }
    for index, found in prepared.read.manifests.items():
        if found.known_key is None:
            keys[index] = save_manifest(tx, prepared.scope, _found(found), found.fingerprint, now)
        else:
            keys[index] = found.known_key
    return keys


def _size(artifact: CollectedArtifact) -> int | None:
    return len(artifact.body) if artifact.body is not None else None


def read_artifacts(store: Store, scope: Scope, artifacts: tuple[CollectedArtifact, ...], decoded: Decoded) -> ReadRun:
    """Read what was collected; a manifest whose fingerprint the store knows is not decoded."""
    read = ReadRun()
    bodies = [(artifact, artifact.body) for artifact in artifacts if artifact.body is not None]
    for artifact, body in bodies:
        if artifact.path != MANIFEST:
            with _Noting(read, artifact):
                _read_results(artifact, body, read)
    for artifact, body in bodies:
        if artifact.path == MANIFEST:
            with _Noting(read, artifact):
                read.manifests[artifact.step_index] = _read_manifest(store, scope, body, decoded)
                _add_compiled_code(read, artifact.step_index, body)
    return read


class _Noting:
    """Keeps an artifact that cannot be read from losing the others, and its reason."""

    def __init__(self, read: ReadRun, artifact: CollectedArtifact) -> None:
        self._read = read
        self._artifact = artifact

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, ArtifactUnreadable):
            self._read.unreadable[self._artifact.step_index, self._artifact.path] = str(error)
            return True
        return False


def _read_results(artifact: CollectedArtifact, body: bytes, read: ReadRun) -> None:
    if artifact.path == "run_results.json":
        read.results[artifact.step_index] = read_run_results(body)
    elif artifact.path == "sources.json":
        read.sources[artifact.step_index] = read_sources(body)
    elif artifact.path == "catalog.json":
        read.catalogs[artifact.step_index] = read_catalog(body)


def _read_manifest(store: Store, scope: Scope, body: bytes, decoded: Decoded) -> StepManifest:
    fingerprint = fingerprint_manifest(body)
    with store.read() as tx:
        known_key = find_manifest_by_fingerprint(tx, scope, fingerprint)
    if known_key is not None:
        return StepManifest(fingerprint=fingerprint, known_key=known_key, manifest=None)
    known = decoded.get((scope, fingerprint))
    # Only the nodes are shared: whose invocation it was stands in each manifest's own head.
    manifest = read_manifest(body) if known is None else replace(known, metadata=read_metadata(body))
    decoded[scope, fingerprint] = manifest
    return StepManifest(fingerprint=fingerprint, known_key=known_key, manifest=manifest)


def _add_compiled_code(read: ReadRun, step_index: int, body: bytes) -> None:
    """Give the executions of a step with old results the compiled code that only the manifest carries."""
    results = read.results.get(step_index)
    version = results.metadata.schema_version if results is not None else None
    if results is None or version is None or version >= _RESULTS_CARRY_CODE_FROM:
        return
    codes = read_compiled_code(body)
    executions = tuple(
        structs.replace(execution, compiled_code=execution.compiled_code or codes.get(execution.unique_id))
        for execution in results.executions
    )
    read.results[step_index] = replace(results, executions=executions)


def _found(step_manifest: StepManifest) -> Manifest:
    assert step_manifest.manifest is not None  # noqa: S101  read above where the key is not known
    return step_manifest.manifest


def _manifest_key(step: RunStep, steps: tuple[RunStep, ...], keys: Mapping[int | None, int]) -> int | None:
    """Give the manifest of a step: its own, else that of a step of the run that parsed the project the same way."""
    if step.index in keys:
        return keys[step.index]
    flags = parse_flags(step)
    alike = (other.index for other in steps if other.index in keys and parse_flags(other) == flags)
    return next((keys[index] for index in alike), None)


def _invocation(run_id: int, step: RunStep, read: ReadRun) -> Invocation | None:
    """Give what a step invoked, from the head of whichever artifact it has; None where it left none."""
    results, sources = read.results.get(step.index), read.sources.get(step.index)
    metadata = _metadata(step.index, read)
    if metadata is None or step.command is None:
        return None
    return Invocation(
        invocation_id=metadata.invocation_id or f"run-{run_id}-step-{step.index}",
        command=step.command,
        step_index=step.index,
        dbt_version=metadata.dbt_version,
        adapter_type=metadata.adapter_type,
        generated_at=metadata.generated_at,
        elapsed=results.elapsed if results is not None else sources.elapsed if sources is not None else None,
    )


def _metadata(index: int, read: ReadRun) -> ArtifactMetadata | None:
    found = read.results.get(index) or read.sources.get(index) or read.catalogs.get(index)
    if found is not None:
        return found.metadata
    step_manifest = read.manifests.get(index)
    return step_manifest.manifest.metadata if step_manifest is not None and step_manifest.manifest is not None else None


def _each_record(
    collected: CollectedRun, read: ReadRun, attempts: Mapping[tuple[int, str], int], now: datetime
) -> Iterator[ArtifactRecord]:
    run = collected.run
    if run.is_finished:
        yield ArtifactRecord(step_index=0, path=DETAIL, state=ArtifactState.STORED, attempts=1)
    for artifact in collected.artifacts:
        place = (artifact.step_index, artifact.path)
        reason = read.unreadable.get(place)
        if reason is not None:
            artifact = replace(artifact, state=ArtifactState.FAILED, reason=reason)  # noqa: PLW2901
        yield settle(artifact, run, attempts.get(place, 0), now)


def _each_served(collected: CollectedRun, known: Sequence[ArtifactRecord]) -> Iterator[ArtifactRecord]:
    """Close what an earlier visit failed to read and this one did not ask for: another step's manifest serves."""
    stored = [artifact.path for artifact in collected.artifacts if artifact.state is ArtifactState.STORED]
    stored += [record.path for record in known if record.state is ArtifactState.STORED]
    if not collected.run.is_finished or MANIFEST not in stored:
        return
    asked = {(artifact.step_index, artifact.path) for artifact in collected.artifacts}
    for record in known:
        is_failed = record.path == MANIFEST and record.state is ArtifactState.FAILED
        if is_failed and (record.step_index, record.path) not in asked:
            reason = "Another step of the run has the manifest."
            yield replace(record, state=ArtifactState.ABSENT, reason=reason, next_attempt_at=None)


def _attempts(known: Iterable[ArtifactRecord]) -> Mapping[tuple[int, str], int]:
    return {(record.step_index, record.path): record.attempts for record in known}


def _each_fault(run_id: int, read: ReadRun) -> Iterator[str]:
    for (index, path), reason in read.unreadable.items():
        yield f"Run {run_id}, step {index}, {path}: {reason}"
    for index, results in read.results.items():
        unknown = Counter(results.unknown_statuses)
        for status, count in unknown.items():
            yield f"Run {run_id}, step {index}: {count} executions have the status {status!r}, which is not known."
