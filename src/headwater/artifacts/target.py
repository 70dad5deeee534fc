"""A dbt target folder: which invocation wrote which artifact, and whose lineage its manifest tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from headwater.artifacts._fingerprint import fingerprint_manifest
from headwater.artifacts.catalog import read_catalog
from headwater.artifacts.compiled import read_compiled_code
from headwater.artifacts.manifest import read_manifest
from headwater.artifacts.run_results import read_run_results
from headwater.artifacts.sources import read_sources
from headwater.errors import ArtifactUnreadable
from headwater.model.account import local_id
from headwater.model.invocation import Invocation, RunResults, Sources, counts_as_failure
from headwater.model.node import ArtifactMetadata, Catalog, Manifest

Artifact: TypeAlias = Manifest | RunResults | Sources | Catalog

_READERS: dict[str, Callable[[bytes], Artifact]] = {
    "manifest.json": read_manifest,
    "run_results.json": read_run_results,
    "sources.json": read_sources,
    "catalog.json": read_catalog,
}
TARGET_FILES = tuple(_READERS)
"""The artifacts that are read from a target folder."""

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInvocation:
    """What one invocation left; `has_lineage` where the folder's manifest is its own, or another's that fits it.

    `metadata` is the head of the artifact that says most of it.
    """

    invocation: Invocation
    metadata: ArtifactMetadata
    files: tuple[str, ...]
    has_lineage: bool
    results: RunResults | None = None
    sources: Sources | None = None
    catalog: Catalog | None = None

    @property
    def status(self) -> str | None:
        """Give `error` where a node failed or a source is too old, else `success`; None where nothing was executed."""
        statuses = [row.status for row in self.sources.results] if self.sources is not None else []
        if self.results is not None:
            statuses += [row.status for row in self.results.executions]
        if any(counts_as_failure(status) for status in statuses):
            return "error"
        is_executing = self.results is not None and self.results.is_executing
        return "success" if is_executing or self.sources is not None or self.catalog is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a target folder holds, read: its invocations, oldest first, and the one manifest there can be."""

    invocations: tuple[TargetInvocation, ...]
    manifest: Manifest | None
    fingerprint: bytes | None
    warnings: tuple[str, ...]


def read_target(
    bodies: Mapping[str, bytes], *, context: frozenset[str] = frozenset(), command: str | None = None
) -> Target:
    """Read the artifacts of a folder by name and give each to the invocation that wrote it.

    What is only `context` stands for no invocation. `command` names what an invocation ran that left no results.

    Raises:
        ArtifactUnreadable: none of them can be read.
    """
    warnings: list[str] = []
    read: dict[str, Artifact] = {}
    for name, body in bodies.items():
        try:
            read[name] = _READERS[name](body)
        except ArtifactUnreadable as error:
            warnings.append(f"{name}: {error}")
    if not read:
        raise ArtifactUnreadable(f"None of the artifacts can be read. {' '.join(warnings)}")
    for artifact in read.values():
        warnings += _each_fault(artifact)
    manifest = read.get("manifest.json")
    found = manifest if isinstance(manifest, Manifest) else None
    grouped = {key: names for key, names in _group(read).items() if not set(names) <= context}
    codes = read_compiled_code(bodies["manifest.json"]) if found is not None and len(grouped) > 1 else {}
    invocations = [_invocation(key, {name: read[name] for name in names}, found, codes, command, warnings)
                   for key, names in grouped.items()]  # fmt: skip
    invocations.sort(key=lambda one: one.invocation.generated_at or _LONG_AGO)
    return Target(
        invocations=tuple(invocations),
        manifest=found,
        fingerprint=fingerprint_manifest(bodies["manifest.json"]) if found is not None else None,
        warnings=tuple(warnings),
    )


