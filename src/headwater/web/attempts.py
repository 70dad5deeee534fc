"""The runs of a page in groups: those that try the same piece of work stand together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.observatory.reports import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """The attempts of a chain that are on a page, newest first; `elsewhere` counts those that are not on it."""

    runs: tuple[RunSummary, ...]
    outcome: str
    attempts: int
    elsewhere: int


def group_attempts(runs: Iterable[RunSummary]) -> tuple[RunGroup, ...]:
    """Group the runs of a page, newest first, by their chains: a group stands where its newest run does."""
    groups: defaultdict[tuple[str, int], list[RunSummary]] = defaultdict(list)
    for run in runs:
        groups[run.account, run.chain.first_run_id].append(run)
    return tuple(
        RunGroup(
            runs=tuple(sorted(members, key=lambda run: -run.chain.attempt)),
            outcome=members[0].chain.outcome,
            attempts=len(members[0].chain.run_ids),
            elsewhere=len(members[0].chain.run_ids) - len(members),
        )
        for members in groups.values()
    )
