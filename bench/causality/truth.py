"""What is true of every node, known from the faults that were made and from what dbt itself says it did.

Nothing of Headwater is used here. A node is affected where it failed, was skipped, is not there in time, fails a test,
or holds data that it would not hold without the fault: it was built, after the fault, from something that was wrong or
old. Views hold no data of their own: who reads one reads what its parents hold, also where it could not be renewed,
since a warehouse then keeps the view as it was. A table that another run wrote at the same time is new. Exposures are
as good as what they read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from jobs import JOBS, Job
from records import RunRecord

UNIVERSE = frozenset({"model", "seed", "snapshot", "exposure"})
_BUILT = ("model.", "seed.", "snapshot.")
_TESTS = ("test.", "unit_test.")
_THROUGH = frozenset({"view", "ephemeral"})
_GOOD = frozenset({"success", "pass", "warn", "no-op", "reused"})


class Truth:
    """The state of all nodes of the projects, from the manifests that dbt wrote and the runs of healthy days."""

    def __init__(self, manifests: Mapping[str, Mapping[str, Any]], healthy: Mapping[str, RunRecord]) -> None:
        self.nodes: dict[str, Mapping[str, Any]] = {}
        for project, manifest in manifests.items():
            for section in ("nodes", "sources", "exposures", "unit_tests"):
                named = manifest[section].items()
                self.nodes |= {name: node for name, node in named if node["package_name"] == project}
        self.parents = {name: tuple(node.get("depends_on", {}).get("nodes", ())) for name, node in self.nodes.items()}
        self.children: dict[str, list[str]] = defaultdict(list)
        for name, parents in self.parents.items():
            for parent in parents:
                self.children[parent].append(name)
        self.built_by = {job.key: _built(healthy[job.key]) for job in JOBS}
        self.main_job = self._find_main_jobs()
        self.wrong_sources: set[str] = set()
        self.wrong_code: set[str] = set()
        self._holds_wrong: set[str] = set()
        self._not_built: set[str] = set()
        self._late: set[str] = set()
        self._failing: defaultdict[str, set[str]] = defaultdict(set)
        self._seen_at: dict[str, str] = {}
        self._good_at: dict[str, str] = {}
        self._bad_since: dict[str, str] = {}
        self.red: set[str] = set()
        """All nodes and tests that have not been good since the fault, those that are good again too."""

    def see_run(self, record: RunRecord) -> None:
        """Take in a run that is over: each result as dbt finished it, then what it did not come to."""
        executed: set[str] = set()
        for step in record.steps:
            ended = step.finished_at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
            for at, result in sorted(((_finished(one, ended), one) for one in step.results()), key=_time):
                name = result["unique_id"]
                executed.add(name)
                if result["status"] in _GOOD:
                    self._good_at[name] = max(at, self._good_at.get(name, ""))
                elif name not in self._not_built:
                    self._bad_since[name] = step.started_at.replace(tzinfo=None).isoformat(timespec="microseconds")
                if at >= self._seen_at.get(name, ""):
                    self._seen_at[name] = at
                    self._see_result(name, result["status"])
        if record.status != "success":
            self.see_missed(record.job, executed)

    def see_missed(self, job: Job, executed: Iterable[str] = ()) -> None:
        """Take in that a run did not come to what its job builds; counts for what no other job builds more often."""
        missed = self.built_by[job.key] - set(executed)
        late = {name for name in missed if self.main_job.get(name) == job.key}
        self._late |= late
        self.red |= late

    def affected(self) -> frozenset[str]:
        """Give the models, seeds, snapshots and exposures that are not as they would be without the faults."""
        return frozenset(name for name in self.universe() if self._is_affected(name))

    def universe(self) -> list[str]:
        """Give the nodes that are asked about."""
        return [
            name
            for name, node in self.nodes.items()
            if node["resource_type"] in UNIVERSE and node.get("config", {}).get("materialized") != "ephemeral"
        ]

    def tests_of(self, names: Iterable[str]) -> set[str]:
        """Give the tests that read some nodes."""
        return {child for name in names for child in self.children[name] if child.startswith(_TESTS)}

    def downstream(self, names: Iterable[str]) -> set[str]:
        """Give all that is made from some nodes."""
        found, waiting = set(names), list(names)
        for name in waiting:
            new = [child for child in self.children[name] if child not in found]
            found.update(new)
            waiting += new
        return found - set(names)

    def _see_result(self, name: str, status: str) -> None:
        is_good = status in _GOOD
        if not is_good:
            self.red.add(name)
        if name.startswith(_TESTS):
            if status != "skipped":
                for vouched in self._vouched(name):
                    (self._failing[vouched].discard if is_good else self._failing[vouched].add)(name)
        elif name.startswith(_BUILT):
            self._late.discard(name)
            (self._not_built.discard if is_good else self._not_built.add)(name)
            if is_good:
                wrong = name in self.wrong_code or any(map(self._is_wrong_to_read, self.parents.get(name, ())))
                (self._holds_wrong.add if wrong else self._holds_wrong.discard)(name)

    def _vouched(self, test: str) -> tuple[str, ...]:
        node = self.nodes.get(test, {})
        attached = node.get("attached_node")
        read = self.parents.get(test, ())
        return (attached,) if attached else read if len(read) == 1 else ()

    def _is_wrong_to_read(self, name: str) -> bool:
        """Whether somebody who reads it now gets something wrong or old."""
        if name in self.wrong_sources:
            return True
        node = self.nodes.get(name)
        if node is None or node["resource_type"] == "source":
            return False
        if node.get("config", {}).get("materialized") in _THROUGH:
            return name in self.wrong_code & self._holds_wrong or any(map(self._is_wrong_to_read, self.parents[name]))
        return self._is_old(name) or name in self._holds_wrong or name in self._late

    def _is_old(self, name: str) -> bool:
        """Whether a table could not be built, and no other run wrote it at the same time or since."""
        return name in self._not_built and self._good_at.get(name, "") < self._bad_since[name]

    def _is_affected(self, name: str) -> bool:
        if self.nodes[name]["resource_type"] == "exposure":
            read = [parent for parent in self.parents[name] if parent in self.nodes]
            return any(self._failing[parent] or self._is_wrong_to_read(parent) for parent in read)
        is_red = name in self._not_built or name in self._late or bool(self._failing[name])
        return is_red or self._is_wrong_to_read(name)

    def _find_main_jobs(self) -> dict[str, str]:
        """Give for each node the job that builds it most often."""
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for job in JOBS:
            for name in self.built_by[job.key]:
                counted[name][job.key] += len(job.hours)
        return {name: jobs.most_common(1)[0][0] for name, jobs in counted.items()}


def _built(record: RunRecord) -> frozenset[str]:
    return frozenset(
        result["unique_id"]
        for step in record.steps
        for result in step.results()
        if result["unique_id"].startswith(_BUILT)
    )


def _finished(result: Mapping[str, Any], ended: str) -> str:
    """Give when a result was over; what dbt did not begin, such as skipped nodes, at the end of the step."""
    return max((timing["completed_at"] for timing in result.get("timing", ()) if timing["completed_at"]), default=ended)


def _time(result: tuple[str, Mapping[str, Any]]) -> str:
    return result[0]
