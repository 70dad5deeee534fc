"""Runs that others collected: sent by the SDK, or read from a dbt target folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from headwater.artifacts.target import Target, TargetInvocation, read_target
from headwater.collect import CollectedTarget, decode
from headwater.model.account import AccountAddress, Environment, Project, local_id
from headwater.model.airflow import name_task
from headwater.model.run import AirflowContext, Way
from headwater.observatory.aliases import find_sibling
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import IngestReport, InvocationSummary, ReceiveReport
from headwater.sdk.target import read_folder
from headwater.store.accounts import (
    LOCAL_ACCOUNT,
    ensure_local_account,
    list_accounts,
    save_account,
)
from headwater.store.aliases import find_account_by_any_address, save_alias
from headwater.store.catalog import save_catalog
from headwater.store.inventory import save_environments, save_projects
from headwater.store.invocation_queries import find_invocation
from headwater.store.invocations import save_invocation
from headwater.store.manifests import save_manifest
from headwater.store.rows import Account
from headwater.store.writing import Scope
from headwater.sync.record import record_run


def receive(observatory: Observatory, body: bytes) -> ReceiveReport:
    """Record what the SDK collected: a run, of an account that need not be connected, or a dbt target folder.

    Raises:
        ArtifactUnreadable: the body is neither.
    """
    collected = decode(body)
    now = observatory.store.now()
    if isinstance(collected, CollectedTarget):
        report = ingest_collected(observatory, collected)
        ids = tuple(one.invocation_id for one in report.invocations)
        is_new = any(one.is_new for one in report.invocations)
        return ReceiveReport(account=LOCAL_ACCOUNT, run_id=None, is_new=is_new, invocation_ids=ids)
    account = _find_or_add_account(observatory, collected.address, now)
    recorded = record_run(observatory.store, account.account_key, collected, Way.SDK, now)
    return ReceiveReport(account=account.name, run_id=collected.run.run_id, is_new=recorded.saved.is_new)


def ingest(
    observatory: Observatory,
    path: Path,
    *,
    project: str | None = None,
    environment: str | None = None,
    airflow: AirflowContext | None = None,
) -> IngestReport:
    """Read a dbt `target/` folder, or that of a project's folder, and store what it holds, with the task it is read in.

    Raises:
        NotKnown: the folder is not there or holds no dbt artifact.
        ArtifactUnreadable: none of its artifacts can be read.
    """
    collected = read_folder(path / "target" if (path / "target").is_dir() else path)
    assert collected is not None  # noqa: S101  only where something was there before
    asked = replace(collected, project=project, environment=environment, airflow=airflow)
    return ingest_collected(observatory, asked)


def ingest_collected(observatory: Observatory, collected: CollectedTarget) -> IngestReport:
    """Store what was read from a dbt target folder: each invocation in it as one of its own.

    Raises:
        ArtifactUnreadable: none of its artifacts can be read.
    """
    target = read_target(
        {file.name: file.body for file in collected.files},
        context=frozenset(file.name for file in collected.files if file.is_context),
        command=collected.command,
    )
    new = _save(observatory, target, collected)
    return _describe(target, collected, new)


def _save(observatory: Observatory, target: Target, collected: CollectedTarget) -> frozenset[str]:
    """Save a target's invocations and give the ids of those that were not known."""
    now = observatory.store.now()
    name = collected.project or (target.manifest.metadata.project_name if target.manifest else None) or "local"
    place = collected.environment or "local"
    project_id = local_id(f"project:{name}")
    environment_id = local_id(f"environment:{name}:{place}")
    new: set[str] = set()
    with observatory.store.write() as tx:
        account = ensure_local_account(tx, now)
        scope = Scope(account.account_key, project_id, environment_id)
        save_projects(tx, account.account_key, (Project(project_id=project_id, name=name),))
        environment = Environment(environment_id=environment_id, project_id=project_id, name=place)
        save_environments(tx, account.account_key, (environment,))
        manifest_key = None
        if target.manifest is not None:
            manifest_key = save_manifest(tx, scope, target.manifest, target.fingerprint, now)
        for one in target.invocations:
            if find_invocation(tx, account.account_key, one.invocation.invocation_id) is None:
                new.add(one.invocation.invocation_id)
            save_invocation(
                tx,
                scope,
                one.invocation,
                one.results,
                one.sources,
                manifest_key=manifest_key if one.has_lineage else None,
                airflow=collected.airflow if _is_of_task(one, collected) else None,
                now=now,
            )
            if one.catalog is not None:
                save_catalog(tx, scope, one.catalog, now)
    return frozenset(new)


def _is_of_task(one: TargetInvocation, collected: CollectedTarget) -> bool:
    """Whether an invocation ran where it was collected: it wrote a file that was not there before."""
    return any(file.name in one.files and not file.is_context for file in collected.files)


def _count(statuses: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(statuses).items()))


def _describe(target: Target, collected: CollectedTarget, new: frozenset[str]) -> IngestReport:
    nodes = target.manifest.nodes if target.manifest is not None else ()
    ids = {node.unique_id for node in nodes}
    pairs = {(parent, node.unique_id) for node in nodes for parent in node.parents}
    edges = sum(parent in ids for parent, _ in pairs)
    said = tuple(_describe_one(one, collected, new) for one in target.invocations)
    last = max(target.invocations, key=_rank, default=None)
    return IngestReport(
        invocation_id=last.invocation.invocation_id if last else None,
        command=last.results.command if last and last.results else None,
        dbt_version=last.invocation.dbt_version if last else None,
        nodes=_count(node.resource_type for node in nodes),
        edges=edges,
        dangling_edges=len(pairs) - edges,
        executions=_count(row.status for one in target.invocations if one.results for row in one.results.executions),
        freshness=_count(row.status for one in target.invocations if one.sources for row in one.sources.results),
        invocations=said,
        warnings=(*collected.warnings, *target.warnings),
    )


def _rank(one: TargetInvocation) -> tuple[bool, bool]:
    """Prefer the invocation that ran something, then the one that checked sources."""
    return one.results is not None, one.sources is not None


def _describe_one(one: TargetInvocation, collected: CollectedTarget, new: frozenset[str]) -> InvocationSummary:
    task = collected.airflow if _is_of_task(one, collected) else None
    return InvocationSummary(
        invocation_id=one.invocation.invocation_id,
        command=one.invocation.command,
        status=one.status,
        generated_at=one.invocation.generated_at,
        artifacts=one.files,
        has_lineage=one.has_lineage,
        is_new=one.invocation.invocation_id in new,
        airflow=None if task is None else name_task(task),
        executions=_count(row.status for row in one.results.executions) if one.results else {},
        freshness=_count(row.status for row in one.sources.results) if one.sources else {},
    )


def _find_or_add_account(observatory: Observatory, address: AccountAddress, now: datetime) -> Account:
    with observatory.store.write() as tx:
        account = find_account_by_any_address(tx, address)
        if account is not None:
            return account
        sibling = find_sibling(tx, address)
        if sibling is not None:
            save_alias(tx, sibling, address.origin, now)
            return sibling
        names = {known.name for known in list_accounts(tx)}
        name = f"account-{address.account_id}"
        return save_account(tx, name if name not in names else f"{name}-{len(names)}", address, now)
