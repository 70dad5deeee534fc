"""Which runs of an account are followed: by project, environment and job, with CI jobs or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from headwater.model.account import Job
from headwater.model.run import Run, RunStatus, Trigger

CI_TYPE = "ci"
"""dbt Cloud's type of the jobs that a pull request starts, and the category of their triggers.

A `merge` job is none: it builds what is deployed.
"""


class Kind(StrEnum):
    """What a filter chooses by."""

    PROJECT = "project"
    ENVIRONMENT = "environment"
    JOB = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The ids that are chosen of one kind, or left out where `is_exclusion`; without an id everything is chosen."""

    ids: frozenset[int] = frozenset()
    is_exclusion: bool = False

    def admits(self, number: int | None) -> bool:
        """Tell whether a thing of this id is chosen; one without an id is neither named nor left out."""
        return not self.ids or (number in self.ids) is not self.is_exclusion

    def includes(self, other: Choice) -> bool:
        """Tell whether everything that the other chooses is chosen here too, whatever ids there may be."""
        if not self.ids:
            return True
        if self.is_exclusion:
            return self.ids <= other.ids if other.is_exclusion else bool(other.ids) and not self.ids & other.ids
        return bool(other.ids) and not other.is_exclusion and other.ids <= self.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which runs of an account are followed: those that every choice admits, and CI jobs where `with_ci`."""

    projects: Choice = Choice()
    environments: Choice = Choice()
    jobs: Choice = Choice()
    with_ci: bool = True

    @property
    def is_open(self) -> bool:
        """Whether it admits every run."""
        return self == AccountFilter()

    def choice(self, kind: Kind) -> Choice:
        """Give the choice by one kind."""
        return {Kind.PROJECT: self.projects, Kind.ENVIRONMENT: self.environments, Kind.JOB: self.jobs}[kind]

    def with_choice(self, kind: Kind, choice: Choice) -> AccountFilter:
        """Give the filter with another choice by one kind."""
        if kind is Kind.PROJECT:
            return replace(self, projects=choice)
        return replace(self, environments=choice) if kind is Kind.ENVIRONMENT else replace(self, jobs=choice)

    def includes(self, other: AccountFilter) -> bool:
        """Tell whether every run that the other admits is admitted here too."""
        choices = all(self.choice(kind).includes(other.choice(kind)) for kind in Kind)
        return choices and (self.with_ci or not other.with_ci)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """A filter, with dbt Cloud's type of each known job."""

    filter: AccountFilter = AccountFilter()
    job_types: Mapping[int, str | None] = field(default_factory=dict)

    def wants(self, run: Run) -> bool:
        """Tell whether a run is to be followed."""
        return is_wanted(self.filter, run, self.job_types.get(run.job_id or 0))


def is_wanted(chosen: AccountFilter, run: Run, job_type: str | None) -> bool:
    """Tell whether a filter admits a run of a job of this type; None where the type is not known."""
    admitted = (
        chosen.projects.admits(run.project_id)
        and chosen.environments.admits(run.environment_id)
        and chosen.jobs.admits(run.job_id)
    )
    return admitted and (chosen.with_ci or not is_ci(job_type, run.trigger))


def is_job_wanted(chosen: AccountFilter, job: Job) -> bool:
    """Tell whether a filter admits a job's runs, whatever triggers them."""
    as_run = Run(
        run_id=0,
        status=RunStatus.QUEUED,
        project_id=job.project_id,
        environment_id=job.environment_id,
        job_id=job.job_id,
    )
    return is_wanted(chosen, as_run, job.job_type)


def is_ci(job_type: str | None, trigger: Trigger | None) -> bool:
    """Tell whether a run is CI's: by the type of its job, or by its trigger where accounts are older than job types."""
    if job_type == CI_TYPE:
        return True
    return trigger is not None and (trigger.category == CI_TYPE or trigger.pull_request_id is not None)


def say_filter(chosen: AccountFilter, name_of: Callable[[Kind, int], str]) -> str:
    """Say a filter in a sentence; `name_of` gives what to call the thing of a kind with an id."""
    only = [_say_choice(kind, chosen.choice(kind), name_of) for kind in Kind if not chosen.choice(kind).is_exclusion]
    without = [_say_choice(kind, chosen.choice(kind), name_of) for kind in Kind if chosen.choice(kind).is_exclusion]
    named = [words for words in only if words] or ["every run"]
    left_out = [words for words in without if words] + ([] if chosen.with_ci else ["CI jobs"])
    return ", ".join([f"Follows {', '.join(named)}", *(f"without {words}" for words in left_out)]) + "."


def _say_choice(kind: Kind, choice: Choice, name_of: Callable[[Kind, int], str]) -> str:
    names = sorted(name_of(kind, number) for number in choice.ids)
    if len(names) < 2:
        return f"{kind} {names[0]}" if names else ""
    return f"{kind}s {', '.join(names[:-1])} and {names[-1]}"
