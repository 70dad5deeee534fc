"""Runs that others collected: sent by the SDK, or read from a dbt target folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from headwater.artifacts.target import Target, TargetInvocation, read_target
from headwater.collect import CollectedTarget, decode
from headwater.model.account import UNKNOWN_ORIGIN, AccountAddress, Environment, Project, local_id
from headwater.model.airflow import name_task
from headwater.model.node import ArtifactMetadata
from headwater.model.run import AirflowContext, Run, RunStatus, Way
from headwater.observatory.aliases import find_sibling
from headwater.observatory.evaluating import evaluate_stored
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import IngestReport, InvocationSummary, ReceiveReport
from headwater.sdk.target import read_folder
from headwater.store.accounts import (
    LOCAL_ACCOUNT,
    ensure_local_account,
    find_accounts_by_id,
    lock_accounts,
    name_account,
    save_account,
    settle_account,
)
from headwater.store.aliases import find_account_by_any_address, save_alias
from headwater.store.catalog import save_catalog
from headwater.store.inventory import save_environments, save_projects
from headwater.store.invocation_queries import find_invocation
from headwater.store.invocations import save_invocation
from headwater.store.manifests import save_manifest
from headwater.store.rows import Account
from headwater.store.run_queries import find_run_accounts
from headwater.store.runs import save_run
from headwater.store.writing import Scope
from headwater.sync.record import record_run


def receive(observatory: Observatory, body: bytes, now: datetime) -> ReceiveReport:
    """Record what the SDK collected: a run, of an account that need not be connected, or a dbt target folder.

    It counts as seen at `now`, when it was accepted.

    Raises:
        ArtifactUnreadable: the body is neither.
    """
    collected = decode(body)
    if isinstance(collected, CollectedTarget):
        received = _describe_received(_ingest(observatory, collected, now).invocations)
        observatory.stored.set()
        return received
    account = _find_or_add_account(observatory, collected.address, now)
    recorded = record_run(observatory.store, account.account_key, collected, Way.SDK, now)
    observatory.stored.set()
    return ReceiveReport(account=account.name, run_id=collected.run.run_id, is_new=recorded.saved.is_new)


def _describe_received(invocations: tuple[InvocationSummary, ...]) -> ReceiveReport:
    homes = {(one.account, one.run_id) for one in invocations}
    account, run_id = homes.pop() if len(homes) == 1 else (LOCAL_ACCOUNT, None)
    return ReceiveReport(
        account=account,
        run_id=run_id,
        is_new=any(one.is_new for one in invocations),
        invocation_ids=tuple(one.invocation_id for one in invocations),
    )


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
    return ingest_collected(observatory, asked, observatory.store.now())


def ingest_collected(observatory: Observatory, collected: CollectedTarget, now: datetime) -> IngestReport:
    """Store what was read from a dbt target folder: each invocation in it as one of its own.

    One that dbt Cloud ran becomes part of its run, of an account that need not be connected.

    Raises:
        ArtifactUnreadable: none of its artifacts can be read.
    """
    report = _ingest(observatory, collected, now)
    evaluate_stored(observatory)
    return report


def _ingest(observatory: Observatory, collected: CollectedTarget, now: datetime) -> IngestReport:
    target = read_target(
        {file.name: file.body for file in collected.files},
        context=frozenset(file.name for file in collected.files if file.is_context),
        command=collected.command,
    )
    return _describe(target, collected, _save(observatory, target, collected, now))


@dataclass(frozen=True, slots=True)
class _Home:
    """Where an invocation belongs: to a run of dbt Cloud's, or to a place of the local account."""

    account: Account
    scope: Scope
    run_id: int | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """An invocation of a target folder as it was stored."""

    one: TargetInvocation
    home: _Home
    is_new: bool


def _save(observatory: Observatory, target: Target, collected: CollectedTarget, now: datetime) -> tuple[_Stored, ...]:
    stored: list[_Stored] = []
    manifest_keys: dict[Scope, int] = {}
    with observatory.store.write() as tx:
        lock_accounts(tx)
        homes = [
            _find_run(tx, one.metadata, now) or _find_local(tx, target, collected, now) for one in target.invocations
        ]
    # Of several accounts the locks are taken in one order.
    placed = sorted(zip(target.invocations, homes, strict=True), key=lambda each: each[1].account.account_key)
    with observatory.store.write() as tx:
        for one, home in placed:
            task = _find_task(one, collected)
            if home.run_id is not None:
                seen = _tell_run(one.metadata, home.run_id)
                save_run(tx, home.account.account_key, seen, Way.INGEST, now, context=task)
            if target.manifest is not None and one.has_lineage and home.scope not in manifest_keys:
                manifest_keys[home.scope] = save_manifest(tx, home.scope, target.manifest, target.fingerprint, now)
            known = find_invocation(tx, home.account.account_key, one.invocation.invocation_id)
            _save_one(tx, home, one, manifest_keys.get(home.scope) if one.has_lineage else None, task, now)
            stored.append(_Stored(one, home, is_new=known is None))
    return tuple(sorted(stored, key=lambda each: target.invocations.index(each.one)))


