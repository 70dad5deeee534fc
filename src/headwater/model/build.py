"""A build: a successful execution that wrote a relation; what it read, and how old that was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome

WRITTEN = frozenset({"success"})
"""The statuses of an execution that wrote its whole relation; `reused` and `no-op` wrote nothing."""


class AgeBasis(StrEnum):
    """From what it is known how old data are."""

    LOADED = "loaded"
    BUILT = "built"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a build, or a question put to a view, found in one relation.

    `build` is the build of it that was there, None where none is stored or it is a source. Of a source `loaded_at` is
    its newest row as far as freshness checks tell.
    """

    address: NodeAddress
    build: Outcome | None = None
    loaded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DataAge:
    """How old the data of a relation are that come from one beginning: a source, a seed, or a node made from nothing.

    `at` is the newest row of the source (`loaded`), else when `read_by` read it or wrote itself (`built`), else None.
    """

    address: NodeAddress
    basis: AgeBasis
    at: datetime | None
    read_by: NodeAddress | None = None


@dataclass(frozen=True, slots=True)
class DataAsOf:
    """How old the data of a relation are: of each of its beginnings, the oldest first, those not known last.

    A seed is as old as its last build and seldom changes: it is the oldest only where nothing else is known.
    """

    ages: tuple[DataAge, ...] = ()

    @property
    def oldest(self) -> DataAge | None:
        """Give the oldest that is known."""
        known = [age for age in self.ages if age.at is not None]
        loaded = (age for age in known if not age.address.unique_id.startswith("seed."))
        return next(loaded, known[0] if known else None)

    @property
    def unknown(self) -> tuple[DataAge, ...]:
        """Give those of which nothing is known."""
        return tuple(age for age in self.ages if age.at is None)
