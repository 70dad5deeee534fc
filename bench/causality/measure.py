"""Headwater is asked about a history, and its answers are held against the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from baselines import Answer, folded_events, nearest_failed_parent
from history import Placed, Told

from faults import Fault, Scene
from headwater.observatory.holder import Observatory
from headwater.observatory.references import NodeQuestion
from headwater.observatory.verdicts import CauseSummary, VerdictReport, get_verdict
from truth import Truth

GOOD = frozenset({"healthy", "unknown"})
HEALTHY_QUESTIONS = 2


@dataclass(frozen=True)
class Asked:
    """A question about a node that a fault reaches, and at which place the answer has the true cause (from 1)."""

    kind: str
    said: str
    node: str
    place: int | None
    nearest: bool
    folded: bool
    answer: tuple[str, ...]


@dataclass
class Measured:
    """What a history came to."""

    seed: int
    kinds: list[str]
    asked: list[Asked] = field(default_factory=list)
    truly_affected: int = 0
    said_affected: int = 0
    rightly_affected: int = 0
    missing: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    incidents: int | None = None
    healthy_asked: int = 0
    false_causes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    real_commands: int = 0
    is_void: bool = False

    @property
    def is_first(self) -> bool:
        """Whether for each fault the true cause is named first."""
        return all(asked.place == 1 for asked in self.asked)

    @property
    def is_among_three(self) -> bool:
        """Whether for each fault the true cause is among the first three."""
        return all(asked.place is not None and asked.place <= 3 for asked in self.asked)


def measure(observatory: Observatory, told: Told, scene: Scene) -> Measured:
    """Ask about a node that each fault reaches, and about healthy nodes."""
    truth = told.truth
    affected = truth.affected()
    kinds = [placed.fault.kind for placed in told.placed]
    measured = Measured(seed=told.seed, kinds=kinds, notes=told.notes, real_commands=told.real_commands)
    verdicts: list[VerdictReport] = []
    for placed in told.placed:
        others = [other for other in told.placed if other is not placed]
        reached = affected & reach(placed, truth)
        only = reached - {name for other in others for name in reach(other, truth)}
        if not reached:
            measured.is_void = True
            continue
        node = scene.chance.choice(sorted(only or reached))
        accepted = [placed] if node in only else [placed, *others]
        verdict = get_verdict(observatory, question(node, told.ends_at))
        verdicts.append(verdict)
        measured.asked.append(_hold(verdict, told, placed, accepted, node))
    said = say_affected(verdicts, truth.universe())
    measured.truly_affected, measured.said_affected = len(affected), len(said)
    measured.rightly_affected = len(affected & said)
    measured.missing, measured.surplus = sorted(affected - said), sorted(said - affected)
    measured.incidents = count_incidents(observatory)
    healthy = sorted(set(truth.universe()) - affected)
    for node in scene.chance.sample(healthy, min(HEALTHY_QUESTIONS, len(healthy))):
        measured.healthy_asked += 1
        verdict = get_verdict(observatory, question(node, told.ends_at))
        if verdict.state not in GOOD or verdict.causes:
            measured.false_causes.append(f"{node}: {verdict.sentence}")
    return measured


def say_affected(verdicts: Iterable[VerdictReport], universe: Iterable[str]) -> frozenset[str]:
    """Give the nodes that Headwater says suffer, from its answers about the faults."""
    said = {one.unique_id for verdict in verdicts for one in verdict.consequences.affected}
    return frozenset(said.intersection(universe))


def count_incidents(observatory: Observatory) -> int | None:
    """Count the incidents that are open; None where Headwater knows none."""
    try:
        from headwater.observatory.incidents import IncidentQuestion, list_incidents
    except ImportError:
        return None
    return int(list_incidents(observatory, IncidentQuestion()).total)


def question(node: str, at: datetime) -> NodeQuestion:
    """Ask about a node of its own project at a time."""
    return NodeQuestion(ref=node, project=node.split(".")[1].capitalize(), at=at)


def reach(placed: Placed, truth: Truth) -> set[str]:
    """Give what a fault can reach: what it lies in or what uses that, and all that is made from these."""
    fault = placed.fault
    starts = {name for name in fault.subjects if name in truth.nodes} | fault.wrong_sources | fault.wrong_code
    macros = {name for name in fault.subjects if name.startswith("macro.")}
    if macros:
        starts |= _users(macros, truth)
    if fault.is_run and not fault.subjects:
        starts |= truth.built_by[fault.first_job.key]
    return set(starts) | truth.downstream(starts)


def _users(macros: Iterable[str], truth: Truth) -> set[str]:
    """Give the nodes whose code uses some macros; of a test's macro the nodes that the tests read."""
    users = {
        name for name, node in truth.nodes.items() if set(macros) & set(node.get("depends_on", {}).get("macros", ()))
    }
    return users | {parent for name in users if name.startswith("test.") for parent in truth.parents[name]}


def _hold(verdict: VerdictReport, told: Told, placed: Placed, accepted: list[Placed], node: str) -> Asked:
    place = next(
        (index for index, cause in enumerate(verdict.causes, 1) if any(is_true(cause, one) for one in accepted)), None
    )
    runs = [run for run in told.runs if run.finished_at is None or run.finished_at <= told.ends_at + timedelta(hours=1)]
    return Asked(
        kind=placed.fault.kind, said=placed.fault.said, node=node, place=place,
        nearest=is_place(nearest_failed_parent(node, told.truth, runs), placed),
        folded=is_place(folded_events(node, told.truth, runs), placed),
        answer=_say(verdict),
    )  # fmt: skip


def is_true(cause: CauseSummary, placed: Placed) -> bool:
    """Whether a cause is the fault that was made: of a kind that names it, and of its subject."""
    fault: Fault = placed.fault
    if cause.kind not in fault.causes:
        return False
    if fault.is_run:
        not_started = fault.fate == "not_started"
        names_table = cause.unique_id is not None and cause.unique_id in fault.subjects
        return not_started or names_table or cause.run_id in placed.run_ids
    about = getattr(cause, "about", None)
    return cause.unique_id in fault.subjects or (about is not None and about in fault.subjects)


def is_place(answer: Answer, placed: Placed) -> bool:
    """Whether a baseline blames the place of the fault, whatever kind it is."""
    if placed.fault.is_run:
        names_table = answer.unique_id is not None and answer.unique_id in placed.fault.subjects
        return names_table or answer.run_id in placed.run_ids
    return answer.unique_id is not None and answer.unique_id in placed.fault.subjects


def _say(verdict: VerdictReport) -> tuple[str, ...]:
    told = [f"{verdict.state}: {verdict.reason}"]
    return (*told, *(f"{cause.kind} {cause.subject} {cause.confidence}" for cause in verdict.causes[:3]))
