"""Whether a test fails and passes in turn, so that its failures say little of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headwater.model.invocation import FAILED

_TOLD = frozenset({"pass", "warn", *FAILED})
_LEAST_TURNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Flakiness:
    """How many results there were, how many of them failed, and how often a failure followed a success or the reverse.

    A test that is broken and mended turns twice; one that turns four times is flaky.
    """

    results: int
    failed: int
    turns: int

    @property
    def is_flaky(self) -> bool:
        """Whether it fails and passes in turn."""
        return self.turns >= _LEAST_TURNS


def find_flakiness(statuses: Sequence[str]) -> Flakiness:
    """Count the turns of a test's results, oldest first; what was skipped tells nothing."""
    told = [status in FAILED for status in statuses if status in _TOLD]
    return Flakiness(
        results=len(told), failed=sum(told), turns=sum(before is not after for before, after in pairwise(told))
    )
