"""The first sentence of a page: what is the case, as a person would say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headwater.model.invocation import FAILED
from headwater.model.run import RunStatus
from headwater.store.rows import RunDetail

if TYPE_CHECKING:
    from headwater.observatory.reports import AccountSummary

_NAMED_FAILURES = 2
_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def describe_run(detail: RunDetail, now: datetime) -> str:
    """Say how a run went, how long it took, and what failed first."""
    run = detail.row.run
    job = detail.row.job_name or f"run {run.run_id}"
    if run.status is RunStatus.SUCCESS:
        return f"{job} succeeded in {_said(run.elapsed)}. {_say_nodes(detail)}".rstrip()
    if run.status is RunStatus.ERROR:
        return f"{job} failed after {_said(run.elapsed)}. {_say_failures(detail)}".rstrip()
    if run.status is RunStatus.CANCELLED:
        return f"{job} was cancelled. {run.status_message or ''}".rstrip()
    if run.status is RunStatus.RUNNING:
        since = now - run.started_at if run.started_at is not None else None
        return f"{job} has been running for {_said(since)}."
    if run.status is RunStatus.UNKNOWN:
        return f"{job} has a status that Headwater does not know: {run.status_code}."
    waiting = now - run.created_at if run.created_at is not None else None
    return f"{job} is {run.status} and has been waiting for {_said(waiting)}."


def describe_overview(accounts: Sequence[AccountSummary], failures_24h: int, runs_24h: int, incidents: int = 0) -> str:
    """Say in one sentence whether to worry."""
    if not accounts:
        return "No account is connected yet."
    trouble = [account for account in accounts if account.status in {"rejected", "failing"}]
    if trouble:
        first = trouble[0]
        others = f" So do {len(trouble) - 1} other accounts." if len(trouble) > 1 else ""
        return f"{first.account} needs attention: {first.sentence}{others}"
    if incidents:
        said = "1 incident goes on" if incidents == 1 else f"{incidents:,} incidents go on"
        return f"{said}. {failures_24h} of {runs_24h} runs failed in the last 24 hours."
    if failures_24h:
        return f"{failures_24h} of {runs_24h} runs failed in the last 24 hours."
    return f"All {runs_24h} runs of the last 24 hours went well." if runs_24h else "No run in the last 24 hours."


def say_span(seconds: float | None, *, unknown: str = "–") -> str:
    """Say a span with its unit: 0.4 s, 41 s, 3 min 12 s, 1 h 5 min, 6 h, 2 d 3 h."""
    if seconds is None:
        return unknown
    if seconds < 0:
        return "0 s"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s" if round(seconds, 1) % 1 else f"{seconds:.0f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in _UNITS:
        if whole >= size:
            count, rest = divmod(whole, size)
            rest //= smaller_size
            return f"{count:,} {unit} {rest} {smaller}" if rest else f"{count:,} {unit}"
    return f"{whole} s"


def _said(span: timedelta | None) -> str:
    return say_span(span.total_seconds() if span is not None else None, unknown="an unknown time")


def _say_nodes(detail: RunDetail) -> str:
    counts = detail.row.node_counts
    built, passed, warned = counts.get("success", 0), counts.get("pass", 0), counts.get("warn", 0)
    parts = [f"{built} built" if built else "", f"{passed} tests passed" if passed else ""]
    parts.append(f"{warned} warned" if warned else "")
    said = ", ".join(part for part in parts if part)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _say_failures(detail: RunDetail) -> str:
    failed = [row.execution for row in detail.executions if row.execution.status in FAILED]
    if not failed:
        step = next((step for step in detail.row.run.steps if step.status is RunStatus.ERROR), None)
        return f"It failed at step {step.index}, {step.name}." if step is not None else "No step says why."
    names = ", ".join(execution.unique_id.split(".", 2)[-1] for execution in failed[:_NAMED_FAILURES])
    more = f" and {len(failed) - _NAMED_FAILURES} more" if len(failed) > _NAMED_FAILURES else ""
    skipped = Counter(row.execution.status for row in detail.executions)["skipped"]
    because = f"; {skipped} skipped because of it" if skipped else ""
    return f"{names}{more} failed{because}."
