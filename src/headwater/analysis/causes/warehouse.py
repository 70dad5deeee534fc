"""Causes that lie in the warehouse, and in other runs that work in it at the same time."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headwater.analysis.causes.failure import EDGES, Failure
from headwater.analysis.failures import FailureKind, classify_failure, first_line
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

_MANY = 3
_COLLIDED = re.compile(r"__dbt_(tmp|backup|new)|already exists|being used by|concurren|conflict", re.IGNORECASE)
_BY_OWN_DOING = frozenset({FailureKind.TIMEOUT, FailureKind.OUT_OF_MEMORY})


def trouble(failure: Failure) -> Iterable[Cause]:
    """The warehouse, or the way to it, is at fault; surer where several nodes of the run met the same."""
    if failure.kind.is_warehouse_trouble and not failure.is_test:
        alike = _alike(failure)
        yield _trouble(failure, alike, 0.95 if len(alike) > 1 else 0.85, f"a {failure.kind} fault")


def same_message(failure: Failure) -> Iterable[Cause]:
    """Many nodes of the run failed with one message that nobody knows: what they share is the warehouse."""
    if failure.kind is FailureKind.UNKNOWN and not failure.is_test and first_line(failure.outcome.message):
        alike = _alike(failure)
        if len(alike) >= _MANY:
            yield _trouble(failure, alike, 0.7, "the same message")


def _trouble(failure: Failure, alike: list[Outcome], sure: float, what: str) -> Cause:
    company = f" {len(alike)} nodes of the run failed so." if len(alike) > 1 else ""
    said = f"The warehouse answered with {what}: {first_line(failure.outcome.message)}{company}"
    subject = failure.subject if failure.outcome.run_id is None else None
    kind = str(failure.kind) if failure.kind.is_warehouse_trouble else "not known"
    return failure.cause(CauseKind.WAREHOUSE_TROUBLE, subject, sure, said, about=kind)


def _alike(failure: Failure) -> list[Outcome]:
    """Give the failures of the run that are of the same kind; where that is not known, with the same message."""
    line = first_line(failure.outcome.message)
    return [
        other
        for other in failure.in_run.values()
        if other.is_failed
        and classify_failure(other.message) is failure.kind
        and (failure.kind.is_warehouse_trouble or first_line(other.message) == line)
    ]


def concurrent_runs(failure: Failure) -> Iterable[Cause]:
    """Another run wrote the same table while this one did."""
    if failure.is_test:
        return
    is_locked = failure.kind is FailureKind.LOCK or bool(_COLLIDED.search(failure.outcome.message or ""))
    for other in failure.overlapping:
        if is_locked:
            sure = 0.97
        elif failure.kind in {FailureKind.MISSING_RELATION, FailureKind.DUPLICATE_KEY}:
            sure = 0.8
        elif failure.kind is FailureKind.UNKNOWN:
            sure = 0.55
        else:
            continue
        who = f"run {other.run_id}" if other.run_id is not None else "another invocation"
        took = f" for {other.elapsed.total_seconds():,.0f} s" if other.elapsed else ""
        said = (
            f"{who[0].upper()}{who[1:]} built {short_name(failure.subject)} from {other.at:%Y-%m-%d %H:%M:%S} UTC"
            f"{took}, while this one did at {failure.outcome.at:%H:%M:%S}."
        )
        line = first_line(failure.outcome.message)
        yield failure.cause(CauseKind.CONCURRENT_RUNS, failure.subject, sure, said, line, about=who)


def own_doing(failure: Failure) -> bool:
    """Whether a change of the node itself may have brought the trouble: a query too large, a table it may not read."""
    if failure.kind in _BY_OWN_DOING:
        return True
    gained = failure.difference.gained.get(failure.subject, frozenset()) if failure.difference else frozenset()
    is_new = EDGES in failure.changed(failure.subject) or bool(gained & failure.named)
    return failure.kind is FailureKind.PERMISSION and is_new
