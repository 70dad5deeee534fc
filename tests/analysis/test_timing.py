"""The critical path, by table and against an independent walk over generated schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.timing import critical_path
from headwater.model.invocation import Execution

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ran(unique_id: str, start: float, end: float, thread: str = "Thread-1") -> Execution:
    return Execution(
        unique_id=unique_id,
        status="success",
        thread=thread,
        started_at=NOON + timedelta(seconds=start),
        finished_at=NOON + timedelta(seconds=end),
    )


def test_a_chain_of_parents_is_the_path() -> None:
    """Where each waits for its parent, the path is the chain of parents."""
    executions = [ran("a", 0, 5, "1"), ran("b", 5, 9, "2"), ran("c", 9, 10, "1")]

    assert critical_path(executions, {"b": ("a",), "c": ("b",)}) == ("a", "b", "c")


def test_a_busy_thread_is_waited_for() -> None:
    """Where a node waited for its thread and not for its parents, what kept the thread is on the path."""
    executions = [ran("a", 0, 1, "1"), ran("slow", 1, 9, "1"), ran("b", 9, 10, "1")]

    assert critical_path(executions, {"b": ("a",)}) == ("a", "slow", "b")


def test_a_fast_branch_is_left_out() -> None:
    """A branch that finished early decided nothing."""
    executions = [ran("slow", 0, 9, "1"), ran("fast", 0, 1, "2"), ran("end", 9, 10, "2")]

    assert critical_path(executions, {"end": ("slow", "fast")}) == ("slow", "end")


def test_a_hook_waits_for_all_before_it() -> None:
    """The hook at the end of a run leads back to the node that finished last, not to the hook at its beginning."""
    executions = [
        ran("operation.shop.start", 0, 1, "main"),
        ran("slow", 1, 9, "1"),
        ran("fast", 1, 2, "2"),
        ran("operation.shop.end", 9, 10, "main"),
    ]

    assert critical_path(executions, {}) == ("slow", "operation.shop.end")


def test_skipped_executions_are_on_no_path() -> None:
    """Executions without times are left out, and without any there is no path."""
    skipped = Execution(unique_id="b", status="skipped")

    assert critical_path([ran("a", 0, 1), skipped], {"b": ("a",)}) == ("a",)
    assert critical_path([skipped], {}) == ()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 3)), min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=40),
)
def test_a_path_ends_last_and_never_runs_backwards(
    spans: list[tuple[int, int, int]], edges: list[tuple[int, int]]
) -> None:
    """For any schedule, cycles included, the path ends with the last finish and each waits for one that ended."""
    executions = [
        ran(str(index), start, start + length, str(lane)) for index, (start, length, lane) in enumerate(spans)
    ]
    parents: dict[str, tuple[str, ...]] = {}
    for child, parent in edges:
        parents[str(child)] = (*parents.get(str(child), ()), str(parent))
    by_id = {execution.unique_id: execution for execution in executions}

    path = critical_path(executions, parents)

    ends = [by_id[unique_id].finished_at for unique_id in path]
    assert len(set(path)) == len(path)
    assert ends[-1] == max(execution.finished_at for execution in executions if execution.finished_at)
    assert ends == sorted(ends)
