"""What a relation was made from: the builds and source states that its builds really read, and how old its data are.

A build reads its parents when it begins. Views and ephemeral models hold nothing: whoever reads them reads what their
parents hold at that moment. So what a view shows now is what its parents hold now, whenever the view was built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from headwater.model.build import AgeBasis, DataAge, DataAsOf, Reading
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome

BuildAt = Callable[[NodeAddress, datetime], Outcome | None]
"""Gives the last build of a node that had begun at a time."""

LoadedAt = Callable[[NodeAddress, datetime], datetime | None]
"""Gives the newest row that a source had at a time; None where no freshness check tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of the past of some nodes. `parents` passes ephemeral models through.

    `read_through` are views and all that is described rather than built; `sources` are loaded by others.
    """

    parents: Mapping[NodeAddress, tuple[NodeAddress, ...]]
    build_at: BuildAt
    loaded_at: LoadedAt
    read_through: frozenset[NodeAddress] = frozenset()
    sources: frozenset[NodeAddress] = frozenset()

    def readings(self, address: NodeAddress, moment: datetime) -> tuple[Reading, ...]:
        """Give what of its parents a node read at a moment, views opened to what is behind them; each relation once."""
        found: dict[NodeAddress, Reading] = {}
        seen = {address}
        waiting = list(self.parents.get(address, ()))
        for parent in waiting:
            if parent in seen:
                continue
            seen.add(parent)
            if parent in self.read_through and self.parents.get(parent):
                waiting += self.parents[parent]
            else:
                found[parent] = self._read(parent, moment)
        return tuple(found.values())

    def data_as_of(self, address: NodeAddress, moment: datetime) -> DataAsOf:
        """Tell how old the data are that a relation held at a moment, followed to where they come from.

        The same beginning may have been read by several builds; the oldest reading of it counts.
        """
        oldest: dict[NodeAddress, DataAge] = {}
        for age in self._each_age(address, moment):
            known = oldest.get(age.address)
            if known is None or _order(age) < _order(known):
                oldest[age.address] = age
        return DataAsOf(tuple(sorted(oldest.values(), key=_order)))

    def _each_age(self, address: NodeAddress, moment: datetime) -> Iterator[DataAge]:
        seen = {(address, moment)}
        waiting: list[tuple[NodeAddress, datetime, NodeAddress | None]] = [(address, moment, None)]
        for current, when, reader in waiting:
            if current in self.sources:
                yield self._source_age(current, when, reader)
                continue
            parents = self.parents.get(current, ())
            if current not in self.read_through or not parents:
                build = self.build_at(current, when)
                if build is None:
                    yield DataAge(current, AgeBasis.UNKNOWN, None, reader)
                    continue
                if not parents:
                    yield DataAge(current, AgeBasis.BUILT, build.at, current)
                    continue
                when, reader = build.at, current  # noqa: PLW2901  a table read its parents when it was built
            for parent in parents:
                if (parent, when) not in seen:
                    seen.add((parent, when))
                    waiting.append((parent, when, reader))

    def _source_age(self, source: NodeAddress, moment: datetime, reader: NodeAddress | None) -> DataAge:
        loaded = self.loaded_at(source, moment)
        if loaded is not None:
            return DataAge(source, AgeBasis.LOADED, loaded, reader)
        if reader is None:
            return DataAge(source, AgeBasis.UNKNOWN, None)
        return DataAge(source, AgeBasis.BUILT, moment, reader)

    def _read(self, address: NodeAddress, moment: datetime) -> Reading:
        if address in self.sources:
            return Reading(address, loaded_at=self.loaded_at(address, moment))
        return Reading(address, self.build_at(address, moment))


def _order(age: DataAge) -> tuple[bool, datetime | None, NodeAddress]:
    return (age.at is None, age.at, age.address) if age.at is not None else (True, None, age.address)
