"""What users have today, on the same histories: the nearest failed parent, and OpenLineage events folded.

Both see what dbt and dbt Cloud report, and both are asked only for the place of the fault, not for its kind: the node,
or else the run. Neither sees manifests of the past. The events are those that OpenLineage's dbt integration emits:
one for each model, seed and snapshot that was executed, failed tests with the table that they test, none for what was
skipped and none for freshness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from records import RunRecord

from truth import Truth

_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
_TESTS = ("test.", "unit_test.")


@dataclass(frozen=True)
class Answer:
    """What a baseline blames: a node, else a run."""

    unique_id: str | None = None
    run_id: int | None = None


def nearest_failed_parent(node: str, truth: Truth, runs: Sequence[RunRecord]) -> Answer:
    """Blame the first thing that is red on the way up from a node, its tests and those of its ancestors included."""
    failed = {name for name, status in _latest(runs).items() if status in _FAILED}
    for near in _upwards(node, truth):
        if near in failed:
            return Answer(unique_id=near)
        red = sorted(test for test in truth.children[near] if test.startswith(_TESTS) and test in failed)
        if red:
            return Answer(unique_id=red[0])
    return _last_red_run(node, truth, runs)


def folded_events(node: str, truth: Truth, runs: Sequence[RunRecord]) -> Answer:
    """Blame what failed above a node and has nothing failed above itself; a dataset with a failed test counts."""
    statuses = _latest(runs, checks=False, skipped=False)
    failed = {name for name, status in statuses.items() if status in _FAILED and not name.startswith(_TESTS)}
    tested = {name for name, status in statuses.items() if status == "fail" and name.startswith(_TESTS)}
    failed |= {parent for test in tested for parent in truth.parents.get(test, ())[:1]}
    above = [near for near in _upwards(node, truth) if near in failed]
    roots = [name for name in above if not any(other in failed for other in list(_upwards(name, truth))[1:])]
    return Answer(unique_id=roots[0]) if roots else _last_red_run(node, truth, runs)


def _upwards(node: str, truth: Truth) -> Iterator[str]:
    """Stream a node and its ancestors, the nearest first."""
    seen, waiting = {node}, [node]
    for name in waiting:
        yield name
        new = [parent for parent in truth.parents.get(name, ()) if parent not in seen]
        seen.update(new)
        waiting += new


def _latest(runs: Iterable[RunRecord], *, checks: bool = True, skipped: bool = True) -> dict[str, str]:
    found: dict[str, str] = {}
    for run in runs:
        for step in run.steps if run.pull_request_id is None else ():
            for result in step.results():
                if (skipped or result["status"] != "skipped") and (
                    checks or not result["unique_id"].startswith("source.")
                ):
                    found[result["unique_id"]] = result["status"]
    return found


def _last_red_run(node: str, truth: Truth, runs: Sequence[RunRecord]) -> Answer:
    """Blame the last run of the node's own job, where it did not go well."""
    own = [run for run in runs if run.job.key == truth.main_job.get(node) and run.pull_request_id is None]
    return Answer(run_id=own[-1].run_id) if own and own[-1].status != "success" else Answer()
