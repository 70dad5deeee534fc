"""How causes are told: a cause, the way to it, and what a run's failures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.model.node import short_name
from headwater.model.verdict import Cause, CauseKind, Step

_NAMED = frozenset({CauseKind.PACKAGE_CHANGED, CauseKind.VARIABLE_CHANGED, CauseKind.RUN_NOT_STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseSummary:
    """A cause; its subject: a node, package, variable, job not started, else the run; confidence from 0 to 1."""

    kind: str
    subject: str
    unique_id: str | None
    run_id: int | None
    confidence: float
    since: datetime | None
    evidence: tuple[str, ...]
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """A step of the way from a node to its likeliest cause: a node with what happened to it, or what is no node."""

    name: str
    unique_id: str | None = None
    status: str | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCauseSummary:
    """What several failures of a run have in common: the cause, the nodes that failed and those skipped by it."""

    kind: str
    subject: str
    unique_id: str | None
    about: str | None
    confidence: float
    sentence: str
    evidence: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


def summarise_cause(cause: Cause) -> CauseSummary:
    """Give a cause as a row of a report."""
    return CauseSummary(
        kind=str(cause.kind),
        subject=name_subject(cause),
        unique_id=cause.unique_id,
        run_id=cause.run_id,
        confidence=cause.confidence,
        since=cause.since,
        evidence=cause.evidence,
        about=cause.about,
    )


def name_subject(cause: Cause) -> str:
    """Name what a cause lies in: the node, the package or variable, else the run."""
    if cause.unique_id:
        return short_name(cause.unique_id)
    return cause.about if cause.about and cause.kind in _NAMED else f"run {cause.run_id}"


def say_cause(cause: Cause) -> str:
    """Say a cause in a few words: its kind and what it lies in."""
    subject = name_subject(cause)
    about = f"{cause.about}, " if cause.about and cause.about != subject else ""
    return f"{str(cause.kind).replace('_', ' ')} ({about}{subject})"


def summarise_step(step: Step) -> PathStep:
    """Give a step of a path as a row of a report."""
    return PathStep(name=step.name, unique_id=step.unique_id, status=step.status, run_id=step.run_id)
