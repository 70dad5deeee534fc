"""What is wrong with data where something failed: since when a test speaks against them, who renewed them meanwhile."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from headwater.model.build import WRITTEN
from headwater.model.outcome import Outcome
from headwater.observatory.missed import BUILT
from headwater.store.build_queries import list_between, list_newest
from headwater.store.lineage_rows import LineageRow
from headwater.store.run_places import find_run_place

_LIVE = frozenset({"view", "ephemeral"})
_STORED = BUILT - {"function"}


def is_stored(row: LineageRow) -> bool:
    """Tell whether a node keeps what it read when it was built; views and exposures show what there is now."""
    return row.resource_type in _STORED and row.materialized not in _LIVE


def is_renewed(tx: Connection, account_key: int, row: LineageRow, failed: Outcome) -> bool:
    """Tell whether another run wrote a table while the one at work that failed to: then its data are as new."""
    place = find_run_place(tx, account_key, failed.run_id) if failed.run_id is not None else None
    if not is_stored(row) or place is None or place.started_at is None:
        return False
    written = list_between(tx, account_key, [row.node_key], place.started_at, failed.at, statuses=WRITTEN)
    return any(build.run_id != failed.run_id for build in written.get(row.node_key, ()))


def in_doubt_since(tx: Connection, account_key: int, tested: LineageRow | None, first: Outcome) -> datetime:
    """Tell since when what a test reads is in doubt, by the first of the test's failures that went on.

    A job may build everything first and test it afterwards: what it built in between is made from the same data. A
    table is in doubt from its last build on, whichever run made that; a view or a source, which change without a build,
    from the beginning of the run on.
    """
    if tested is not None and is_stored(tested):
        built = list_newest(tx, account_key, [tested.node_key], first.at, statuses=WRITTEN)
        if tested.node_key in built:
            return min(first.at, built[tested.node_key].at)
    place = find_run_place(tx, account_key, first.run_id) if first.run_id is not None else None
    return min(first.at, place.started_at) if place is not None and place.started_at is not None else first.at
