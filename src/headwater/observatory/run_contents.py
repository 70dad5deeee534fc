"""What a run brought, which is much, and worked out once for as long as nothing new is stored of its account."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.observatory.cause_reports import RunCauseSummary
from headwater.observatory.node_reports import ChangesReport
from headwater.observatory.reports import ExecutionSummary
from headwater.store.rows import ExecutionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContents:
    """The executions of a run, as stored and as told, which of them decided how long it took, why it went wrong."""

    rows: tuple[ExecutionRow, ...]
    executions: tuple[ExecutionSummary, ...]
    critical_path: tuple[str, ...]
    causes: tuple[RunCauseSummary, ...]
    changes: ChangesReport | None
