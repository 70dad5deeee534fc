"""Small runs, nodes, manifests and results, made in one line."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from headwater.model.account import AccountAddress
from headwater.model.invocation import Execution, Freshness, Invocation, RunResults, Sources
from headwater.model.node import ArtifactMetadata, Column, Group, Macro, Manifest, Node, Owner, Relation
from headwater.model.run import Run, RunStatus
from headwater.store.accounts import save_account
from headwater.store.database import Store
from headwater.store.writing import Scope

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADDRESS = AccountAddress("https://cloud.getdbt.example", 42)


def at(hours: float) -> datetime:
    return T0 + hours * HOUR


def new_account(store: Store, name: str = "acme", address: AccountAddress = ADDRESS) -> int:
    with store.write() as tx:
        return save_account(tx, name, address, T0).account_key


def new_scope(store: Store) -> Scope:
    return Scope(new_account(store), 1, 2)


def make_run(run_id: int = 1, status: RunStatus = RunStatus.SUCCESS, **facts: object) -> Run:
    usual = {"project_id": 1, "environment_id": 2, "job_id": 3, "created_at": T0, "updated_at": T0 + HOUR}
    if status.is_finished:
        usual |= {"started_at": T0 + MINUTE, "finished_at": T0 + HOUR}
    return Run(run_id=run_id, status=status, **{**usual, **facts})


def make_node(number: int, salt: object = 0, **facts: object) -> Node:
    usual = {
        "unique_id": f"model.shop.m{number}",
        "resource_type": "model",
        "name": f"m{number}",
        "version": hashlib.blake2b(f"{number}/{salt}/{sorted(facts.items())}".encode(), digest_size=16).digest(),
        "code_version": b"c" * 16,
        "relation": Relation("db", "main", f"m{number}"),
        "materialized": "table",
        "tags": ("nightly",),
        "columns": (Column(name="id", data_type="int"),),
        "parents": (f"model.shop.m{number - 1}",) if number else (),
        "raw_code": f"select {salt!r}",
    }
    return Node(**{**usual, **facts})


def make_manifest(
    nodes: tuple[Node, ...], generated_at: datetime | None = T0, macros: tuple[Macro, ...] = ()
) -> Manifest:
    content = hashlib.blake2b(b"".join(thing.version for thing in (*nodes, *macros)), digest_size=16).digest()
    groups = (Group(name="finance", owner=Owner(name="Fay", email="fay@shop.example")),)
    metadata = ArtifactMetadata(
        dbt_version="1.11.0", generated_at=generated_at, project_name="shop", adapter_type="duckdb"
    )
    return Manifest(metadata=metadata, content=content, nodes=nodes, macros=macros, groups=groups)


def make_results(*executions: Execution, is_executing: bool = True) -> RunResults:
    return RunResults(
        metadata=ArtifactMetadata(), command="build", elapsed=MINUTE, executions=executions, is_executing=is_executing
    )


def make_execution(number: int, status: str = "success", **facts: object) -> Execution:
    usual = {
        "started_at": T0 + number * SECOND,
        "executing_at": T0 + number * SECOND,
        "finished_at": T0 + (number + 2) * SECOND,
        "elapsed": 2 * SECOND,
        "thread": "Thread-1",
        "message": "OK",
        "rows_affected": 7,
        "compiled_code": f"select {number}",
    }
    return Execution(status=status, **{"unique_id": f"model.shop.m{number}", **usual, **facts})


def make_invocation(invocation_id: str = "inv-1", **facts: object) -> Invocation:
    usual = {"command": "dbt build", "step_index": 1, "dbt_version": "1.11.0", "generated_at": T0}
    return Invocation(invocation_id=invocation_id, **{**usual, **facts})


def make_sources(*results: Freshness) -> Sources:
    return Sources(metadata=ArtifactMetadata(), elapsed=MINUTE, results=results)
