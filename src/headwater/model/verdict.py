"""A verdict: in what state a node is, since when, and what caused that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NodeState(StrEnum):
    """In what state a node is in one environment; the worst that holds is said."""

    HEALTHY = "healthy"
    FAILED = "failed"
    SKIPPED = "skipped"
    TEST_FAILING = "test-failing"
    WARNED = "warned"
    STALE = "stale"
    LATE = "late"
    MISSING = "missing"
    ANOMALOUS = "anomalous"
    UNKNOWN = "unknown"

    @property
    def is_good(self) -> bool:
        """Whether nobody need look: healthy, or nothing bad is known."""
        return self in _GOOD


_GOOD = frozenset({NodeState.HEALTHY, NodeState.UNKNOWN})


class CauseKind(StrEnum):
    """What brought a bad state about."""

    CODE_CHANGED = "code_changed"
    UPSTREAM_CODE_CHANGED = "upstream_code_changed"
    CONFIGURATION_CHANGED = "configuration_changed"
    MACRO_CHANGED = "macro_changed"
    PACKAGE_CHANGED = "package_changed"
    VARIABLE_CHANGED = "variable_changed"
    SEED_CHANGED = "seed_changed"
    COLUMNS_CHANGED = "columns_changed"
    CONTRACT_BREACH = "contract_breach"
    SOURCE_STALE = "source_stale"
    SOURCE_MISSING = "source_missing"
    RELATION_MISSING = "relation_missing"
    TEST_FAILED = "test_failed"
    DATA_CHANGED = "data_changed"
    NODE_FAILED = "node_failed"
    CONCURRENT_RUNS = "concurrent_runs"
    WAREHOUSE_TROUBLE = "warehouse_trouble"
    RUN_FAILED_BEFORE_DBT = "run_failed_before_dbt"
    RUN_CANCELLED = "run_cancelled"
    RUN_QUEUED = "run_queued"
    RUN_NOT_STARTED = "run_not_started"
    RUN_SLOW = "run_slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What explains a bad state: its kind, its subject, since when, how sure (0 to 1), and sentences that show it.

    The subject is a node or a run; a cause that lies in a run (git, the queue, the warehouse) has no node. `about`
    names what neither is: a package, a variable, the job that did not start, the kind of warehouse trouble, what failed
    before dbt. `failed` is the node whose failure it explains.
    """

    kind: CauseKind
    confidence: float
    evidence: tuple[str, ...]
    unique_id: str | None = None
    run_id: int | None = None
    since: datetime | None = None
    about: str | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the way from a bad node to its cause: a node with its status in a run, or what is no node."""

    name: str
    unique_id: str | None = None
    status: str | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state of a node at a moment, since when, when it was last good, and the causes, most likely first.

    `reason` says in a sentence what the state is read from; `path` leads from the node to its likeliest cause;
    `past` says of what is well again how it was bad and what repaired it. What `is_passed_on` is in the data, so that
    what is built from the node has it too.
    """

    unique_id: str
    state: NodeState
    reason: str
    since: datetime | None = None
    last_good_at: datetime | None = None
    causes: tuple[Cause, ...] = ()
    path: tuple[Step, ...] = ()
    past: str | None = None
    is_passed_on: bool = False
