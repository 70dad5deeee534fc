"""Runs that others collected: sent by the SDK, or read from a dbt target folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from headwater.artifacts import (
    fingerprint_manifest,
    read_catalog,
    read_manifest,
    read_run_results,
    read_sources,
)
from headwater.collect import decode
from headwater.errors import ArtifactUnreadable, NotKnown
from headwater.model.account import AccountAddress, Environment, Project, local_id
from headwater.model.invocation import Invocation, RunResults, Sources
from headwater.model.node import Catalog, Manifest
from headwater.model.run import Way
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import IngestReport, ReceiveReport
from headwater.store.accounts import ensure_local_account, find_account_by_address, list_accounts, save_account
from headwater.store.catalog import save_catalog
from headwater.store.inventory import save_environments, save_projects
from headwater.store.invocations import save_invocation
from headwater.store.manifests import save_manifest
from headwater.store.rows import Account
from headwater.store.writing import Scope
from headwater.sync.record import record_run

_SIZE_LIMIT = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a dbt target folder holds, read; the manifest's bytes are kept for their fingerprint."""

    manifest: Manifest | None
    fingerprint: bytes | None
    results: RunResults | None
    sources: Sources | None
    catalog: Catalog | None
    warnings: tuple[str, ...]


def receive(observatory: Observatory, body: bytes) -> ReceiveReport:
    """Record a run that the SDK collected; an account that is not connected is kept without a token.

    Raises:
        ArtifactUnreadable: the body is no collected run.
    """
    collected = decode(body)
    now = observatory.store.now()
    account = _find_or_add_account(observatory, collected.address, now)
    recorded = record_run(observatory.store, account.account_key, collected, Way.SDK, now)
    return ReceiveReport(account=account.name, run_id=collected.run.run_id, is_new=recorded.saved.is_new)


def ingest(
    observatory: Observatory, path: Path, *, project: str | None = None, environment: str | None = None
) -> IngestReport:
    """Read a dbt `target/` folder and store what it holds.

    Raises:
        NotKnown: the folder is not there or holds no dbt artifact.
        ArtifactUnreadable: none of its artifacts can be read.
    """
    target = read_target(path)
    _save(observatory, target, project, environment)
    return _describe(target)


def read_target(path: Path) -> Target:
    """Read the artifacts of a folder; those of another invocation than the results' are told as a warning."""
    folder = path / "target" if (path / "target").is_dir() else path
    if not folder.is_dir():
        raise NotKnown(f"{path} is not a folder.", hint="Give dbt's target folder, after dbt has run.")
    warnings: list[str] = []
    bodies = {name: _read_file(folder / name, warnings) for name in _READERS}
    if not any(bodies.values()) and not warnings:
        raise NotKnown(
            f"{folder} holds no manifest.json, run_results.json, sources.json or catalog.json.",
            hint="Give dbt's target folder, after dbt has run.",
        )
    read: dict[str, Manifest | RunResults | Sources | Catalog] = {}
    for name, body in bodies.items():
        if body is None:
            continue
        try:
            read[name] = _READERS[name](body)
        except ArtifactUnreadable as error:
            warnings.append(f"{name}: {error}")
    if not read:
        raise ArtifactUnreadable(f"Nothing in {folder} can be read. {' '.join(warnings)}")
    return _target(read, bodies["manifest.json"], warnings)


_READERS: dict[str, Callable[[bytes], Manifest | RunResults | Sources | Catalog]] = {
    "manifest.json": read_manifest,
    "run_results.json": read_run_results,
    "sources.json": read_sources,
    "catalog.json": read_catalog,
}


def _target(
    read: dict[str, Manifest | RunResults | Sources | Catalog], manifest_body: bytes | None, warnings: list[str]
) -> Target:
    manifest, results = read.get("manifest.json"), read.get("run_results.json")
    sources, catalog = read.get("sources.json"), read.get("catalog.json")
    for artifact in read.values():
        warnings += artifact.faults
    if isinstance(results, RunResults):
        unknown = Counter(results.unknown_statuses)
        warnings += [
            f"{count} executions have the status {status!r}, which is not known." for status, count in unknown.items()
        ]
    if manifest is not None and results is not None:
        ids = {manifest.metadata.invocation_id, results.metadata.invocation_id}
        if len(ids) > 1 and None not in ids:
            warnings.append("manifest.json and run_results.json were written by different dbt commands.")
    return Target(
        manifest=manifest if isinstance(manifest, Manifest) else None,
        fingerprint=fingerprint_manifest(manifest_body) if isinstance(manifest, Manifest) and manifest_body else None,
        results=results if isinstance(results, RunResults) else None,
        sources=sources if isinstance(sources, Sources) else None,
        catalog=catalog if isinstance(catalog, Catalog) else None,
        warnings=tuple(warnings),
    )


