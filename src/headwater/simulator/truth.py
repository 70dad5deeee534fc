"""What is true of every run, told without tokens: what tests compare Headwater's store with."""

from datetime import datetime
from typing import Any

import msgspec

from headwater.simulator.artifacts import PARTIAL, files_of, invocation_id
from headwater.simulator.cloud import Cloud
from headwater.simulator.plans import FINAL, RunPlan, StepPlan
from headwater.simulator.query import Query
from headwater.simulator.recordings import RecordedStep
from headwater.simulator.times import iso


class _Result(msgspec.Struct):
    unique_id: str
    status: str
    execution_time: float = 0.0


class _Results(msgspec.Struct):
    results: list[_Result] = []


class Truth:
    """Reads plans and recordings, and nothing that goes over the wire."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._results: dict[str, list[_Result]] = {}

    def document(self, query: Query) -> dict[str, Any]:
        """Every account and its runs; `account_id`, `run_id` and `executions=false` make it smaller."""
        now = self._cloud.now()
        only_account, only_run = query.last("account_id"), query.last("run_id")
        with_executions = query.last("executions") != "false"
        accounts = [
            {
                "id": account.id,
                "name": account.name,
                "runs": [
                    self._run(plan, now, with_executions=with_executions)
                    for plan in self._cloud.runs_of(account.id, now)
                    if only_run in (None, str(plan.id))
                ],
            }
            for account in self._cloud.world.accounts
            if only_account in (None, str(account.id))
        ]
        return {"now": iso(now), "accounts": accounts}

    def _run(self, plan: RunPlan, now: datetime, *, with_executions: bool) -> dict[str, Any]:
        is_over = plan.status_at(now) in FINAL
        job = self._cloud.jobs[plan.job.id]
        return {
            "id": plan.id,
            "job_id": job.id,
            "job_name": job.name,
            "project_id": job.project_id,
            "environment_id": plan.job.environment_id,
            "status": plan.status_at(now),
            "created_at": iso(plan.created_at),
            "started_at": iso(plan.started_at) if plan.started_at and plan.started_at <= now else None,
            "finished_at": iso(self._cloud.finished_at(plan, now)),
            "ended_at": iso(plan.ended_at) if is_over else None,
            "retrying_run_id": plan.retrying_run_id,
            "trigger_category": plan.trigger.category,
            "trigger_cause": plan.trigger.cause,
            "recording_id": plan.recording.id if plan.recording else None,
            "scenario": plan.recording.scenario if plan.recording else None,
            "revision": plan.recording.revision if plan.recording else None,
            "git_sha": plan.git_sha,
            "steps": [self._step(plan, step, now, with_executions=with_executions) for step in plan.steps_at(now)],
        }

    def _step(self, plan: RunPlan, step: StepPlan, now: datetime, *, with_executions: bool) -> dict[str, Any]:
        recorded = step.recorded
        is_kept = plan.ended_at <= now and plan.has_artifacts
        files = sorted(files_of(self._cloud, plan, step)) if is_kept else []
        own = set(files) & set(recorded.artifacts) if recorded else set()
        document: dict[str, Any] = {
            "index": step.index,
            "name": step.name,
            "command": step.command,
            "kind": recorded.kind if recorded else None,
            "status": step.status if step.finished_at <= now else 3,
            "started_at": iso(step.started_at),
            "finished_at": iso(step.finished_at) if step.finished_at <= now else None,
            "artifacts": files,
            "invocation_id": invocation_id(self._cloud, plan, step) if own else None,
        }
        if with_executions and recorded:
            stretch = _stretch(step, recorded)
            document["executions"] = [
                {
                    "unique_id": r.unique_id,
                    "status": PARTIAL if r.unique_id in step.failed_batches else r.status,
                    "execution_time": r.execution_time * stretch,
                }
                for r in (self._of(recorded, "run_results.json") if "run_results.json" in own else ())
            ]
            document["freshness"] = [
                {"unique_id": r.unique_id, "status": r.status}
                for r in (self._of(recorded, "sources.json") if "sources.json" in own else ())
            ]
        return document

    def _of(self, recorded: RecordedStep, name: str) -> list[_Result]:
        member = recorded.artifacts[name]
        if member not in self._results:
            data = self._cloud.archive.read(member)
            self._results[member] = msgspec.json.decode(data, type=_Results).results
        return self._results[member]


def _stretch(step: StepPlan, recorded: RecordedStep) -> float:
    length = (recorded.finished_at - recorded.started_at).total_seconds() or 1.0
    return (step.finished_at - step.started_at).total_seconds() / length
