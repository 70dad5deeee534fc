"""What a run left behind, and the same moved to another time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
from jobs import Job

MANIFEST, RESULTS, SOURCES = "manifest.json", "run_results.json", "sources.json"
SUCCESS, ERROR, CANCELLED, QUEUED, RUNNING = "success", "error", "cancelled", "queued", "running"
_LOADED = ("max_loaded_at", "snapshotted_at")


@dataclass(frozen=True)
class StepRecord:
    """A step of a run: a dbt command with the artifacts it wrote, or one of dbt Cloud's own."""

    name: str
    status: str
    started_at: datetime
    finished_at: datetime
    command: str | None = None
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    log: str = ""

    def results(self) -> list[dict[str, Any]]:
        """Give the results of its executions or freshness checks, as dbt wrote them."""
        found: list[dict[str, Any]] = []
        for name in (SOURCES, RESULTS):
            if name in self.artifacts:
                found += msgspec.json.decode(self.artifacts[name])["results"]
        return found


@dataclass(frozen=True)
class RunRecord:
    """A run of a job as it stands at a moment; its times are None where it did not come so far."""

    job: Job
    run_id: int
    status: str
    created_at: datetime
    revision: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    message: str | None = None
    job_commands: tuple[str, ...] = ()
    retrying_run_id: int | None = None
    pull_request_id: int | None = None

    @property
    def ends_at(self) -> datetime:
        """Give the last moment that is known of it."""
        return self.finished_at or self.started_at or self.created_at

    def moved(self, created_at: datetime, run_id: int, revision: str, chance: Random) -> RunRecord:
        """Give the same run at another time, with invocations of its own."""
        by = created_at - self.created_at
        return replace(
            self,
            run_id=run_id,
            revision=revision,
            created_at=created_at,
            started_at=self.started_at and self.started_at + by,
            finished_at=self.finished_at and self.finished_at + by,
            steps=tuple(_moved_step(step, by, chance) for step in self.steps),
        )


def _moved_step(step: StepRecord, by: timedelta, chance: Random) -> StepRecord:
    invocation_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    moved = {name: move_artifact(name, body, by, invocation_id) for name, body in step.artifacts.items()}
    return replace(step, started_at=step.started_at + by, finished_at=step.finished_at + by, artifacts=moved)


def move_artifact(name: str, body: bytes, by: timedelta, invocation_id: str | None = None) -> bytes:
    """Move the times of an artifact; those of the data too, where the invocation becomes another one."""
    if name == MANIFEST:
        return _move_manifest(body, by, invocation_id)
    document = msgspec.json.decode(body)
    _move_keys(document["metadata"], ("generated_at", "invocation_started_at"), by)
    if invocation_id is not None:
        document["metadata"]["invocation_id"] = invocation_id
    for result in document["results"]:
        for timing in result.get("timing", ()):
            _move_keys(timing, ("started_at", "completed_at"), by)
        if invocation_id is not None:
            _move_keys(result, _LOADED, by)
    return msgspec.json.encode(document)


def _move_manifest(body: bytes, by: timedelta, invocation_id: str | None) -> bytes:
    """Only the head of a manifest has times that count; the rest stays as dbt wrote it."""
    head = msgspec.json.decode(body, type=_Head).metadata
    moved = body
    for name in ("generated_at", "invocation_started_at"):
        text = head.get(name)
        if isinstance(text, str):
            moved = moved.replace(text.encode(), _iso(_read(text) + by).encode(), 2)
    if invocation_id is not None:
        moved = moved.replace(head["invocation_id"].encode(), invocation_id.encode())
    return moved


class _Head(msgspec.Struct):
    metadata: dict[str, Any]


def _move_keys(document: dict[str, Any], names: tuple[str, ...], by: timedelta) -> None:
    for name in names:
        if document.get(name):
            document[name] = _iso(_read(document[name]) + by)


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