def _read_file(path: Path, warnings: list[str]) -> bytes | None:
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            warnings.append(f"{path.name} is larger than 2 GiB and was left out.")
            return None
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        warnings.append(f"{path.name} cannot be read: {error.strerror}.")
        return None


def _save(observatory: Observatory, target: Target, project: str | None, environment: str | None) -> None:
    now = observatory.store.now()
    project_name = project or (target.manifest.metadata.project_name if target.manifest else None) or "local"
    environment_name = environment or "local"
    project_id = local_id(f"project:{project_name}")
    environment_id = local_id(f"environment:{project_name}:{environment_name}")
    found = target.results or target.sources or target.catalog or target.manifest
    with observatory.store.write() as tx:
        account = ensure_local_account(tx, now)
        scope = Scope(account.account_key, project_id, environment_id)
        save_projects(tx, account.account_key, (Project(project_id=project_id, name=project_name),))
        place = Environment(environment_id=environment_id, project_id=project_id, name=environment_name)
        save_environments(tx, account.account_key, (place,))
        manifest_key = None
        if target.manifest is not None:
            manifest_key = save_manifest(tx, scope, target.manifest, target.fingerprint, now)
        if found is not None:
            save_invocation(
                tx, scope, _invocation(target), target.results, target.sources, manifest_key=manifest_key, now=now
            )
        if target.catalog is not None:
            save_catalog(tx, scope, target.catalog, now)


def _invocation(target: Target) -> Invocation:
    found = target.results or target.sources or target.catalog or target.manifest
    assert found is not None  # noqa: S101  read_target raises where there is nothing
    metadata = found.metadata
    moment = metadata.generated_at.isoformat() if metadata.generated_at else ""
    return Invocation(
        invocation_id=metadata.invocation_id or f"ingested-{local_id(f'{metadata.schema_name}{moment}')}",
        command=f"dbt {target.results.command}"
        if target.results
        else "dbt source freshness"
        if target.sources
        else "dbt",
        dbt_version=metadata.dbt_version,
        adapter_type=target.manifest.metadata.adapter_type if target.manifest else metadata.adapter_type,
        generated_at=metadata.generated_at,
        elapsed=target.results.elapsed if target.results else target.sources.elapsed if target.sources else None,
    )


def _command(target: Target) -> str:
    if target.results is not None:
        return f"dbt {target.results.command}"
    return "dbt source freshness" if target.sources is not None else "dbt"


def _count(statuses: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(statuses).items()))


def _describe(target: Target) -> IngestReport:
    nodes = target.manifest.nodes if target.manifest is not None else ()
    ids = {node.unique_id for node in nodes}
    pairs = {(parent, node.unique_id) for node in nodes for parent in node.parents}
    edges = sum(parent in ids for parent, _ in pairs)
    found = target.results or target.sources or target.manifest or target.catalog
    return IngestReport(
        invocation_id=found.metadata.invocation_id if found else None,
        command=target.results.command if target.results else None,
        dbt_version=found.metadata.dbt_version if found else None,
        nodes=_count(node.resource_type for node in nodes),
        edges=edges,
        dangling_edges=len(pairs) - edges,
        executions=dict(sorted(Counter(row.status for row in target.results.executions).items()))
        if target.results
        else {},
        freshness=_count(row.status for row in target.sources.results) if target.sources else {},
        warnings=target.warnings,
    )


def _find_or_add_account(observatory: Observatory, address: AccountAddress, now: datetime) -> Account:
    with observatory.store.write() as tx:
        account = find_account_by_address(tx, address)
        if account is not None:
            return account
        names = {known.name for known in list_accounts(tx)}
        name = f"account-{address.account_id}"
        return save_account(tx, name if name not in names else f"{name}-{len(names)}", address, now)
