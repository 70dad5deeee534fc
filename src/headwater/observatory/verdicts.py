"""Questions about the state of a node: in what state it is, since when, why, and what that reaches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.provenance import Provenance
from headwater.model.account import Job
from headwater.model.consequence import Consequences
from headwater.model.node import short_name
from headwater.model.verdict import Verdict
from headwater.observatory.cause_reports import (
    CauseSummary,
    PathStep,
    say_cause,
    summarise_cause,
    summarise_step,
)
from headwater.observatory.consequence_reports import (
    AffectedJob,
    AffectedSummary,
    RerunSummary,
    UnaffectedSummary,
    say_spared,
    say_suffering,
    summarise_affected,
    summarise_jobs,
    summarise_rerun,
    summarise_spared,
)
from headwater.observatory.consequences import list_obstacles, read_consequences
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import place_of, read_impact
from headwater.observatory.judging import give_verdict
from headwater.observatory.lineage import scope_of
from headwater.observatory.node_reports import ExposureSummary, ImpactReport, NodePlace, OwnerSummary
from headwater.observatory.provenance import read_provenance, summarise_data_as_of
from headwater.observatory.provenance_reports import DataAsOfSummary
from headwater.observatory.reaching import begin_itself
from headwater.observatory.references import FoundNode, NodeQuestion, find_node
from headwater.store.inventory import list_account_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsequencesSummary:
    """What a node feeds, and what suffers from its likeliest cause: exposures first, then what feeds the most others.

    `affected` is exactly what is bad now: failed, skipped, built from bad data or not rebuilt, all over the account; so
    it may hold what the node does not feed, and the node itself. `unaffected` lies below and was built before.
    `tests_unvouched` were skipped or not run since.
    """

    sentence: str
    downstream: tuple[str, ...]
    counts: dict[str, int]
    exposures: tuple[ExposureSummary, ...]
    owners: tuple[OwnerSummary, ...]
    suffering: str
    affected: tuple[AffectedSummary, ...]
    unaffected: tuple[UnaffectedSummary, ...]
    spared: str
    tests_unvouched: tuple[str, ...]
    tests_failing: tuple[str, ...]
    jobs: tuple[AffectedJob, ...]
    projects: tuple[str, ...]
    rerun: RerunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReport:
    """In what state a node is in its environment, since when, the causes, likeliest first, and what it reaches.

    `path` leads from the node to the likeliest cause; `past` says how it was bad before, where it is well again.
    """

    unique_id: str
    name: str
    sentence: str
    state: str
    reason: str
    since: datetime | None
    last_good_at: datetime | None
    place: NodePlace
    causes: tuple[CauseSummary, ...]
    data_as_of: DataAsOfSummary | None
    consequences: ConsequencesSummary
    notes: tuple[str, ...]
    as_of: datetime
    path: tuple[PathStep, ...] = ()
    past: str | None = None


def get_verdict(observatory: Observatory, asked: NodeQuestion) -> VerdictReport:
    """Get the verdict on a node, now or at a time that was asked for.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several nodes are.
    """
    now = asked.at or observatory.store.now()
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, asked)
        impact = read_impact(tx, found, now)
        return read_verdict(tx, found, impact, read_provenance(tx, found.estate, found.address, now), now)


def read_verdict(
    tx: Connection, found: FoundNode, impact: ImpactReport, provenance: Provenance, now: datetime
) -> VerdictReport:
    """Read the verdict on a node that was found, whose impact and provenance at that moment were read."""
    verdict = give_verdict(tx, found.estate, found.address, now)
    consequences = _read_consequences(tx, found, verdict, now)
    jobs = {job.job_id: job for job in list_account_jobs(tx, found.address.account_key)}
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
        data_as_of=summarise_data_as_of(provenance.data_as_of(found.address, now), found.address),
        consequences=_summarise_consequences(found, consequences, impact, jobs),
        notes=impact.notes,
        as_of=now,
        path=tuple(summarise_step(step) for step in verdict.path),
        past=verdict.past,
    )


def _read_consequences(tx: Connection, found: FoundNode, verdict: Verdict, now: datetime) -> Consequences:
    """Read what the likeliest cause of a bad state leads to; a node that is well makes nothing suffer."""
    if not verdict.causes:
        return Consequences()
    itself = begin_itself(found.estate, found.address, verdict, now)
    return read_consequences(tx, found.estate, scope_of(found.address), verdict.causes[0], now, itself=itself)


def _summarise_consequences(
    found: FoundNode, consequences: Consequences, impact: ImpactReport, jobs: dict[int, Job]
) -> ConsequencesSummary:
    estate = found.estate
    affected = summarise_affected(estate, consequences.affected)
    unaffected = summarise_spared(estate, consequences.spared, jobs)
    in_the_way = list_obstacles(consequences, estate, found.address)
    projects = dict.fromkeys(one.project_name for one in affected if one.project_name)
    return ConsequencesSummary(
        sentence=impact.sentence,
        downstream=impact.downstream,
        counts=impact.counts,
        exposures=impact.exposures,
        owners=impact.owners,
        suffering=say_suffering(affected),
        affected=affected,
        unaffected=unaffected,
        spared=say_spared(unaffected),
        tests_unvouched=tuple(address.unique_id for address in consequences.unvouched),
        tests_failing=tuple(address.unique_id for address in consequences.failing),
        jobs=summarise_jobs(consequences, jobs),
        projects=tuple(projects),
        rerun=summarise_rerun(estate, consequences, jobs, found.address.unique_id, in_the_way),
    )


def _say(verdict: Verdict) -> str:
    """Say the verdict in one sentence: the state, since when, and the likeliest cause."""
    since = f" since {verdict.since:%Y-%m-%d %H:%M} UTC" if verdict.since is not None else ""
    said = f"{short_name(verdict.unique_id)} is {verdict.state}{since}"
    if not verdict.causes:
        return f"{said}."
    first = verdict.causes[0]
    return f"{said}: {say_cause(first)}."
