"""What decided how long an invocation took."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from headwater.model.invocation import Execution

_CLOCK_GRAIN = timedelta(milliseconds=2)


def critical_path(executions: Iterable[Execution], parents: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Find the chain of executions that decided how long an invocation took, first to last.

    Walks back from the execution that finished last: what it waited for is whichever finished later, a parent or the
    execution before it on its own thread. Executions without times (skipped) are on no path.
    """
    timed = {execution.unique_id: execution for execution in executions if _span(execution) is not None}
    if not timed:
        return ()
    lanes = _lanes(timed.values())
    current = max(timed.values(), key=lambda execution: (_end(execution), execution.unique_id))
    path = [current.unique_id]
    seen = {current.unique_id}
    while (waited_for := _waited_for(current, timed, parents, lanes)) is not None:
        if waited_for.unique_id in seen:
            break
        path.append(waited_for.unique_id)
        seen.add(waited_for.unique_id)
        current = waited_for
    return tuple(reversed(path))


def _waited_for(
    execution: Execution,
    timed: Mapping[str, Execution],
    parents: Mapping[str, tuple[str, ...]],
    lanes: Mapping[str | None, list[Execution]],
) -> Execution | None:
    start = _start(execution) + _CLOCK_GRAIN
    candidates = [
        timed[parent]
        for parent in parents.get(execution.unique_id, ())
        if parent in timed and _end(timed[parent]) <= start
    ]
    lane = lanes[execution.thread]
    before = bisect_right(lane, start, key=_end) - 1
    while before >= 0 and lane[before] is execution:
        before -= 1
    if before >= 0:
        candidates.append(lane[before])
    if execution.unique_id.startswith("operation."):  # a hook waits for all that went before it
        candidates += [other for other in timed.values() if other is not execution and _end(other) <= start]
    return max(candidates, key=lambda candidate: (_end(candidate), candidate.unique_id), default=None)


def _lanes(executions: Iterable[Execution]) -> Mapping[str | None, list[Execution]]:
    lanes: defaultdict[str | None, list[Execution]] = defaultdict(list)
    for execution in sorted(executions, key=_end):
        lanes[execution.thread].append(execution)
    return lanes


def _span(execution: Execution) -> tuple[datetime, datetime] | None:
    if execution.started_at is None or execution.finished_at is None:
        return None
    return execution.started_at, execution.finished_at


def _start(execution: Execution) -> datetime:
    assert execution.started_at is not None  # noqa: S101  only timed executions get here
    return execution.started_at


def _end(execution: Execution) -> datetime:
    assert execution.finished_at is not None  # noqa: S101  only timed executions get here
    return execution.finished_at
