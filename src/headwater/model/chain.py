"""An attempt chain: a run and its retries and reruns, seen as one piece of work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from headwater.model.run import AirflowContext, Run, RunStatus, RunStep

_AGAIN = ("rerun", "retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a run says about being one of several attempts.

    `previous_run_id` is the run of its job before it, where it is a retry and names no run; `airflow_tasks` names the
    tasks, of one DAG run each, that triggered or collected it.
    """

    run_id: int
    status: RunStatus
    placed_at: datetime
    job_id: int | None = None
    retrying_run_id: int | None = None
    previous_run_id: int | None = None
    airflow_tasks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Attempts, first to last; `run_ids` also has those that are named and not known. `outcome` is the last one's."""

    run_ids: tuple[int, ...]
    attempts: tuple[Attempt, ...]
    outcome: RunStatus


def is_another_try(run: Run) -> bool:
    """Tell whether a run says of itself that it tries another one again: by id, by its trigger, or with `dbt retry`."""
    if run.retrying_run_id is not None:
        return True
    trigger = run.trigger
    if trigger is not None and any(
        (text or "").lower().startswith(_AGAIN) for text in (trigger.category, trigger.cause)
    ):
        return True
    return any(_is_dbt_retry(step) for step in _steps_before_failure(run.steps))


def name_airflow_task(context: AirflowContext) -> str | None:
    """Name what the tries of one Airflow task have in common; None where the DAG run is not known.

    A DAG run goes by its id, else by its logical date.
    """
    dag_run = context.dag_run_id or context.logical_date
    if context.task_id is None or dag_run is None:
        return None
    index = context.map_index
    place = [context.dag_id, context.task_id, dag_run, None if index == -1 else index]
    return json.dumps(place, separators=(",", ":"))


def _steps_before_failure(steps: tuple[RunStep, ...]) -> tuple[RunStep, ...]:
    """Give the steps up to the first that failed: a `dbt retry` after it repeats a step of the same run."""
    failed = next((place for place, step in enumerate(steps) if step.status is RunStatus.ERROR), len(steps))
    return steps[: failed + 1]


def _is_dbt_retry(step: RunStep) -> bool:
    words = (step.command or "").split()
    verb = next((word for word in words[1:] if not word.startswith("-")), None)
    return verb == "retry" and words[0] in {"dbt", "dbtf"}
