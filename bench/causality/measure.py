"""Headwater is asked about a history, and its answers are held against the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from baselines import Answer, folded_events, nearest_failed_parent
from history import Told
from planning import Placed
from telling import title_of

from faults import Fault, Scene, reach
from headwater.observatory.cause_reports import CauseSummary
from headwater.observatory.holder import Observatory
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.references import NodeQuestion
from headwater.observatory.verdicts import VerdictReport, get_verdict

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
    incidents: list[str] = field(default_factory=list)
    expected_incidents: int = 1
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
    def has_one_incident(self) -> bool:
        """Whether there are as many incidents as faults."""
        return len(self.incidents) == self.expected_incidents

    @property
    def is_among_three(self) -> bool:
        """Whether for each fault the true cause is among the first three."""
        return all(asked.place is not None and asked.place <= 3 for asked in self.asked)


def measure(observatory: Observatory, told: Told, scene: Scene) -> Measured:
    """Ask about a node that each fault reaches, and about healthy nodes."""
    truth = told.truth
    affected = truth.affected()
    asked_for = [placed for placed in told.placed if not placed.fault.is_decoy]
    kinds = [placed.fault.kind for placed in asked_for]
    measured = Measured(seed=told.seed, kinds=kinds, notes=told.notes, real_commands=told.real_commands)
    by_asked = {name for placed in asked_for for name in reach(placed.fault, truth)}
    by_decoys = {name for one in told.placed if one.fault.is_decoy for name in reach(one.fault, truth)} - by_asked
    verdicts: list[VerdictReport] = []
    for placed in asked_for:
        others = [other for other in asked_for if other is not placed]
        reachable = reach(placed.fault, truth)
        if not truth.red & (reachable | truth.tests_of(reachable)):
            measured.is_void = True
            continue
        if placed.fault.is_repaired:
            measured.asked.append(_ask_repaired(observatory, told, placed, scene))
            continue
        reached = affected & reachable
        only = reached - {name for other in others for name in reach(other.fault, truth)}
        if not reached:
            measured.is_void = True
            continue
        node = scene.chance.choice(sorted(only or reached))
        accepted = [placed] if node in only else [placed, *others]
        verdict = get_verdict(observatory, question(node, told.ends_at))
        verdicts.append(verdict)
        measured.asked.append(_hold(verdict, told, placed, accepted, node))
    said, wanted = say_affected(verdicts, truth.universe()), affected - by_decoys
    measured.truly_affected, measured.said_affected = len(wanted), len(said)
    measured.rightly_affected = len(wanted & said)
    measured.missing, measured.surplus = sorted(wanted - said), sorted(said - wanted)
    measured.incidents = list_opened(observatory, told)
    measured.expected_incidents = len(told.placed)
    healthy = sorted(set(truth.universe()) - affected)
    for node in scene.chance.sample(healthy, min(HEALTHY_QUESTIONS, len(healthy))):
        measured.healthy_asked += 1
        verdict = get_verdict(observatory, question(node, told.ends_at))
        if verdict.state not in GOOD or verdict.causes:
            measured.false_causes.append(f"{node}: {verdict.sentence}")
    return measured


def _ask_repaired(observatory: Observatory, told: Told, placed: Placed, scene: Scene) -> Asked:
    """Ask about a node that was bad until the retry: right is that it is well, with the retry named as what did it."""
    truth = told.truth
    node = scene.chance.choice(sorted(truth.red & reach(placed.fault, truth) & set(truth.universe())))
    verdict = get_verdict(observatory, question(node, told.ends_at))
    retry = max(placed.run_ids)
    is_told = verdict.past is not None and f"repaired by the retry, run {retry}." in verdict.past
    is_right = verdict.state in GOOD and not verdict.causes and is_told
    return Asked(
        kind=placed.fault.kind, said=placed.fault.said, node=node, place=1 if is_right else None, nearest=False,
        folded=False, answer=(*_say(verdict), verdict.past or "nothing of the past"),
    )  # fmt: skip


def say_affected(verdicts: Iterable[VerdictReport], universe: Iterable[str]) -> frozenset[str]:
    """Give the nodes that Headwater says suffer, from its answers about the faults."""
    said = {one.unique_id for verdict in verdicts for one in verdict.consequences.affected}
    return frozenset(said.intersection(universe))


def list_opened(observatory: Observatory, told: Told) -> list[str]:
    """List the incidents that were opened since the first fault, and those that go on though they are older."""
    struck_at = min(placed.strikes_at for placed in told.placed)
    found = list_incidents(observatory, IncidentQuestion(states=()), limit=None).incidents
    return [one.sentence for one in found if one.opened_at >= struck_at or one.resolved_at is None]


def question(node: str, at: datetime) -> NodeQuestion:
    """Ask about a node of its own project at a time."""
    return NodeQuestion(ref=node, project=node.split(".")[1].capitalize(), at=at)


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
        if fault.fate == "not_started":
            return cause.about == title_of(fault.first_job)
        names_table = cause.unique_id is not None and cause.unique_id in fault.subjects
        return names_table or cause.run_id in placed.run_ids
    return cause.unique_id in fault.subjects or (cause.about is not None and cause.about in fault.subjects)


def is_place(answer: Answer, placed: Placed) -> bool:
    """Whether a baseline blames the place of the fault, whatever kind it is."""
    if placed.fault.is_run:
        names_table = answer.unique_id is not None and answer.unique_id in placed.fault.subjects
        return names_table or answer.run_id in placed.run_ids
    return answer.unique_id is not None and answer.unique_id in placed.fault.subjects


def _say(verdict: VerdictReport) -> tuple[str, ...]:
    told = [f"{verdict.state}: {verdict.reason}"]
    return (*told, *(f"{cause.kind} {cause.subject} {cause.confidence}" for cause in verdict.causes[:3]))
