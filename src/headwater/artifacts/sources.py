"""sources.json: how fresh the sources were."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Raw

from headwater.artifacts._config import span_seconds
from headwater.artifacts._json import NOTHING, Data, Faults, Shape, entries, no_garbage_collection
from headwater.artifacts._values import capped, read_any, read_span, read_time
from headwater.artifacts.metadata import open_artifact
from headwater.artifacts.run_results import read_elapsed
from headwater.model.invocation import Freshness, Sources

_STATUSES = frozenset({"pass", "warn", "error", "runtime error"})


class _Result(msgspec.Struct):
    unique_id: str | None = None
    max_loaded_at: str | None = None
    snapshotted_at: str | None = None
    max_loaded_at_time_ago_in_s: float | None = None
    status: str | None = None
    criteria: Raw = NOTHING
    execution_time: float | None = None
    error: str | int | float | None = None


_result_shape = Shape(_Result)


def read_sources(data: Data) -> Sources:
    """Read a sources.json of any dbt version; what cannot be read of it is in `faults`.

    Raises ArtifactUnreadable where the file is no JSON object or another artifact.
    """
    faults = Faults()
    with no_garbage_collection():
        metadata, fields = open_artifact(data, "sources", faults)
        results: dict[str, Freshness] = {}
        for index, entry in enumerate(entries(fields.get("results", NOTHING), "results", faults)):
            said = _result_shape.read(entry, f"results[{index}]", faults)
            if said is None:
                continue
            if not said.unique_id or not said.status:
                faults.add(f"results[{index}] has no {'status' if said.unique_id else 'unique_id'} and is left out.")
                continue
            if results.pop(said.unique_id, None) is not None:
                faults.add(f"{said.unique_id} has several results; the last one is kept.")
            results[said.unique_id] = _freshness(said.unique_id, said.status.lower(), said, faults)
        return Sources(
            metadata=metadata,
            elapsed=read_span(read_elapsed(fields, faults), faults, "elapsed_time"),
            results=tuple(results.values()),
            faults=faults.listed(),
        )


def _freshness(unique_id: str, status: str, said: _Result, faults: Faults) -> Freshness:
    if status not in _STATUSES:
        faults.add(f"{unique_id}: the status {status!r} is not known.")
    criteria = read_any(said.criteria)
    criteria = criteria if isinstance(criteria, dict) else {}
    age = said.max_loaded_at_time_ago_in_s
    return Freshness(
        unique_id=unique_id,
        status=status,
        max_loaded_at=read_time(said.max_loaded_at, faults, unique_id, "max_loaded_at"),
        snapshotted_at=read_time(said.snapshotted_at, faults, unique_id, "snapshotted_at"),
        # Rows from the future (a clock ahead of ours) have a negative age.
        age=read_span(max(age, 0.0) if age is not None else None, faults, unique_id, "its age"),
        warn_after=_span(criteria.get("warn_after")),
        error_after=_span(criteria.get("error_after")),
        elapsed=read_span(said.execution_time, faults, unique_id, "execution_time"),
        message=capped(said.error if said.error is None else str(said.error)),
    )


def _span(found: Any) -> timedelta | None:
    seconds = span_seconds(found)
    return None if seconds is None else timedelta(seconds=seconds)
