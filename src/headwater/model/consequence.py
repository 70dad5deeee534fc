"""What a fault leads to: who suffers what, who does not yet, and how to get out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from headwater.model.lineage import NodeAddress


class Suffering(StrEnum):
    """What a node suffers from a fault."""

    FAILED = "failed"
    SKIPPED = "skipped"
    TEST_FAILING = "test-failing"
    BUILT_FROM_BAD_DATA = "built-from-bad-data"
    READS_BAD_DATA = "reads-bad-data"
    NOT_REBUILT = "not-rebuilt"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a fault comes to light: a node that is bad by itself from a time on, and what it suffers.

    Its readers get it, too, unless it is not passed on: its data are as they should be. `until` is when it was well
    again; who read it before has it still.
    """

    address: NodeAddress
    since: datetime
    suffers: Suffering
    run_id: int | None = None
    is_passed_on: bool = True
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A node that suffers: since when, the run and time of what shows it, and which bad node it was made from."""

    address: NodeAddress
    suffers: Suffering
    since: datetime | None
    run_id: int | None = None
    at: datetime | None = None
    read: NodeAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """A node below a fault that was built before it; the fault reaches it when it is built next."""

    address: NodeAddress
    built_at: datetime | None
    run_id: int | None = None
    job_id: int | None = None
    next_run_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What to build again in one project: dbt's selectors, the nodes, and how long that should take."""

    project_id: int
    environment_id: int
    select: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    nodes: tuple[NodeAddress, ...] = ()
    job_ids: tuple[int, ...] = ()
    expected: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """All that a fault leads to; exposures first among the affected, then the widest reach.

    `unvouched` are the tests that could not speak, `failing` those that do. `jobs` count the affected nodes of each.
    """

    affected: tuple[Affected, ...] = ()
    spared: tuple[Spared, ...] = ()
    unvouched: tuple[NodeAddress, ...] = ()
    failing: tuple[NodeAddress, ...] = ()
    jobs: dict[int, int] = field(default_factory=dict)
    reruns: tuple[Rerun, ...] = ()
    notes: tuple[str, ...] = ()
