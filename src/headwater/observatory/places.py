"""Names and ids as people write them → the keys of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from headwater.errors import Ambiguous, NotKnown
from headwater.observatory.holder import Observatory, get_account
from headwater.store.accounts import list_accounts
from headwater.store.inventory import list_account_jobs, list_environments, list_projects

Noun = TypeVar("Noun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look; None is everywhere."""

    account_keys: tuple[int, ...] | None = None
    project_id: int | None = None
    environment_id: int | None = None
    job_id: int | None = None


def find_places(
    observatory: Observatory,
    *,
    account: str | None = None,
    project: str | None = None,
    environment: str | None = None,
    job: str | None = None,
) -> Places:
    """Find an account by name, and a project, an environment and a job by name or id within it, or within all.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several are.
    """
    keys = (get_account(observatory, account).account_key,) if account else None
    if not (project or environment or job):
        return Places(account_keys=keys)
    with observatory.store.read() as tx:
        wanted = keys or tuple(known.account_key for known in list_accounts(tx))
        projects = [(key, found) for key in wanted for found in list_projects(tx, key)] if project else []
        environments = [(key, found) for key in wanted for found in list_environments(tx, key)] if environment else []
        jobs = [(key, found) for key in wanted for found in list_account_jobs(tx, key)] if job else []
    return Places(
        account_keys=keys,
        project_id=_find("project", project, projects, lambda found: found.project_id, lambda found: found.name),
        environment_id=_find(
            "environment", environment, environments, lambda found: found.environment_id, lambda found: found.name
        ),
        job_id=_find("job", job, jobs, lambda found: found.job_id, lambda found: found.name),
    )


def _find(
    noun: str,
    wanted: str | None,
    known: Iterable[tuple[int, Noun]],
    get_id: Callable[[Noun], int],
    get_name: Callable[[Noun], str],
) -> int | None:
    if not wanted:
        return None
    found = {get_id(thing): get_name(thing) for _, thing in known}
    if wanted.lstrip("-").isdecimal() and (int(wanted) in found or noun == "job"):
        return int(wanted)
    ids = [number for number, name in found.items() if name.casefold() == wanted.casefold()]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise Ambiguous(
            f"Several {noun}s are called {wanted!r}.",
            candidates=tuple(f"{number} {found[number]}" for number in ids),
            hint="Use the id, or add the account.",
        )
    names = ", ".join(sorted(set(found.values()))[:12])
    raise NotKnown(f"There is no {noun} {wanted!r}.", hint=f"There are: {names}." if names else "None is known yet.")
