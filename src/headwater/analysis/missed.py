"""Why a run that should have built a node did not come to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from headwater.analysis.failures import FailureKind, classify_failure, find_variable, first_line
from headwater.analysis.lateness import JobFacts
from headwater.analysis.states import Judgement
from headwater.model.run import Run, RunStatus, RunStep
from headwater.model.verdict import Cause, CauseKind

_ERROR_LINES = ("error", "fatal:", "failed", "exception")


def explain_missed(judgement: Judgement, job: JobFacts) -> Cause:
    """Explain a late node by its job: not started, queued, slow, cancelled, or failed before dbt executed anything.

    The newest of the judgement's runs is expected with its steps; a run whose failures are executions is explained by
    those, not here.
    """
    if not judgement.runs:
        return Cause(
            kind=CauseKind.RUN_NOT_STARTED,
            confidence=0.9,
            since=judgement.since,
            run_id=job.runs[0].run_id if job.runs else None,
            about=job.name,
            evidence=(judgement.reason, _newest(job)),
        )
    run, since = judgement.runs[0], judgement.since
    if not run.status.is_finished:
        return _unfinished(run, job, since)
    if run.status is RunStatus.CANCELLED:
        said = f"Run {run.run_id} of {job.name} was cancelled{_after(run)}."
        return Cause(kind=CauseKind.RUN_CANCELLED, confidence=0.93, run_id=run.run_id, since=since, evidence=(said,))
    return _failed_early(run, job, since)


def _unfinished(run: Run, job: JobFacts, since: datetime | None) -> Cause:
    if run.started_at is None:
        said = f"Run {run.run_id} of {job.name} was created{_when(run.created_at)} and still waits in the queue."
        return Cause(kind=CauseKind.RUN_QUEUED, confidence=0.9, run_id=run.run_id, since=since, evidence=(said,))
    said = f"Run {run.run_id} of {job.name} started{_when(run.started_at)} and is not over, much later than usual."
    return Cause(kind=CauseKind.RUN_SLOW, confidence=0.85, run_id=run.run_id, since=since, evidence=(said,))


def _failed_early(run: Run, job: JobFacts, since: datetime | None) -> Cause:
    step = next((step for step in run.steps if step.status is RunStatus.ERROR), None)
    told = (step.log if step else None) or run.status_message
    kind = classify_failure(told)
    where = f" in its step {step.name!r}" if step else ""
    what = "" if kind is FailureKind.UNKNOWN else f" ({kind})"
    said = f"Run {run.run_id} of {job.name} failed{where}{what} before it executed this node."
    line = find_error_line(told)
    trouble = kind.is_warehouse_trouble
    return Cause(
        kind=CauseKind.WAREHOUSE_TROUBLE if trouble else CauseKind.RUN_FAILED_BEFORE_DBT,
        confidence=0.9,
        run_id=run.run_id,
        since=since,
        evidence=(said, line) if line else (said,),
        about=_about(kind, told),
    )


def is_early_failure(steps: Sequence[RunStep], cause: Cause) -> bool:
    """Tell whether a run with these steps failed before dbt built anything, by what a cause tells of another run."""
    step = next((step for step in steps if step.status is RunStatus.ERROR), None)
    if step is None:
        return False
    kind = classify_failure(step.log)
    if cause.kind is CauseKind.WAREHOUSE_TROUBLE:
        return kind.is_warehouse_trouble
    return not kind.is_warehouse_trouble and _about(kind, step.log) == cause.about


def _about(kind: FailureKind, told: str | None) -> str | None:
    """Say what failed before dbt: git, packages, which variable, parsing; None where the log does not tell."""
    name = find_variable(told)
    return None if kind is FailureKind.UNKNOWN else f"{kind} {name}" if name else str(kind)


def find_error_line(log: str | None) -> str:
    """Find the line of a log that tells the error: the first behind the last heading that names one."""
    lines = [line.strip() for line in (log or "").splitlines() if line.strip()]
    for place in range(len(lines) - 1, -1, -1):
        if any(word in lines[place].lower() for word in _ERROR_LINES):
            is_heading = lines[place].rstrip().endswith("Error") and place + 1 < len(lines)
            return lines[place + 1 if is_heading else place][:300]
    return first_line(log)


def _newest(job: JobFacts) -> str:
    if not job.runs:
        return f"No run of {job.name} is stored."
    return f"Its newest run is {job.runs[0].run_id}, created{_when(job.runs[0].created_at)}."


def _after(run: Run) -> str:
    spent = run.elapsed
    return f" after {spent.total_seconds():,.0f} s" if spent else ""


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f" at {moment:%Y-%m-%d %H:%M} UTC"
