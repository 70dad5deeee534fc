"""Runs and their steps as JSON objects of the v2 API."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from headwater.simulator.artifacts import step_fill
from headwater.simulator.cloud import Cloud
from headwater.simulator.plans import (
    CANCELLED,
    ERROR,
    FINAL,
    QUEUED,
    RUNNING,
    STARTING,
    SUCCESS,
    RunPlan,
    StepPlan,
)  # fmt: skip
from headwater.simulator.shapes import environment_v2, internal_job, repository
from headwater.simulator.times import clock_span, humanized_ago, humanized_span, spaced

_STATUS_WORDS = {
    QUEUED: "Queued",
    STARTING: "Starting",
    RUNNING: "Running",
    SUCCESS: "Success",
    ERROR: "Error",
    CANCELLED: "Cancelled",
}
_COLOURS = {SUCCESS: "#21ba45", ERROR: "#db2828", CANCELLED: "#767676", RUNNING: "#2185d0"}
_LOG_LINES = 1_000
_FIRST_STEP_ID = 70_437_463_654_000


def step_id(run_id: int, index: int) -> int:
    """The id of a run's step; from it the run can be told again."""
    return _FIRST_STEP_ID + (run_id - _FIRST_STEP_ID) * 32 + index


def run_of_step(identifier: int) -> tuple[int, int]:
    """The run and the index of a step's id."""
    offset, index = divmod(identifier - _FIRST_STEP_ID, 32)
    return offset + _FIRST_STEP_ID, index


def run_object(cloud: Cloud, plan: RunPlan, now: datetime, related: frozenset[str]) -> dict[str, Any]:
    """A run (dbt Cloud API: RunResponse); what is not asked for in `related` is null or empty."""
    is_over = plan.status_at(now) in FINAL
    is_kept = is_over and plan.outcome != CANCELLED
    saved = is_over and plan.has_artifacts
    has_begun = _past(plan.started_at, now) is not None
    job = cloud.jobs[plan.job.id]
    return {
        "id": plan.id,
        "trigger_id": plan.id + 714_841,
        "account_id": job.account_id,
        "environment_id": plan.job.environment_id,
        "project_id": job.project_id,
        "job_definition_id": job.id,
        "job_id": job.id,
        "dbt_version": plan.dbt_version,
        "git_branch": plan.git_branch if has_begun else None,
        "git_sha": plan.git_sha if has_begun else None,
        "status_message": plan.status_message if is_over else None,
        "owner_thread_id": None,
        "executed_by_thread_id": f"scheduler-run-{plan.id}-{plan.id % 46_656:05x}" if has_begun else None,
        "deferring_run_id": cloud.deferring_run_id(plan),
        "artifacts_saved": saved,
        "artifact_s3_path": f"prod/runs/{plan.id}/artifacts/target" if saved else None,
        "has_docs_generated": is_kept and plan.has_docs,
        "has_sources_generated": is_kept and plan.has_sources,
        "notifications_sent": is_kept,
        "scribe_enabled": True,
        "deprecation": None,
        "href": f"{cloud.url}/deploy/{job.account_id}/projects/{job.project_id}/runs/{plan.id}/",
        "retrying_run_id": plan.retrying_run_id,
        "can_retry": cloud.why_no_retry(plan, now) is None,
        "retry_not_supported_reason": cloud.why_no_retry(plan, now),
        **_state(cloud, plan, now),
        **_times(cloud, plan, now),
        **_related(cloud, plan, now, related),
    }


def _state(cloud: Cloud, plan: RunPlan, now: datetime) -> dict[str, Any]:
    """The status, in every way in which a run tells it."""
    status = cloud.status_of(plan, now)
    is_over = plan.status_at(now) in FINAL
    return {
        "status": status,
        "status_humanized": _STATUS_WORDS.get(status, "Unknown"),
        "in_progress": not is_over,
        "is_complete": is_over,
        "is_success": status == SUCCESS,
        "is_error": status == ERROR,
        "is_cancelled": status == CANCELLED,
        "is_running": status == RUNNING,
        "blocked_by": [plan.blocked_by] if plan.blocked_by and status == QUEUED else [],
    }


def _times(cloud: Cloud, plan: RunPlan, now: datetime) -> dict[str, Any]:
    """The times of a run, and the spans between them."""
    is_over = plan.ended_at <= now
    finished_at, started_at = cloud.finished_at(plan, now), _past(plan.started_at, now)
    end = plan.ended_at if is_over else now
    spans = {
        "duration": end - plan.created_at,
        "queued_duration": (started_at or end) - plan.created_at,
        "run_duration": end - started_at if started_at else timedelta(0),
    }
    return {
        "created_at": spaced(plan.created_at),
        "updated_at": spaced(_updated_at(plan, now)),
        "dequeued_at": spaced(_past(plan.dequeued_at, now)),
        "started_at": spaced(started_at),
        "finished_at": spaced(finished_at),
        "last_checked_at": None,
        "last_heartbeat_at": None if is_over or not started_at else spaced(now),
        "should_start_at": spaced(plan.created_at) if plan.trigger.category == "scheduled" else None,
        **{name: clock_span(span) for name, span in spans.items()},
        **{f"{name}_humanized": humanized_span(span) for name, span in spans.items()},
        "created_at_humanized": humanized_ago(plan.created_at, now),
        "finished_at_humanized": humanized_ago(finished_at, now),
    }


