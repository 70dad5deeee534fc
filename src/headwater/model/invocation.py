"""An invocation: one dbt command, the executions and freshness results it brought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from headwater.model.node import ArtifactMetadata

EXECUTION_STATUSES = frozenset({
    "success", "error", "skipped", "pass", "fail", "warn", "partial success", "no-op", "reused", "runtime error",
})  # fmt: skip
"""The execution statuses dbt writes today; another one is kept as it came and counted as unknown."""

FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
"""The execution statuses that are bad news; `partial success` is a microbatch model with failed batches."""

NOT_EXECUTING = frozenset(
    {"compile", "generate", "docs generate", "parse", "list", "ls", "show", "deps", "debug", "clean", "docs"}
)
"""dbt commands whose results say nothing about the warehouse: their successes are only compilations."""


class Execution(Struct, frozen=True, gc=False, kw_only=True):
    """One node in one invocation. `elapsed` is dbt's execution_time, `failures` a test's failing rows.

    `started_at` and `finished_at` span compiling and executing; they are None where dbt wrote no timing (skipped).
    """

    unique_id: str
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    executing_at: datetime | None = None
    elapsed: timedelta | None = None
    thread: str | None = None
    message: str | None = None
    failures: int | None = None
    rows_affected: int | None = None
    bytes_processed: int | None = None
    query_id: str | None = None
    relation_name: str | None = None
    compiled_code: str | None = None

    @property
    def is_failed(self) -> bool:
        """Whether this execution is bad news."""
        return self.status in FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """One source check; `status` is pass, warn, error or runtime error, `age` how old the newest row was."""

    unique_id: str
    status: str
    max_loaded_at: datetime | None = None
    snapshotted_at: datetime | None = None
    age: timedelta | None = None
    warn_after: timedelta | None = None
    error_after: timedelta | None = None
    elapsed: timedelta | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResults:
    """The content of one run_results.json. `executions` is empty for commands that execute nothing.

    `variables` are those given with `--vars`, as text by name; None where the file does not tell them.
    """

    metadata: ArtifactMetadata
    command: str
    elapsed: timedelta | None
    executions: tuple[Execution, ...]
    is_executing: bool = True
    unknown_statuses: tuple[str, ...] = ()
    variables: dict[str, str] | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The content of one sources.json."""

    metadata: ArtifactMetadata
    elapsed: timedelta | None
    results: tuple[Freshness, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One dbt command of a run step (or of an ingested folder, without a run)."""

    invocation_id: str
    command: str
    step_index: int | None = None
    dbt_version: str | None = None
    adapter_type: str | None = None
    generated_at: datetime | None = None
    elapsed: timedelta | None = None


def counts_as_failure(status: str) -> bool:
    """Whether an execution status is bad news."""
    return status in FAILED
