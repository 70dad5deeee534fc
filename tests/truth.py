"""The store beside the simulator's truth: what is lost, what is there twice, and what is wrong, counted and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from cloud import Cloud
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import RunReport
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.store.schema import accounts, invocations, observations, run_hours

STATUS = {1: "queued", 2: "starting", 3: "running", 10: "success", 20: "error", 30: "cancelled"}
OVER = {10, 20, 30}
COMPILING = ("docs", "compile", "parse")
RESULTS = {
    "build": "run_results.json", "run": "run_results.json", "test": "run_results.json", "seed": "run_results.json",
    "snapshot": "run_results.json", "retry": "run_results.json", "source": "sources.json", "docs": "catalog.json",
}  # fmt: skip
_ROUNDED = 1e-3

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What was told of the runs of one account besides the polling; a way that failed halfway may or may not be seen.

    `ways` has for each run how many observations each way must have left; `maybe` the ways that may have left one
    more; `tasks` names runs that share an Airflow task; `amended` are runs whose end dbt Cloud changed.
    """

    ways: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    maybe: Mapping[int, Iterable[str]] = field(default_factory=dict)
    tasks: Iterable[Iterable[int]] = ()
    amended: frozenset[int] = frozenset()


@dataclass
class Comparison:
    """How many runs and observations there are, and each difference in a sentence."""

    runs: int = 0
    observations: int = 0
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """Give every difference, each with its kind."""
        kinds = {"lost": self.lost, "double": self.double, "wrong": self.wrong}
        return [f"{kind}: {said}" for kind, sentences in kinds.items() for said in sentences]

    def count(self, what: str, stored: Iterable[Any], true: Iterable[Any]) -> None:
        """Compare two bags: what is missing is lost, what is there too often is double, what is foreign is wrong."""
        have, want = Counter(iter(stored)), Counter(iter(true))
        self.lost += [f"{what} {item}" for item in (want - have).elements()]
        for item in (have - want).elements():
            (self.double if item in want else self.wrong).append(f"{what} {item} is stored, not true")

    def same(self, what: str, stored: Any, true: Any) -> None:
        """Compare one fact."""
        if stored != true:
            self.wrong.append(f"{what} is {stored!r}, in truth {true!r}")


def compare(cloud: Cloud, observatory: Observatory, told: Mapping[int, Told] | None = None) -> Comparison:
    """Compare every run of every stored account; without `told`, by account id, who saw the runs is not looked at."""
    found = Comparison()
    with observatory.store.read() as tx:
        stored = {row.account_key: row for row in tx.execute(select(accounts))}
    for account in cloud.simulator.accounts:
        truth = cloud.truth(account.id)
        keys = [key for key, row in stored.items() if row.account_id == account.id]
        found.double += [f"account {account.id} is stored {len(keys)} times"] * (len(keys) - 1)
        for key in keys:
            said = None if told is None else told.get(account.id, Told())
            _compare_account(observatory, stored[key].name, key, truth, said, found)
        if told is not None and not keys:
            found.lost += [f"run {run_id}, with its account" for run_id in truth]
    _compare_places(observatory, found)
    return found


def _compare_account(
    observatory: Observatory, name: str, account_key: int, truth: dict[int, Run], told: Told | None, found: Comparison
) -> None:
    stored = list_runs(observatory, RunFilter(account=name), limit=None)
    found.count(f"{name}: run", (run.run_id for run in stored.runs), truth)
    found.same(f"{name}: the number of runs", stored.total, len(stored.runs))
    chains = find_chains(truth, told.tasks if told is not None else ())
    for run_id in sorted(truth.keys() & {run.run_id for run in stored.runs}):
        report = get_run(observatory, name, run_id)
        compare_run(report, truth[run_id], found)
        found.same(f"run {run_id}: its chain", tuple(sorted(report.chain.run_ids)), tuple(sorted(chains[run_id])))
        last = max(chains[run_id], key=lambda each: (truth[each]["created_at"], each))
        found.same(f"run {run_id}: the outcome of its chain", report.chain.outcome, STATUS[truth[last]["status"]])
        if told is not None:
            _compare_ways(report, told, found)
        found.runs += 1
    _compare_counts(observatory, name, account_key, truth, found)
    _compare_invocations(observatory, account_key, truth, found)
    with observatory.store.read() as tx:
        here = select(func.count()).select_from(observations).where(observations.c.account_key == account_key)
        found.observations += tx.execute(here).scalar_one()


