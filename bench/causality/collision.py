"""A run that somebody starts by hand and that writes a table while another run is at work on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
from jobs import Job, run_id_at
from records import MANIFEST, RESULTS, RunRecord

_TOGETHER = timedelta(milliseconds=5)
"""How long the two are at work on the table at the same time."""

_AROUND = timedelta(seconds=2)
"""What dbt takes before and after the one table."""

_JOB_ID = 990


def by_hand(healthy: RunRecord, table: str, *, before: RunRecord, revision: str, chance: Random) -> RunRecord:
    """Give a run of one table, as a healthy run built it, that is done with it just after another run began with it.

    So the other run is the one that fails, whatever each of them takes, and what it did not come to nobody built.
    """
    index, result = next(
        (index, result)
        for index, step in enumerate(healthy.steps)
        for result in step.results()
        if result["unique_id"] == table
    )
    step, (began, ended) = healthy.steps[index], _times(result)
    document = msgspec.json.decode(step.artifacts[RESULTS])
    document["results"] = [result]
    command = f"dbt run --select {table.rsplit('.', maxsplit=1)[-1]}"
    only = replace(
        step, name=f"Invoke dbt with `{command}`", command=command, started_at=began - _AROUND,
        finished_at=ended + _AROUND, log="",
        artifacts={MANIFEST: step.artifacts[MANIFEST], RESULTS: msgspec.json.encode(document)},
    )  # fmt: skip
    job = Job(_JOB_ID, healthy.job.project, "by hand", (command,), (), 0)
    created_at = began - 2 * _AROUND
    run = replace(
        healthy, job=job, created_at=created_at, started_at=created_at, finished_at=only.finished_at, steps=(only,),
        job_commands=(command,),
    )  # fmt: skip
    at = created_at + (began_at(before, table) + _TOGETHER - ended)
    return run.moved(at, run_id_at(at, job), revision, chance)


def began_at(record: RunRecord, unique_id: str) -> datetime:
    """Give when a run began with a node; of one that failed dbt tells no times: it began when the one before ended."""
    for step in record.steps:
        at = step.started_at
        for result in step.results():
            times = [timing for timing in result.get("timing", ()) if timing["completed_at"]]
            if result["unique_id"] == unique_id:
                return min((datetime.fromisoformat(timing["started_at"]) for timing in times), default=at)
            at = max((datetime.fromisoformat(timing["completed_at"]) for timing in times), default=at)
    raise ValueError(f"{unique_id} is not in the run.")


def _times(result: Mapping[str, Any]) -> tuple[datetime, datetime]:
    timing = result["timing"]
    return (
        min(datetime.fromisoformat(one["started_at"]) for one in timing),
        max(datetime.fromisoformat(one["completed_at"]) for one in timing),
    )
