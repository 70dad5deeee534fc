"""Up to when what a node shows was read from each of its ancestors: tables keep what they read, views do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from heapq import heappop, heappush

from headwater.analysis.roots import Parents


def read_times(
    unique_id: str, parents: Parents, built: Mapping[str, datetime], stored: Collection[str], now: datetime
) -> dict[str, datetime]:
    """Give for each ancestor the latest moment whose content may be in a node.

    `stored` are the nodes that keep what they read; `built` says when those were last built well. A stored node that is
    not in `built` keeps nothing back: what is above it may be why it was not built. Of several ways up the one counts
    that read last.
    """
    found: dict[str, datetime] = {}
    waiting = [(-_held(unique_id, now, built, stored).timestamp(), unique_id)]
    moments = {unique_id: _held(unique_id, now, built, stored)}
    while waiting:
        _, name = heappop(waiting)
        for parent in parents.get(name, ()):
            if parent != unique_id and parent not in found:
                found[parent] = moments[name]
                moments[parent] = _held(parent, moments[name], built, stored)
                heappush(waiting, (-moments[parent].timestamp(), parent))
    return found


def _held(name: str, read_at: datetime, built: Mapping[str, datetime], stored: Collection[str]) -> datetime:
    return min(read_at, built.get(name, read_at)) if name in stored else read_at
