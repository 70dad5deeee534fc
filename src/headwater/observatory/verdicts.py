"""Questions about the state of a node: in what state it is, since when, why, and what that reaches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.model.node import short_name
from headwater.model.verdict import Cause, Verdict
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import place_of, read_impact
from headwater.observatory.judging import give_verdict
from headwater.observatory.node_reports import CauseSummary, ExposureSummary, NodePlace, OwnerSummary
from headwater.observatory.references import NodeQuestion, find_node


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsequencesSummary:
    """What a node feeds: counts by resource type, exposures and owners first."""

    sentence: str
    downstream: tuple[str, ...]
    counts: dict[str, int]
    exposures: tuple[ExposureSummary, ...]
    owners: tuple[OwnerSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReport:
    """In what state a node is in its environment, since when, the causes, likeliest first, and what it reaches."""

    unique_id: str
    name: str
    sentence: str
    state: str
    reason: str
    since: datetime | None
    last_good_at: datetime | None
    place: NodePlace
    causes: tuple[CauseSummary, ...]
    consequences: ConsequencesSummary
    notes: tuple[str, ...]
    as_of: datetime


def get_verdict(observatory: Observatory, asked: NodeQuestion) -> VerdictReport:
    """Get the verdict on a node, now or at a time that was asked for.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several nodes are.
    """
    now = asked.at or observatory.store.now()
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, asked)
        verdict = give_verdict(tx, found.estate, found.address, now)
        impact = read_impact(tx, found, now)
    return VerdictReport(
        unique_id=verdict.unique_id,
        name=found.row.name,
        sentence=_say(verdict),
        state=str(verdict.state),
        reason=verdict.reason,
        since=verdict.since,
        last_good_at=verdict.last_good_at,
        place=place_of(found),
        causes=tuple(summarise_cause(cause) for cause in verdict.causes),
        consequences=ConsequencesSummary(
            sentence=impact.sentence,
            downstream=impact.downstream,
            counts=impact.counts,
            exposures=impact.exposures,
            owners=impact.owners,
        ),
        notes=impact.notes,
        as_of=now,
    )


def summarise_cause(cause: Cause) -> CauseSummary:
    """Give a cause as a document has it."""
    return CauseSummary(
        kind=str(cause.kind),
        subject=short_name(cause.unique_id) if cause.unique_id else f"run {cause.run_id}",
        unique_id=cause.unique_id,
        run_id=cause.run_id,
        confidence=cause.confidence,
        since=cause.since,
        evidence=cause.evidence,
    )


def _say(verdict: Verdict) -> str:
    """Say the verdict in one sentence: the state, since when, and the likeliest cause."""
    since = f" since {verdict.since:%Y-%m-%d %H:%M} UTC" if verdict.since is not None else ""
    said = f"{short_name(verdict.unique_id)} is {verdict.state}{since}"
    if not verdict.causes:
        return f"{said}."
    first = verdict.causes[0]
    subject = short_name(first.unique_id) if first.unique_id else f"run {first.run_id}"
    return f"{said}: {str(first.kind).replace('_', ' ')} ({subject})."
