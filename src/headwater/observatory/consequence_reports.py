"""What questions about consequences return; field names are those of the JSON, as in `reports`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from headwater.model.account import Job
from headwater.model.consequence import Affected, Consequences, Rerun, Spared, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.observatory.lineage import Estate
from headwater.observatory.sentences import say_span

_TABLES = frozenset({"model", "seed", "snapshot", "function"})
_WORDS = {
    Suffering.FAILED: "failed",
    Suffering.SKIPPED: "skipped",
    Suffering.TEST_FAILING: "failing a test",
    Suffering.BUILT_FROM_BAD_DATA: "built from bad data",
    Suffering.READS_BAD_DATA: "showing bad data",
    Suffering.NOT_REBUILT: "not rebuilt",
    Suffering.STALE: "stale",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedSummary:
    """A node that suffers from the likeliest cause: what, since when, the run and time of what shows it.

    `read` is the bad node it was made from; None where it is bad by itself.
    """

    unique_id: str
    resource_type: str
    project_name: str | None
    suffers: str
    since: datetime | None
    run_id: int | None
    at: datetime | None
    read: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaffectedSummary:
    """A table below the cause that was built before it; `next_run_at` is when its job's schedule builds it next."""

    unique_id: str
    project_name: str | None
    built_at: datetime | None
    run_id: int | None
    job_name: str | None
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedJob:
    """A job that built affected nodes, and how many of them."""

    job_id: int
    job_name: str | None
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunCommand:
    """What to run in one project once the cause is gone, the jobs that hold its nodes, how long dbt should take."""

    project: str
    command: str
    nodes: int
    jobs: tuple[str, ...]
    expected_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunSummary:
    """The cheapest way back; `in_the_way` is what would still be bad if only the node itself were built again."""

    commands: tuple[RerunCommand, ...] = ()
    in_the_way: tuple[str, ...] = ()
    sentence: str = ""


def summarise_affected(estate: Estate, affected: Iterable[Affected]) -> tuple[AffectedSummary, ...]:
    """Give the affected nodes as they are shown; sources are where a fault begins and not in it."""
    return tuple(
        AffectedSummary(
            unique_id=found.address.unique_id,
            resource_type=row.resource_type,
            project_name=estate.of(found.address).place.project_name,
            suffers=str(found.suffers),
            since=found.since,
            run_id=found.run_id,
            at=found.at,
            read=found.read.unique_id if found.read else None,
        )
        for found in affected
        if (row := estate.row(found.address)) is not None
    )


def summarise_spared(estate: Estate, spared: Iterable[Spared], jobs: dict[int, Job]) -> tuple[UnaffectedSummary, ...]:
    """Give the spared nodes as they are shown, those that are built next first."""
    listed = sorted(spared, key=lambda one: (one.next_run_at is None, one.next_run_at or one.built_at, one.address))
    return tuple(
        UnaffectedSummary(
            unique_id=one.address.unique_id,
            project_name=estate.of(one.address).place.project_name,
            built_at=one.built_at,
            run_id=one.run_id,
            job_name=_name(jobs, one.job_id),
            next_run_at=one.next_run_at,
        )
        for one in listed
    )


def summarise_jobs(consequences: Consequences, jobs: dict[int, Job]) -> tuple[AffectedJob, ...]:
    """Give the jobs that built what suffers, the one with the most first."""
    return tuple(
        AffectedJob(job_id=job_id, job_name=_name(jobs, job_id), nodes=count)
        for job_id, count in consequences.jobs.items()
    )


def summarise_rerun(
    estate: Estate, consequences: Consequences, jobs: dict[int, Job], itself: str, in_the_way: Iterable[NodeAddress]
) -> RerunSummary:
    """Give the way back as commands."""
    named = tuple(address.unique_id for address in in_the_way)
    sentence = ""
    if named:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        bad = ", ".join(map(short_name, named[:3]))
        sentence = f"Building {short_name(itself)} alone would not help: {bad}{more} would still be bad."
    return RerunSummary(
        commands=list_commands(estate, consequences, jobs),
        in_the_way=named,
        sentence=sentence,
    )


def list_commands(estate: Estate, consequences: Consequences, jobs: dict[int, Job]) -> tuple[RerunCommand, ...]:
    """Give what to build again, a command for each project."""
    return tuple(_command(estate, rerun, jobs) for rerun in consequences.reruns)


def say_suffering(affected: Iterable[AffectedSummary]) -> str:
    """Count what the affected suffer, in words; empty where nothing is affected."""
    listed = list(affected)
    if not listed:
        return ""
    tables = [one for one in listed if one.resource_type in _TABLES]
    exposures = sum(1 for one in listed if one.resource_type == "exposure")
    others = len(listed) - len(tables) - exposures
    words = Counter(_WORDS[Suffering(one.suffers)] for one in tables)
    said = ", ".join(f"{count:,} {word}" for word, count in words.most_common())
    parts = [f"{_count(len(tables), 'table')} ({said})"] if tables else []
    parts += [_count(exposures, "exposure")] if exposures else []
    parts += [f"{others:,} of metrics and their like"] if others else []
    return f"Affected now: {', '.join(parts)}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say_spared(spared: tuple[UnaffectedSummary, ...]) -> str:
    """Say how many tables were built before, and when the first of them is built next; empty where there are none."""
    if not spared:
        return ""
    soonest = spared[0]
    until = (
        f" until {soonest.job_name} runs at {soonest.next_run_at:%Y-%m-%d %H:%M} UTC"
        if soonest.next_run_at is not None
        else ""
    )
    if len(spared) == 1:
        return f"1 table below was built before and is as it should be{until}."
    return f"{len(spared):,} tables below were built before and are as they should be{until}."


def say_command(command: RerunCommand) -> str:
    """Say a command with its project, its jobs and how long it should take."""
    took = f"about {say_span(command.expected_seconds)}" if command.expected_seconds is not None else ""
    told = ", ".join(part for part in (_count(command.nodes, "node"), *command.jobs[:3], took) if part)
    return f"{command.project}: {command.command} ({told})"


def _command(estate: Estate, rerun: Rerun, jobs: dict[int, Job]) -> RerunCommand:
    place = estate.of(rerun.nodes[0]).place
    words = ["dbt", "build", *(["--select", *map(shlex.quote, rerun.select)] if rerun.select else [])]
    words += ["--exclude", *map(shlex.quote, rerun.exclude)] if rerun.exclude else []
    return RerunCommand(
        project=place.project_name or str(place.project_id),
        command=" ".join(words),
        nodes=len(rerun.nodes),
        jobs=tuple(name for job_id in rerun.job_ids if (name := _name(jobs, job_id)) is not None),
        expected_seconds=round(rerun.expected.total_seconds(), 1) if rerun.expected is not None else None,
    )


def _name(jobs: dict[int, Job], job_id: int | None) -> str | None:
    job = jobs.get(job_id or 0)
    return job.name if job is not None else None
