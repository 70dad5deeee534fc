"""What is not as it should be in an environment, followed to where it began: what incidents are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.failures import classify_failure, first_line
from headwater.analysis.lateness import JobFacts, Lateness, find_lateness
from headwater.analysis.roots import find_roots
from headwater.model.incident import Finding, Incident, Standing
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind, NodeState, Verdict
from headwater.observatory.evidence import read_latest
from headwater.observatory.judging import give_verdict
from headwater.observatory.lineage import Estate, Graph, Held, LineageMemory, Moment, Shelf, open_estate
from headwater.observatory.missed import list_due
from headwater.observatory.reaching import begin_itself, find_affected_by, place_of_cause
from headwater.observatory.rebuilding import find_remaining
from headwater.store.database import notes
from headwater.store.lineage import list_places
from headwater.store.outcome_queries import list_bad_outcomes, list_run_invocation_keys
from headwater.store.run_places import list_executed, list_good_runs
from headwater.store.writing import Scope

_MOST_EXPLAINED = 60
_LATE_TRIED = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """An environment as it stands: its graph, and what happened last to each of its nodes."""

    tx: Connection
    estate: Estate
    held: Held
    graph: Graph
    latest: Mapping[str, Outcome]
    now: datetime

    def address(self, unique_id: str) -> NodeAddress:
        """Give the address of one of its nodes."""
        return self.held.address(unique_id)


@dataclass(frozen=True, slots=True)
class _Root:
    """Where failures began, and the nodes that are bad because of it; without an outcome a run that ended early."""

    root: str
    outcome: Outcome
    others: frozenset[str]
    members: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class VerdictJudge:
    """Judges by verdicts; `memory` keeps what was read of manifests."""

    memory: LineageMemory

    def find(self, tx: Connection, scope: Scope, late: Sequence[JobFacts], now: datetime) -> tuple[Finding, ...]:
        """Find what is bad in an environment; nothing where no manifest is known of it."""
        scene = self._open(tx, scope, now)
        if scene is None:
            return ()
        failed = (_explain(scene, root, place) for place, root in enumerate(_list_roots(scene)))
        return (*failed, *(found for job in late if (found := _find_late(scene, job)) is not None))

    def check(self, tx: Connection, incident: Incident, held_up: Collection[NodeAddress], now: datetime) -> Standing:
        """Tell since when the cause of an incident is gone, and what it reached that is not rebuilt."""
        scope = Scope(incident.account_key, incident.project_id, incident.environment_id)
        scene = self._open(tx, scope, now)
        if scene is None:
            return Standing(gone_at=now)
        return find_remaining(tx, scene.estate, scene.graph, incident, held_up, now)

    def _open(self, tx: Connection, scope: Scope, now: datetime) -> Scene | None:
        """Open an environment, once in a transaction."""
        known = notes(tx)
        if (Scene, scope) not in known:
            known[Scene, scope] = self._read(tx, scope, now)
        found: Scene | None = known[Scene, scope]
        return found

    def _read(self, tx: Connection, scope: Scope, now: datetime) -> Scene | None:
        place = next((place for place in list_places(tx, (scope.account_key,)) if place.scope == scope), None)
        shelf = Shelf(tx, Moment(), self.memory)
        held = shelf.find(place) if place is not None else None
        if place is None or held is None:
            return None
        graph = held.graph
        return Scene(tx, open_estate(shelf, place), held, graph, read_latest(tx, graph, graph.nodes, now), now)


def _list_roots(scene: Scene) -> list[_Root]:
    """Follow everything that is bad to where it began in its run, the earliest first."""
    runs: dict[tuple[int | None, int], dict[str, Outcome]] = {}
    outcomes: dict[tuple[str, int | None], Outcome] = {}
    members: defaultdict[tuple[str, int | None], dict[str, Outcome]] = defaultdict(dict)
    others: defaultdict[tuple[str, int | None], set[str]] = defaultdict(set)
    for bad in scene.latest.values():
        if bad.is_good:
            continue
        run = (bad.run_id, 0 if bad.run_id is not None else bad.invocation_key)
        if run not in runs:
            runs[run] = _read_bad(scene, bad)
        for name, outcome in _roots_of(scene, bad, runs[run]):
            place = (name, bad.run_id)
            outcomes.setdefault(place, outcome)
            members[place][bad.unique_id] = bad
            if outcome.unique_id in scene.graph.nodes and outcome.is_failed:
                others[place].add(outcome.unique_id)
    listed = [
        _Root(name, outcome, frozenset(others[name, run_id]), tuple(members[name, run_id].values()))
        for (name, run_id), outcome in outcomes.items()
    ]
    return sorted(listed, key=lambda one: (one.outcome.at, one.root))


def _roots_of(scene: Scene, bad: Outcome, in_run: Mapping[str, Outcome]) -> list[tuple[str, Outcome]]:
    if scene.graph.nodes[bad.unique_id].resource_type == "source":
        return [(bad.unique_id, bad)]
    roots = find_roots(bad.unique_id, in_run, scene.graph.parents)
    if not roots:
        failed = [other for other in in_run.values() if other.is_failed and other.unique_id in scene.graph.nodes]
        if failed:
            roots = (min(failed, key=lambda other: (other.at, other.unique_id)),)
    known = [(_root_name(root), root) for root in roots if root.unique_id in scene.graph.nodes]
    return known or [(bad.unique_id if bad.job_id is None else f"job:{bad.job_id}", bad)]


def _root_name(root: Outcome) -> str:
    """Give the node, or the warehouse, which strikes many nodes of a run at once."""
    kind = classify_failure(root.message)
    return "warehouse" if kind.is_warehouse_trouble and root.status != "fail" else root.unique_id


def _read_bad(scene: Scene, bad: Outcome) -> dict[str, Outcome]:
    account_key = scene.graph.scope.account_key
    keys = (bad.invocation_key,) if bad.run_id is None else list_run_invocation_keys(scene.tx, account_key, bad.run_id)
    return list_bad_outcomes(scene.tx, account_key, keys)


def _explain(scene: Scene, root: _Root, place: int) -> Finding:
    """Explain where something began, by the verdict on it, or on what still suffers where it is well again."""
    now_at_root = scene.latest.get(root.outcome.unique_id)
    is_over = now_at_root is not None and now_at_root.is_good
    asked = root.members[0].unique_id if is_over else root.outcome.unique_id
    verdict = _verdict(scene, asked) if place < _MOST_EXPLAINED else None
    causes = verdict.causes if verdict is not None and verdict.causes else (_itself(root.outcome),)
    began_at = (verdict.since if verdict is not None and verdict.causes else None) or root.outcome.at
    return Finding(
        root=root.root,
        more_roots=root.others,
        causes=causes,
        began_at=began_at,
        seen_at=max(outcome.at for outcome in root.members),
        affected=_find_affected(scene, asked, causes[0], verdict),
        job_id=root.outcome.job_id,
        is_over=is_over,
        home=_find_home(scene, causes[0]),
    )


def _find_home(scene: Scene, cause: Cause) -> NodeAddress | None:
    """Find the node of another project in which a cause lies; None where it lies in this one, or in no node."""
    if cause.unique_id is None:
        return None
    scope = place_of_cause(scene.tx, scene.estate, scene.graph.scope, cause)
    return None if scope == scene.graph.scope else scene.estate.held[scope].address(cause.unique_id)


def _verdict(scene: Scene, unique_id: str) -> Verdict:
    return give_verdict(scene.tx, scene.estate, scene.address(unique_id), scene.now)


def _find_affected(scene: Scene, asked: str, cause: Cause, verdict: Verdict | None) -> frozenset[NodeAddress]:
    """Give who suffers from a cause, once for all failures that it explains; unexplained failures only themselves."""
    if verdict is None:
        return frozenset({scene.address(asked)})
    known, home = notes(scene.tx), scene.graph.scope
    named = (Finding, home, cause.kind, cause.unique_id, cause.run_id, cause.about)
    if named not in known:
        known[named] = find_affected_by(scene.tx, scene.estate, home, cause, scene.now)
    found: frozenset[NodeAddress] = known[named]
    itself = begin_itself(scene.estate, scene.address(asked), verdict, scene.now)
    if found or itself is None:
        return found
    return find_affected_by(scene.tx, scene.estate, home, cause, scene.now, itself=itself)


def _itself(outcome: Outcome) -> Cause:
    said = f"{short_name(outcome.unique_id)} ended with {outcome.status}: {first_line(outcome.message)}"
    kind = CauseKind.TEST_FAILED if outcome.status == "fail" else CauseKind.NODE_FAILED
    return Cause(
        kind=kind, confidence=0.4, unique_id=outcome.unique_id, run_id=outcome.run_id, since=outcome.at,
        evidence=(said.removesuffix(": "),),
    )  # fmt: skip


def _find_late(scene: Scene, job: JobFacts) -> Finding | None:
    """Find the nodes that a job should have built since, and why it did not."""
    good = list_good_runs(scene.tx, scene.graph.scope.account_key, job.job_id, scene.now, limit=1)
    built = list_executed(scene.tx, scene.graph.scope.account_key, good[0]) if good else []
    late = {
        name: lateness
        for name in list_due(scene.tx, scene.held, built, job.job_id, scene.now)
        if name in scene.latest and (lateness := _lateness(scene, job, scene.latest[name])) is not None
    }
    verdicts = (_verdict(scene, unique_id) for unique_id in sorted(late)[:_LATE_TRIED])
    verdict = next((one for one in verdicts if one.state is NodeState.LATE and one.causes), None)
    if verdict is None:
        return None
    began_at = min((one.since for one in late.values() if one.since is not None), default=scene.now)
    seen = [run.created_at for one in late.values() for run in one.runs if run.created_at is not None]
    return Finding(
        root=f"job:{job.job_id}",
        more_roots=frozenset(f"late:{unique_id}" for unique_id in late),
        causes=verdict.causes,
        began_at=began_at,
        seen_at=max(seen, default=began_at),
        affected=_find_affected(scene, verdict.unique_id, verdict.causes[0], verdict),
        job_id=job.job_id,
    )


def _lateness(scene: Scene, job: JobFacts, last: Outcome) -> Lateness | None:
    if last.run_id is None or not last.is_good:
        return None
    return find_lateness(replace(job, building_run_ids=frozenset({last.run_id})), last.at, scene.now)