def _compare_ways(report: RunReport, told: Told, found: Comparison) -> None:
    """Every way that delivered is named, as often as it told something of its own, and no other."""
    want = Counter({"poll": 1, **told.ways.get(report.run_id, {})})
    have = Counter(seen.way for seen in report.observations)
    for way in set(told.maybe.get(report.run_id, ())):
        if have[way] == want[way] + 1:
            want[way] += 1
    found.count(f"run {report.run_id}: observation by", have.elements(), want.elements())
    found.same(f"run {report.run_id}: observed_by", set(report.observed_by), set(+have))
    if report.run_id not in told.amended:
        found.same(f"run {report.run_id}: amendments", report.amendments, ())


def compare_run(stored: RunReport, run: Run, found: Comparison) -> None:
    """Compare one run: its facts, its steps, what each step executed, and that nothing is left to do."""
    what = f"run {run['id']}"
    for name in ("job_id", "job_name", "project_id", "environment_id", "retrying_run_id"):
        found.same(f"{what}: {name}", getattr(stored, name), run[name])
    for name in ("created_at", "started_at", "finished_at"):
        found.same(f"{what}: {name}", getattr(stored, name), _moment(run[name]))
    found.same(f"{what}: status", stored.status, STATUS[run["status"]])
    found.same(f"{what}: trigger", (stored.trigger, stored.cause), (run["trigger_category"], run["trigger_cause"]))
    if run["status"] not in OVER:
        return
    if run["git_sha"] and run["steps"]:
        found.same(f"{what}: git_sha", stored.git_sha, run["git_sha"])
    found.count(f"{what}: step", (step.index for step in stored.steps), (step["index"] for step in run["steps"]))
    steps = {step["index"]: step for step in run["steps"]}
    for step in stored.steps:
        if step.index in steps:
            facts = (step.name, step.command, step.status, step.started_at, step.finished_at)
            found.same(f"{what}: step {step.index}", facts, _step_facts(steps[step.index]))
    _compare_executions(stored, run, found)
    _compare_artifacts(stored, run, found)


def _step_facts(step: Run) -> tuple[Any, ...]:
    times = (_moment(step["started_at"]), _moment(step["finished_at"]))
    return (step["name"], step["command"], STATUS[step["status"]], *times)


def _compare_executions(stored: RunReport, run: Run, found: Comparison) -> None:
    what = f"run {run['id']}"
    executed: dict[tuple[int, str, str], float] = {}
    fresh: list[tuple[str, str]] = []
    for step in run["steps"]:
        if not any(word in (step["command"] or "") for word in COMPILING):
            rows = step.get("executions", ())
            executed |= {(step["index"], row["unique_id"], row["status"]): row["execution_time"] for row in rows}
        fresh += [(row["unique_id"], row["status"]) for row in step.get("freshness", ())]
    rows = [(row.step_index, row.unique_id, row.status) for row in stored.executions]
    found.count(f"{what}: execution", rows, executed)
    found.count(f"{what}: freshness", ((row.unique_id, row.status) for row in stored.freshness), fresh)
    found.same(f"{what}: the counts of nodes", stored.nodes, dict(Counter(status for _, _, status in executed)))
    for row in stored.executions:
        elapsed = executed.get((row.step_index or 0, row.unique_id, row.status))
        if elapsed is not None and abs((row.elapsed_seconds or 0.0) - elapsed) > _ROUNDED:
            found.wrong.append(f"{what}: {row.unique_id} took {row.elapsed_seconds} s, in truth {elapsed} s")