def _related(cloud: Cloud, plan: RunPlan, now: datetime, related: frozenset[str]) -> dict[str, Any]:
    """What hangs on a run, as far as it was asked for."""
    job = cloud.jobs[plan.job.id]
    found: dict[str, Any] = {
        "trigger": trigger_object(plan) if "trigger" in related else None,
        "job": internal_job(job) if "job" in related else None,
        "environment": _environment(cloud, plan) if "environment" in related else None,
        "run_steps": steps_of(cloud, plan, now, related) if "run_steps" in related else [],
        "used_repo_cache": False if "used_repo_cache" in related else None,
        "audit": audit_object(plan) if "audit" in related else None,
    }
    if "repository" in related:
        found["repository"] = repository(cloud.world.projects[job.project_id])
    if "run_retries" in related:
        found["run_retries"] = [other.id for other in cloud.retries_of(plan)]
    return found


def trigger_object(plan: RunPlan) -> dict[str, Any]:
    """What caused a run (dbt Cloud API: RunTrigger)."""
    cause = plan.trigger
    document = asdict(cause)
    del document["actor"], document["category"]
    return {
        "id": plan.id + 714_841,
        **document,
        "cause_category": cause.category,
        "job_definition_id": plan.job.id,
        "azure_pull_request_id": None,
        "gitlab_merge_request_id": None,
        "non_native_pull_request_id": None,
        "created_at": spaced(plan.created_at),
    }


def audit_object(plan: RunPlan) -> dict[str, Any]:
    """Who started and who stopped a run (dbt Cloud API: RunAuditResult)."""

    def event(actor: str | None) -> dict[str, Any] | None:
        return {"actor": {"id": None, "type": "user", "name": actor}} if actor else None

    return {"trigger": event(plan.trigger.actor or "scheduler"), "cancellation": event(plan.cancelled_by)}


def steps_of(cloud: Cloud, plan: RunPlan, now: datetime, related: frozenset[str]) -> list[dict[str, Any]]:
    """The steps that have begun, with their logs."""
    return [step_object(cloud, plan, step, now, related) for step in plan.steps_at(now)]


def step_object(cloud: Cloud, plan: RunPlan, step: StepPlan, now: datetime, related: frozenset[str]) -> dict[str, Any]:
    """One step (dbt Cloud API: RunStepResponse); debug logs are cut unless they are asked for."""
    is_over = step.finished_at <= now
    status = step.status if is_over else RUNNING
    span = (step.finished_at if is_over else now) - step.started_at
    identifier = step_id(plan.id, step.index)
    logs, debug_logs = _logs(cloud, plan, step) if step.finished_at + cloud.faults.log_delay <= now else ("", "")
    truncated = "\n".join(debug_logs.splitlines()[-_LOG_LINES:])
    return {
        "id": identifier,
        "run_id": plan.id,
        "account_id": plan.job.account_id,
        "index": step.index,
        "status": status,
        "name": step.name,
        "logs": logs,
        "debug_logs": debug_logs if "debug_logs" in related else truncated,
        "log_path": f"prod/runs/{plan.id}/step_{step.index}.log" if is_over else None,
        "debug_log_path": f"prod/runs/{plan.id}/step_{step.index}.debug.log" if is_over else None,
        "truncated_debug_logs": truncated,
        "started_at": spaced(step.started_at),
        "finished_at": spaced(step.finished_at) if is_over else None,
        "created_at": spaced(step.started_at),
        "updated_at": spaced(step.finished_at if is_over else step.started_at),
        "status_humanized": _STATUS_WORDS[status],
        "status_color": _COLOURS.get(status, "#767676"),
        "duration": clock_span(span),
        "duration_humanized": humanized_span(span),
        "run_step_command": {"run_step_id": identifier, "dbt_command": step.command} if step.command else None,
        "run_step_invocation": {"run_step_id": identifier, "run_id": plan.id} if step.recorded else None,
    }


def _logs(cloud: Cloud, plan: RunPlan, step: StepPlan) -> tuple[str, str]:
    if step.recorded is None or step.recorded.log is None:
        text = _plain_log(plan, step)
        return text, text
    fill = step_fill(cloud, plan, step)
    log, debug = cloud.archive.log(step.recorded), cloud.archive.debug_log(step.recorded)
    return log.fill(fill).decode("utf-8", "replace"), debug.fill(fill).decode("utf-8", "replace")


def _plain_log(plan: RunPlan, step: StepPlan) -> str:
    clock = f"{step.finished_at:%H:%M:%S}"
    if step.status == ERROR:
        return f"{clock}  Encountered an error:\n{plan.status_message}\n"
    if step.index == 1:
        return f"Cloning into '/usr/src/app'...\nHEAD is now at {(plan.git_sha or '')[:7]}\n"
    if step.index == 2:
        return "Successfully created profile\n"
    packages = f"{clock}  Warning: No packages were found in packages.yml\n" if step.command == "dbt deps" else ""
    return f"{clock}  Running with dbt\n{packages}"


def _environment(cloud: Cloud, plan: RunPlan) -> dict[str, Any]:
    project = cloud.world.projects[plan.job.project_id]
    environment = next(e for e in project.environments if e.id == plan.job.environment_id)
    return environment_v2(environment, project, frozenset(), cloud)


def _updated_at(plan: RunPlan, now: datetime) -> datetime:
    if plan.ended_at <= now:
        return plan.amended_at or plan.ended_at + timedelta(milliseconds=72)
    moments = (plan.created_at, plan.dequeued_at, plan.started_at, *(s.finished_at for s in plan.steps))
    return max(moment for moment in moments if moment and moment <= now)


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment and moment <= now else None
