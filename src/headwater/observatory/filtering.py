"""Filters as people word them: names and ids to what is stored, and back to a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlalchemy import Connection

from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.model.account import Environment, Job, Project
from headwater.model.filter import AccountFilter, Choice, Kind, is_job_wanted, say_filter
from headwater.store.inventory import list_account_jobs, list_environments, list_projects


@dataclass(frozen=True, slots=True, kw_only=True)
class KindWish:
    """What somebody wants of one kind, by name or id: only these, or all without these."""

    kind: Kind
    named: tuple[str, ...]
    is_exclusion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterWish:
    """A change of a filter as a person words it; what it does not name stays as it is, unless `is_reset`."""

    kinds: tuple[KindWish, ...] = ()
    with_ci: bool | None = None
    is_reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A project, environment or job; `project_id` is where it belongs, None for a project itself."""

    kind: Kind
    id: int
    name: str
    project_id: int | None
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an account holds, as far as its token shows it."""

    projects: tuple[Project, ...]
    environments: tuple[Environment, ...]
    jobs: tuple[Job, ...]

    def each_thing(self, kind: Kind) -> Iterator[Thing]:
        """Give the things of a kind by name, those last that were deleted."""
        found = {Kind.PROJECT: self._projects, Kind.ENVIRONMENT: self._environments, Kind.JOB: self._jobs}[kind]()
        yield from sorted(found, key=lambda thing: (thing.is_deleted, thing.name.casefold(), thing.id))

    def project_name(self, project_id: int | None) -> str | None:
        """Give the name of a project."""
        return next((project.name for project in self.projects if project.project_id == project_id), None)

    def name_of(self, kind: Kind, number: int) -> str:
        """Give the name of a thing, its id where it is not known."""
        return next((thing.name for thing in self.each_thing(kind) if thing.id == number), str(number))

    def is_followed(self, chosen: AccountFilter, thing: Thing) -> bool:
        """Tell whether a filter admits runs of a thing."""
        if not chosen.choice(thing.kind).admits(thing.id):
            return False
        if thing.kind is Kind.PROJECT:
            return True
        if thing.kind is Kind.ENVIRONMENT:
            return chosen.projects.admits(thing.project_id)
        return any(is_job_wanted(chosen, job) for job in self.jobs if job.job_id == thing.id)

    def _projects(self) -> Iterator[Thing]:
        for one in self.projects:
            yield _thing(Kind.PROJECT, one.project_id, one.name, None, is_deleted=one.is_deleted)

    def _environments(self) -> Iterator[Thing]:
        for one in self.environments:
            yield _thing(Kind.ENVIRONMENT, one.environment_id, one.name, one.project_id, is_deleted=one.is_deleted)

    def _jobs(self) -> Iterator[Thing]:
        for one in self.jobs:
            yield _thing(Kind.JOB, one.job_id, one.name, one.project_id, is_deleted=one.is_deleted)


def _thing(kind: Kind, number: int, name: str, project_id: int | None, *, is_deleted: bool) -> Thing:
    return Thing(kind=kind, id=number, name=name, project_id=project_id, is_deleted=is_deleted)


def read_inventory(tx: Connection, account_key: int) -> Inventory:
    """Read what is stored of an account's projects, environments and jobs."""
    return Inventory(
        projects=tuple(list_projects(tx, account_key)),
        environments=tuple(list_environments(tx, account_key)),
        jobs=tuple(list_account_jobs(tx, account_key)),
    )


def describe_filter(tx: Connection, account_key: int, chosen: AccountFilter) -> str:
    """Say an account's filter in a sentence, with the names that its things have now."""
    if chosen.is_open:
        return say_filter(chosen, lambda _, number: str(number))
    return say_filter(chosen, read_inventory(tx, account_key).name_of)


def resolve(wish: FilterWish, chosen: AccountFilter, inventory: Inventory) -> AccountFilter:
    """Give the filter that a wish makes of the one there is.

    Raises:
        NotKnown: there is nothing of a name or id; the hint names what comes near.
        Ambiguous: several things have a name; the candidates have their ids.
        WrongUse: a kind is both chosen and left out, or the choice admits nothing.
    """
    found = AccountFilter() if wish.is_reset else chosen
    if wish.with_ci is not None:
        found = replace(found, with_ci=wish.with_ci)
    asked = [part for kind in Kind for part in wish.kinds if part.kind is kind and part.named]
    for part in asked:
        if sum(other.kind is part.kind for other in asked) > 1:
            raise WrongUse(
                f"The {part.kind}s are both chosen and left out.", hint=f"Give --{part.kind} or --not-{part.kind}."
            )
        ids = frozenset(_find(part.kind, name, found, inventory) for name in part.named)
        found = found.with_choice(part.kind, Choice(ids=ids, is_exclusion=part.is_exclusion))
    check_filter(found, inventory)
    return found


def check_filter(chosen: AccountFilter, inventory: Inventory) -> None:
    """Refuse a filter of which one choice contradicts another.

    Raises:
        WrongUse: what is chosen belongs to something that is not.
    """
    for kind in (Kind.ENVIRONMENT, Kind.JOB):
        choice = chosen.choice(kind)
        named = [thing for thing in inventory.each_thing(kind) if thing.id in choice.ids]
        if choice.is_exclusion or len(named) < len(choice.ids):
            continue
        for thing in named:
            if not inventory.is_followed(chosen, thing):
                raise WrongUse(
                    f"The {kind} {thing.name} is chosen, but its project, its environment or CI is left out.",
                    hint="Choose them too, or leave it out.",
                )


def _find(kind: Kind, name: str, chosen: AccountFilter, inventory: Inventory) -> int:
    """Find the one thing that a name or an id means, the living before the deleted."""
    things = list(inventory.each_thing(kind))
    if name.isdecimal() and (not things or any(thing.id == int(name) for thing in things)):
        return int(name)
    alike = [thing for thing in things if thing.name.casefold() == name.strip().casefold()]
    found = [thing for thing in alike if not thing.is_deleted] or alike
    within = [thing for thing in found if kind is Kind.PROJECT or chosen.projects.admits(thing.project_id)]
    found = within or found
    if not found:
        raise NotKnown(f"The token sees no {kind} {name!r}.", hint=_say_near(kind, name, things))
    if len(found) > 1:
        candidates = tuple(_say_candidate(thing, inventory) for thing in found)
        raise Ambiguous(
            f"{len(found)} {kind}s are called {name!r}.", candidates=candidates, hint=f"Give --{kind} the id."
        )
    return found[0].id


def _say_near(kind: Kind, name: str, things: Sequence[Thing]) -> str:
    by_name = {thing.name.casefold(): thing.name for thing in things}
    near = [by_name[match] for match in get_close_matches(name.casefold(), by_name, n=3, cutoff=0.5)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    living = [thing.name for thing in things if not thing.is_deleted]
    more = f" and {len(living) - 5} more" if len(living) > 5 else ""
    return f"Its {kind}s: {', '.join(living[:5])}{more}." if living else f"It may not read {kind}s; give the id."


def _say_candidate(thing: Thing, inventory: Inventory) -> str:
    place = inventory.project_name(thing.project_id)
    return f"{thing.id} {thing.name}" + (f" of {place}" if place else "") + (", deleted" if thing.is_deleted else "")
