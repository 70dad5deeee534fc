"""Which Airflow task a dbt Cloud run came from: by the run's cause, and by the tasks that collected it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import product
from typing import Any
from uuid import UUID

from headwater.model.run import AirflowContext

_WORDS = re.compile(r"Triggered via Apache Airflow by task '([\w.-]+)' in the ([\w.-]+) DAG\.?\s*")
_LONGEST_CAUSE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRIES = range(1, 11)
_MAP_INDEXES = range(-1, 100)
_FIRST_TRIES = range(1, 4)
_NODE_BITS = (1 << 62) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowPart:
    """Airflow's part in a run: the task, and whether it triggered the run or only collected it."""

    task: AirflowContext
    is_trigger: bool


def read_cause(cause: str | None) -> AirflowContext | None:
    """Read which task triggered a run from the cause that Airflow's dbt Cloud provider gave it; None where it did not.

    The provider (operators/dbt.py) writes "Triggered via Apache Airflow by task 'x' in the y DAG.", or with
    `openlineage_inject_parent_job_info` OpenLineage's ids of the task as JSON (utils/openlineage.py). Of these the
    try, the map index and the DAG run's date are found again where that is possible: all three, or none.
    """
    if cause is None or len(cause) > _LONGEST_CAUSE:
        return None
    words = _WORDS.fullmatch(cause.strip())
    if words is not None:
        return AirflowContext(dag_id=words[2], task_id=words[1])
    return _read_parent(cause) if cause.lstrip().startswith("{") else None


def find_airflow_part(
    cause: str | None, created_at: datetime | None, contexts: Iterable[AirflowContext]
) -> AirflowPart | None:
    """Find Airflow's part in a run, by the tasks that collected it and its cause; None where it had none.

    A task that the cause names triggered the run. Where the cause names none, a task did that began before the run
    was made; one that began later only collected it.
    """
    known = sorted(contexts, key=lambda context: (context.try_number or 0, context.map_index or 0), reverse=True)
    named = read_cause(cause)
    if named is not None:
        same = (one for one in known if (one.dag_id, one.task_id) == (named.dag_id, named.task_id))
        return AirflowPart(task=next(same, named), is_trigger=True)
    triggering = next((one for one in known if not _began_after(one, created_at)), None)
    if triggering is not None:
        return AirflowPart(task=triggering, is_trigger=True)
    return AirflowPart(task=known[0], is_trigger=False) if known else None


def name_task(context: AirflowContext) -> str:
    """Say which task it is: `DAG x, task y, try 2, map index 3`."""
    task = f", task {context.task_id}" if context.task_id else ""
    is_mapped = context.map_index is not None and context.map_index >= 0
    number = f", try {context.try_number}" if context.try_number else ""
    index = f", map index {context.map_index}" if is_mapped else ""
    return f"DAG {context.dag_id}{task}{number}{index}"


def _began_after(context: AirflowContext, created_at: datetime | None) -> bool:
    if context.started_at is None or created_at is None:
        return False
    try:
        started_at = datetime.fromisoformat(context.started_at)
    except ValueError:
        return False
    return started_at.tzinfo is not None and started_at > created_at


def _read_parent(cause: str) -> AirflowContext | None:
    """Read OpenLineage's parent facet: the job is `dag.task`, the root is the DAG unless its trigger named another."""
    try:
        document = json.loads(cause)
    except (ValueError, RecursionError):
        return None
    name, namespace = _text(document, "parent", "job", "name"), _text(document, "parent", "job", "namespace")
    dag_id, is_task, task_id = name.partition(".")
    if not is_task:
        return None
    root = _text(document, "root", "job", "name")
    if root and name.startswith(f"{root}.") and len(name) > len(root) + 1:
        dag_id, task_id = root, name[len(root) + 1 :]
    found = AirflowContext(dag_id=dag_id, task_id=task_id)
    made_from = _find_source(_text(document, "parent", "run", "runId"), f"{namespace}.{name}")
    if made_from is None:
        return found
    date, number, index = made_from
    return replace(found, try_number=number, map_index=index, logical_date=date.isoformat())


def _text(document: Any, *names: str) -> str:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


def _find_source(run_id: str, task: str) -> tuple[datetime, int, int] | None:
    """Find the date, try and map index that OpenLineage made a task's id from (client/uuid.py: generate_static_uuid).

    The id holds its DAG run's date to the millisecond and a SHA-1 of the date and `namespace.dag.task.try.index`. All
    usual tries and indexes are tested for a date of whole milliseconds, as schedules have; else only the first tries.
    """
    try:
        uuid = UUID(run_id).int
        date = _EPOCH + timedelta(milliseconds=uuid >> 80)
    except (ValueError, OverflowError):
        return None
    for moment, number, index in _each_guess(date):
        digest = sha1(f"{moment.isoformat()}{task}.{number}.{index}".encode(), usedforsecurity=False).digest()
        # The lowest 62 bits are the digest's; above them stands what makes it a UUID.
        if (int.from_bytes(digest) >> 84) & _NODE_BITS == uuid & _NODE_BITS:
            return moment, number, index
    return None


def _each_guess(date: datetime) -> Iterator[tuple[datetime, int, int]]:
    yield from product((date,), _TRIES, _MAP_INDEXES)
    yield from product((date + timedelta(microseconds=micros) for micros in range(1, 1000)), _FIRST_TRIES, (-1,))