def _compare_artifacts(stored: RunReport, run: Run, found: Comparison) -> None:
    """Each step's results are stored where dbt Cloud has them; what it has not may still be waited for, for a while."""
    what = f"run {run['id']}"
    true = {(step["index"], path) for step in run["steps"] for path in step["artifacts"]}
    wanted = {(step["index"], path) for step in run["steps"] if (path := _results_path(step)) is not None} & true
    have = {(row.step_index, row.path) for row in stored.artifacts if row.state == "stored"}
    found.lost += [f"{what}: artifact {place}" for place in sorted(wanted - have)]
    found.wrong += [f"{what}: artifact {place} is not there in truth" for place in sorted(have - true)]
    if any(path == "manifest.json" for _, path in true) and not any(path == "manifest.json" for _, path in have):
        found.lost.append(f"{what}: its manifest")
    awaited = [row for row in stored.artifacts if row.state == "failed" and (row.step_index, row.path) not in true]
    for row in stored.artifacts:
        is_settled = row.state == "stored" or (row.state == "absent" and row.reason)
        if row not in awaited and not is_settled:
            found.wrong.append(f"{what}: artifact {row.step_index} {row.path} is {row.state}: {row.reason!r}")
    found.same(f"{what}: whether it is complete", stored.is_complete, not awaited)


def _results_path(step: Run) -> str | None:
    words = (step["command"] or "").split()
    verb = next((word for word in words[1:] if not word.startswith("-")), None)
    return RESULTS.get(verb or "")


def find_chains(truth: Mapping[int, Run], tasks: Iterable[Iterable[int]]) -> dict[int, frozenset[int]]:
    """Give each run with those it retries, those that retry it, and those of the same Airflow task."""
    families: dict[int, set[int]] = {run_id: {run_id} for run_id in truth}
    pairs = [(run_id, run["retrying_run_id"]) for run_id, run in truth.items() if run["retrying_run_id"] in truth]
    for shared in tasks:
        first, *others = sorted(set(shared))
        pairs += [(first, other) for other in others]
    for one, other in pairs:
        joined = families[one] | families[other]
        for run_id in joined:
            families[run_id] = joined
    return {run_id: frozenset(family) for run_id, family in families.items()}


def _compare_counts(
    observatory: Observatory, name: str, account_key: int, truth: Mapping[int, Run], found: Comparison
) -> None:
    """What pages count by the hour is what there is."""
    query = select(run_hours.c.job_id, run_hours.c.status, func.sum(run_hours.c.runs))
    with observatory.store.read() as tx:
        grouped = query.where(run_hours.c.account_key == account_key).group_by(run_hours.c.job_id, run_hours.c.status)
        counted = {(job_id, status): int(number) for job_id, status, number in tx.execute(grouped)}
    true = Counter((run["job_id"], STATUS[run["status"]]) for run in truth.values())
    found.count(f"{name}: counted run of job", Counter(counted).elements(), true.elements())


def _compare_invocations(
    observatory: Observatory, account_key: int, truth: Mapping[int, Run], found: Comparison
) -> None:
    """Each dbt command is one invocation, that of its run's step."""
    columns = (invocations.c.run_id, invocations.c.step_index, invocations.c.invocation_id, invocations.c.command)
    with observatory.store.read() as tx:
        rows = tx.execute(select(*columns).where(invocations.c.account_key == account_key)).all()
    true = {
        (run_id, step["index"], step["invocation_id"], step["command"]): _results_path(step)
        for run_id, run in truth.items()
        for step in run["steps"]
        if step["invocation_id"] is not None
    }
    have = Counter(tuple(row) for row in rows)
    found.lost += [f"invocation {one}" for one, path in true.items() if path is not None and one not in have]
    found.wrong += [f"invocation {one} is stored, not true" for one in have if one not in true]


def _compare_places(observatory: Observatory, found: Comparison) -> None:
    """No invocation is stored in two accounts, and no step has two."""
    query = select(
        invocations.c.account_key, invocations.c.run_id, invocations.c.step_index, invocations.c.invocation_id
    )
    with observatory.store.read() as tx:
        rows = tx.execute(query).all()
    for name, times in Counter(row.invocation_id for row in rows).items():
        found.double += [f"invocation {name}"] * (times - 1)
    for step, times in Counter((row.account_key, row.run_id, row.step_index) for row in rows).items():
        found.double += [f"invocation of run {step[1]}, step {step[2]}"] * (times - 1)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def assert_equal_to_truth(cloud: Cloud, observatory: Observatory) -> int:
    """Compare every run of every account, and find no difference; gives how many there were."""
    found = compare(cloud, observatory)
    assert not found.differences, "\n".join(found.differences[:40])
    return found.runs
