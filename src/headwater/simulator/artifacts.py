"""The files of a run's steps: which there are, and their bytes at the time of the run."""

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from headwater.simulator.chance import uuid_of
from headwater.simulator.plans import RunPlan, StepPlan
from headwater.simulator.retime import Fill
from headwater.simulator.times import micros

if TYPE_CHECKING:
    from headwater.simulator.cloud import Cloud

PARTIAL = "partial success"
_TYPES = {"json": "application/json", "parquet": "application/x-parquet", "sql": "text/plain", "csv": "text/csv"}
_REASONS = {"scheduled": "scheduled", "ci": "github_pull_request"}
_RETIMED = frozenset({"manifest.json", "run_results.json", "sources.json", "catalog.json"})


def content_type(path: str) -> str:
    """The content type of an artifact by its name."""
    return _TYPES.get(path.rpartition(".")[2], "application/octet-stream")


def last_step(plan: RunPlan) -> StepPlan | None:
    """The step whose files an answer without `step` shows: the last that ran."""
    return plan.steps[-1] if plan.steps else None


def files_of(cloud: "Cloud", plan: RunPlan, step: StepPlan) -> dict[str, StepPlan]:
    """The files in `target/` after a step, each with the step that wrote it."""
    first = 0 if cloud.assumptions.steps_share_target else step.index - 1
    found: dict[str, StepPlan] = {}
    for writer in plan.steps[first : step.index]:
        if writer.recorded and writer.has_artifacts():
            found.update(dict.fromkeys(writer.recorded.artifacts, writer))
    return found


def artifact_bytes(cloud: "Cloud", plan: RunPlan, step: StepPlan, path: str) -> bytes | None:
    """A file as the run's step left it."""
    writer = files_of(cloud, plan, step).get(path)
    if writer is None or writer.recorded is None:
        return None
    member = writer.recorded.artifacts[path]
    if path not in _RETIMED:
        return bytes(cloud.archive.read(member))
    body = cloud.archive.artifact(member).fill(step_fill(cloud, plan, writer))
    return _with_failed_batches(body, writer) if writer.failed_batches and path == "run_results.json" else body


def _with_failed_batches(body: bytes, step: StepPlan) -> bytes:
    """Results as dbt writes them where one of two batches of a microbatch model failed (dbt 1.9, run_results v6)."""
    document = msgspec.json.decode(body)
    middle = step.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = [(middle + timedelta(days=day)).isoformat() for day in (-1, 0, 1)]
    for result in document["results"]:
        if result["unique_id"] in step.failed_batches:
            result["status"] = PARTIAL
            result["message"] = "PARTIAL SUCCESS (1/2)"
            result["batch_results"] = {"successful": [ends[:2]], "failed": [ends[1:]]}
    return msgspec.json.encode(document)


def invocation_id(cloud: "Cloud", plan: RunPlan, step: StepPlan) -> str:
    """The invocation that a step of a run was; the same in all its files."""
    return uuid_of(cloud.settings.seed, "invocation", plan.id, step.index)


def step_fill(cloud: "Cloud", plan: RunPlan, step: StepPlan) -> Fill:
    """What a step of a run puts into the recorded files."""
    recorded = step.recorded
    if recorded is None:
        raise ValueError(f"step {step.index} of run {plan.id} was not recorded")
    length = (recorded.finished_at - recorded.started_at).total_seconds() or 1.0
    words = {
        "ACCOUNT_ID": plan.job.account_id,
        "PROJECT_ID": plan.job.project_id,
        "JOB_ID": plan.job.id,
        "ENVIRONMENT_ID": plan.job.environment_id,
        "RUN_ID": plan.id,
        "RUN_REASON": plan.trigger.cause.replace("\\", "\\\\").replace('"', '\\"'),
        "RUN_REASON_CATEGORY": _REASONS.get(plan.trigger.category, "other"),
        "RUN_TRIGGER_CATEGORY": plan.trigger.category,
    }
    return Fill(
        recorded_at=micros(recorded.started_at),
        began_at=micros(step.started_at),
        stretch=(step.finished_at - step.started_at).total_seconds() / length,
        invocation_id=invocation_id(cloud, plan, step).encode(),
        words={f"__{name}__".encode(): str(value).encode() for name, value in words.items()},
        loaded_shift=plan.loaded_shift,
    )
