"""A run as a frozen timeline: everything that will happen to it is decided when it is planned."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from headwater.simulator.recordings import RecordedStep, Recording
from headwater.simulator.world import Job

QUEUED, STARTING, RUNNING, SUCCESS, ERROR, CANCELLED = 1, 2, 3, 10, 20, 30
FINAL = frozenset({SUCCESS, ERROR, CANCELLED})

RUNS, CLONE_FAILS, DEPS_FAILS = "runs", "clone fails", "deps fails"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What caused a run, with what it overrides."""

    cause: str
    category: str
    git_branch: str | None = None
    git_sha: str | None = None
    github_pull_request_id: int | None = None
    schema_override: str | None = None
    dbt_version_override: str | None = None
    threads_override: int | None = None
    target_name_override: str | None = None
    generate_docs_override: bool | None = None
    timeout_seconds_override: int | None = None
    steps_override: tuple[str, ...] | None = None
    actor: str | None = None
    """Who pressed the button, when it was a person."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a run; `recorded` where dbt really ran."""

    index: int
    name: str
    command: str | None
    started_at: datetime
    finished_at: datetime
    status: int
    recorded: RecordedStep | None = None
    failed_batches: frozenset[str] = frozenset()
    """The microbatch models of the step of which one batch failed."""

    def has_artifacts(self) -> bool:
        """Whether the step, once over, has files in its `target/`."""
        return self.status != CANCELLED and self.recorded is not None and bool(self.recorded.artifacts)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The whole life of a run."""

    id: int
    job: Job
    recording: Recording | None
    trigger: Trigger
    created_at: datetime
    dequeued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime
    outcome: int
    steps: tuple[StepPlan, ...]
    git_branch: str | None
    git_sha: str | None
    dbt_version: str
    status_message: str | None = None
    retrying_run_id: int | None = None
    blocked_by: int | None = None
    cancelled_by: str | None = None
    loaded_shift: int | None = None
    """How far the data in the sources is moved, in microseconds, when it does not move with the run."""
    amended_at: datetime | None = None
    """When the outcome was changed, after the end."""

    @property
    def has_docs(self) -> bool:
        """Whether the run made documentation."""
        return any(s.recorded and s.recorded.kind == "docs" and s.status == SUCCESS for s in self.steps)

    @property
    def has_sources(self) -> bool:
        """Whether the run measured the freshness of sources as its own step."""
        return any(s.recorded and s.recorded.kind == "freshness" for s in self.steps)

    @property
    def has_artifacts(self) -> bool:
        """Whether anything of the run will be kept."""
        return self.outcome != CANCELLED and any(step.has_artifacts() for step in self.steps)

    def status_at(self, now: datetime) -> int:
        """The run's status at a moment."""
        if now >= self.ended_at:
            return self.outcome
        if self.started_at and now >= self.started_at:
            return RUNNING
        return STARTING if self.dequeued_at and now >= self.dequeued_at else QUEUED

    def steps_at(self, now: datetime) -> tuple[StepPlan, ...]:
        """The steps that have begun at a moment."""
        return tuple(step for step in self.steps if step.started_at <= now)

    def with_failed_batches(self, models: frozenset[str]) -> "RunPlan":
        """This run, with a failed batch of some microbatch models: their step and the run end with an error."""
        step = next((step for step in reversed(self.steps) if step.recorded and step.recorded.kind == "command"), None)
        if step is None:
            raise ValueError("the run has no step that builds models")
        failed = replace(step, status=ERROR, failed_batches=models)
        steps = (*(other for other in self.steps if other.index < step.index), failed)
        return replace(self, steps=steps, outcome=ERROR, status_message=_failure(steps))

    def cancelled_at(self, moment: datetime, by: str) -> "RunPlan":
        """This run, cancelled at a moment: what had not begun never begins."""
        steps = tuple(
            step if step.finished_at <= moment else replace(step, finished_at=moment, status=CANCELLED)
            for step in self.steps_at(moment)
        )
        return replace(
            self,
            dequeued_at=_until(self.dequeued_at, moment),
            started_at=_until(self.started_at, moment),
            ended_at=moment,
            outcome=CANCELLED,
            steps=steps,
            status_message="Cancelled by user.",
            cancelled_by=by,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What the planning of one run needs."""

    job: Job
    recording: Recording | None
    trigger: Trigger
    created_at: datetime
    dbt_version: str
    connection_name: str
    git_branch: str | None
    git_sha: str | None
    stretch: float
    queued_for: float
    fate: str = RUNS
    retrying_run_id: int | None = None
    blocked_by: int | None = None
    loaded_shift: int | None = None


def plan_run(run_id: int, order: Order, chance: Random) -> RunPlan:
    """Decide the whole timeline of a run."""
    dequeued_at = order.created_at + timedelta(seconds=order.queued_for)
    started_at = dequeued_at + timedelta(seconds=chance.uniform(2.5, 9.0))
    steps = _steps(order, started_at, chance)
    failed = order.fate != RUNS or (order.recording is not None and not order.recording.succeeded)
    ended_at = steps[-1].finished_at + timedelta(seconds=chance.uniform(0.2, 1.4))
    return RunPlan(
        id=run_id,
        job=order.job,
        recording=order.recording if order.fate == RUNS else None,
        trigger=order.trigger,
        created_at=order.created_at,
        dequeued_at=dequeued_at,
        started_at=started_at,
        ended_at=ended_at,
        outcome=ERROR if failed else SUCCESS,
        steps=steps,
        git_branch=order.git_branch,
        git_sha=None if order.fate == CLONE_FAILS else order.git_sha,
        dbt_version=order.trigger.dbt_version_override or order.dbt_version,
        status_message=_MESSAGES[order.fate] or (_failure(steps) if failed else None),
        retrying_run_id=order.retrying_run_id,
        blocked_by=order.blocked_by,
        loaded_shift=order.loaded_shift,
    )


_MESSAGES = {
    RUNS: None,
    CLONE_FAILS: "Failed to clone git repository. Please check your repository connection.",
    DEPS_FAILS: "This run failed because a package could not be installed.",
}


def _failure(steps: tuple[StepPlan, ...]) -> str:
    failed = next((step for step in steps if step.status == ERROR), steps[-1])
    return f"dbt command failed: {failed.command}" if failed.command else "This run failed."


def _steps(order: Order, begin: datetime, chance: Random) -> tuple[StepPlan, ...]:
    """Dbt Cloud's usual steps: clone, profile, deps, then what the recording holds."""
    override = order.trigger.schema_override
    suffix = f" (override schema to '{override}')" if override else ""
    fixed: list[tuple[str, str | None, float]] = [
        ("Clone git repository", None, chance.uniform(1.5, 5.0)),
        (f"Create profile from connection {order.connection_name}{suffix}", None, chance.uniform(0.3, 1.2)),
        ("Invoke dbt with `dbt deps`", "dbt deps", chance.uniform(2.0, 9.0)),
    ]
    if order.fate == CLONE_FAILS:
        del fixed[1:]
    steps: list[StepPlan] = []
    clock = begin
    for name, command, seconds in fixed:
        end = clock + timedelta(seconds=seconds)
        steps.append(StepPlan(len(steps) + 1, name, command, clock, end, SUCCESS))
        clock = end + timedelta(seconds=chance.uniform(0.1, 0.6))
    if order.fate != RUNS:
        steps[-1] = replace(steps[-1], status=ERROR)
        return tuple(steps)
    for recorded in order.recording.steps if order.recording else ():
        if recorded.command.strip() == "dbt deps":
            continue
        end = clock + (recorded.finished_at - recorded.started_at) * order.stretch
        status = SUCCESS if recorded.succeeded else ERROR
        name = f"Invoke dbt with `{recorded.command}`"
        steps.append(StepPlan(len(steps) + 1, name, recorded.command, clock, end, status, recorded))
        clock = end + timedelta(seconds=chance.uniform(0.3, 1.5))
    return tuple(steps)


def _until(moment: datetime | None, end: datetime) -> datetime | None:
    return moment if moment and moment <= end else None
