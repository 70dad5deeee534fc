"""What had happened to nodes at any time of the past, read in batches and remembered for one question."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.store.build_queries import list_newest

_WHOLE_READS = 6
"""So often all nodes are read at once; what is asked then is asked node by node."""


@dataclass(frozen=True, slots=True)
class Past:
    """The newest outcomes of some nodes at the times that are asked for; with `statuses` only those that ended so."""

    tx: Connection
    account_key: int
    node_keys: Mapping[NodeAddress, int]
    statuses: Collection[str] | None = None
    of_sources: bool = False
    _read: list[tuple[datetime, dict[int, Outcome]]] = field(default_factory=list)
    _single: dict[tuple[int, datetime], Outcome | None] = field(default_factory=dict)

    def at(self, address: NodeAddress, moment: datetime) -> Outcome | None:
        """Give what had happened last to a node at a moment; None where nothing is stored, or it is none of these."""
        node_key = self.node_keys.get(address)
        if node_key is None:
            return None
        for until, found in self._read:
            if moment <= until:
                outcome = found.get(node_key)
                if outcome is None or outcome.at <= moment:
                    return outcome
        if len(self._read) < _WHOLE_READS:
            return self.read_all(moment).get(node_key)
        if (node_key, moment) not in self._single:
            self._single[node_key, moment] = self._list([node_key], moment).get(node_key)
        return self._single[node_key, moment]

    def read_all(self, moment: datetime) -> Mapping[int, Outcome]:
        """Read what had happened last to all of the nodes at a moment."""
        found = self._list(self.node_keys.values(), moment)
        self._read.append((moment, found))
        return found

    def _list(self, node_keys: Collection[int], moment: datetime) -> dict[int, Outcome]:
        return list_newest(
            self.tx, self.account_key, node_keys, moment, statuses=self.statuses, of_sources=self.of_sources
        )