def _group(read: Mapping[str, Artifact]) -> dict[str, list[str]]:
    """Group the names of artifacts by invocation; one that does not name it stands alone."""
    groups: dict[str, list[str]] = {}
    for name, artifact in read.items():
        groups.setdefault(_key(artifact.metadata), []).append(name)
    return groups


def _key(metadata: ArtifactMetadata) -> str:
    moment = metadata.generated_at.isoformat() if metadata.generated_at else ""
    return metadata.invocation_id or f"ingested-{local_id(f'{metadata.schema_name}{moment}')}"


def _each_fault(artifact: Artifact) -> Iterator[str]:
    yield from artifact.faults
    if isinstance(artifact, RunResults):
        for status, count in Counter(artifact.unknown_statuses).items():
            yield f"{count} executions have the status {status!r}, which is not known."


def _invocation(
    key: str,
    parts: Mapping[str, Artifact],
    manifest: Manifest | None,
    codes: Mapping[str, str],
    command: str | None,
    warnings: list[str],
) -> TargetInvocation:
    results, sources, catalog = (parts.get(name) for name in ("run_results.json", "sources.json", "catalog.json"))
    results = results if isinstance(results, RunResults) else None
    sources = sources if isinstance(sources, Sources) else None
    catalog = catalog if isinstance(catalog, Catalog) else None
    head = (results or sources or catalog or parts["manifest.json"]).metadata
    is_own = manifest is None or "manifest.json" in parts
    misfit = None if manifest is None or is_own else _find_misfit(manifest, codes, results, sources, catalog)
    if misfit is not None:
        warnings.append(f"manifest.json was written by another invocation than {key} and {misfit}: no lineage for it.")
    has_lineage = manifest is not None and misfit is None
    adapter = manifest.metadata.adapter_type if manifest is not None and has_lineage else None
    said = Invocation(
        invocation_id=key,
        command=_command(results, sources, catalog, command),
        dbt_version=head.dbt_version,
        adapter_type=head.adapter_type or adapter,
        generated_at=head.generated_at,
        elapsed=results.elapsed if results is not None else sources.elapsed if sources is not None else None,
    )
    return TargetInvocation(
        invocation=said,
        metadata=head,
        files=tuple(parts),
        has_lineage=has_lineage,
        results=results,
        sources=sources,
        catalog=catalog,
    )


def _command(results: RunResults | None, sources: Sources | None, catalog: Catalog | None, command: str | None) -> str:
    if results is not None and results.command:
        return f"dbt {results.command}"
    if sources is not None:
        return "dbt source freshness"
    return "dbt docs generate" if catalog is not None else command or "dbt"


def _find_misfit(
    manifest: Manifest,
    codes: Mapping[str, str],
    results: RunResults | None,
    sources: Sources | None,
    catalog: Catalog | None,
) -> str | None:
    """Say why a manifest cannot be that of results another invocation wrote; None where nothing speaks against it.

    It must know every node of them, under the relation and with the compiled code (but for incremental models, whose
    code depends on what is there already) that they name.
    """
    nodes = {node.unique_id: node for node in manifest.nodes}
    known = nodes.keys() | {macro.unique_id for macro in manifest.macros}
    executions = results.executions if results is not None else ()
    wanted = [row.unique_id for row in executions]
    wanted += [row.unique_id for row in sources.results] if sources is not None else []
    wanted += [table.unique_id for table in catalog.tables] if catalog is not None else []
    missing = [unique_id for unique_id in wanted if unique_id not in known]
    if missing:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        return f"does not know {missing[0]}{others}"
    for row in executions:
        node = nodes.get(row.unique_id)
        if node is None:
            continue
        if None not in {node.relation_name, row.relation_name} and node.relation_name != row.relation_name:
            return f"has {row.unique_id} as {node.relation_name}, not as {row.relation_name}"
        code = codes.get(row.unique_id)
        if node.materialized != "incremental" and code and row.compiled_code and code != row.compiled_code:
            return f"has other code for {row.unique_id}"
    return None