def _find_run(tx: Connection, metadata: ArtifactMetadata, now: datetime) -> _Home | None:
    """Find the run of dbt Cloud's that an artifact names; it does not say where its account is, only the id."""
    if metadata.run_id is None or metadata.account_id is None:
        return None
    accounts = find_accounts_by_id(tx, metadata.account_id)
    if len(accounts) > 1:
        keys = find_run_accounts(tx, metadata.run_id)
        accounts = [account for account in accounts if account.account_key in keys]
    elif not accounts:
        unknown = AccountAddress(UNKNOWN_ORIGIN, metadata.account_id)
        accounts = [save_account(tx, name_account(tx, metadata.account_id), unknown, now)]
    if len(accounts) != 1:
        return None
    (account,) = accounts
    scope = Scope(account.account_key, metadata.project_id or 0, metadata.environment_id or 0)
    return _Home(account, scope, metadata.run_id)


def _tell_run(metadata: ArtifactMetadata, run_id: int) -> Run:
    """Tell what an artifact knows of its run; how that stands it does not."""
    return Run(
        run_id=run_id,
        status=RunStatus.UNKNOWN,
        project_id=metadata.project_id,
        environment_id=metadata.environment_id,
        job_id=metadata.job_id,
    )


def _find_local(tx: Connection, target: Target, collected: CollectedTarget, now: datetime) -> _Home:
    name = collected.project or (target.manifest.metadata.project_name if target.manifest else None) or "local"
    place = collected.environment or "local"
    project_id = local_id(f"project:{name}")
    environment_id = local_id(f"environment:{name}:{place}")
    account = ensure_local_account(tx, now)
    save_projects(tx, account.account_key, (Project(project_id=project_id, name=name),))
    environment = Environment(environment_id=environment_id, project_id=project_id, name=place)
    save_environments(tx, account.account_key, (environment,))
    return _Home(account, Scope(account.account_key, project_id, environment_id), None)


def _find_task(one: TargetInvocation, collected: CollectedTarget) -> AirflowContext | None:
    """Find the task an invocation ran in: where it was collected, if it wrote a file that was not there before."""
    is_new = any(file.name in one.files and not file.is_context for file in collected.files)
    return collected.airflow if is_new else None


def _save_one(
    tx: Connection, home: _Home, one: TargetInvocation, manifest_key: int | None, task: AirflowContext | None,
    now: datetime,
) -> None:  # fmt: skip
    save_invocation(
        tx,
        home.scope,
        one.invocation,
        one.results,
        one.sources,
        manifest_key=manifest_key,
        run_id=home.run_id,
        airflow=task,
        now=now,
    )
    if one.catalog is not None:
        save_catalog(tx, home.scope, one.catalog, now)


def _count(statuses: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(statuses).items()))


def _describe(target: Target, collected: CollectedTarget, stored: tuple[_Stored, ...]) -> IngestReport:
    nodes = target.manifest.nodes if target.manifest is not None else ()
    ids = {node.unique_id for node in nodes}
    pairs = {(parent, node.unique_id) for node in nodes for parent in node.parents}
    edges = sum(parent in ids for parent, _ in pairs)
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
        invocations=tuple(
            _describe_one(each.one, each.home, _find_task(each.one, collected), is_new=each.is_new) for each in stored
        ),
        warnings=(*collected.warnings, *target.warnings, *_each_stranger(stored)),
    )


def _rank(one: TargetInvocation) -> tuple[bool, bool]:
    """Prefer the invocation that ran something, then the one that checked sources."""
    return one.results is not None, one.sources is not None


def _each_stranger(stored: tuple[_Stored, ...]) -> Iterator[str]:
    for each in stored:
        told = each.one.metadata
        if each.home.run_id is None and told.run_id is not None:
            reason = (
                "it names no account" if told.account_id is None else f"there are several accounts {told.account_id}"
            )
            yield (
                f"{each.one.invocation.invocation_id} was part of run {told.run_id} of dbt Cloud, but {reason}: it is "
                "kept without its run."
            )


def _describe_one(
    one: TargetInvocation, home: _Home, task: AirflowContext | None, *, is_new: bool
) -> InvocationSummary:
    return InvocationSummary(
        account=home.account.name,
        run_id=home.run_id,
        invocation_id=one.invocation.invocation_id,
        command=one.invocation.command,
        status=one.status,
        generated_at=one.invocation.generated_at,
        artifacts=one.files,
        has_lineage=one.has_lineage,
        is_new=is_new,
        airflow=None if task is None else name_task(task),
        executions=_count(row.status for row in one.results.executions) if one.results else {},
        freshness=_count(row.status for row in one.sources.results) if one.sources else {},
    )


def _find_or_add_account(observatory: Observatory, address: AccountAddress, now: datetime) -> Account:
    with observatory.store.write() as tx:
        lock_accounts(tx)
        known = find_account_by_any_address(tx, address)
        if known is not None:
            return known
        sibling = find_sibling(tx, address)
        if sibling is not None:
            save_alias(tx, sibling, address.origin, now)
            return sibling
        settled = settle_account(tx, address)
        return settled or save_account(tx, name_account(tx, address.account_id), address, now)
