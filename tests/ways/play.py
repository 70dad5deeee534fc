"""`make ways`: plays seeded histories on SQLite and PostgreSQL, and says what was lost, double or wrong.

Prints one JSON line last; every difference stands on standard error, with how to play its history again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ways_history import Played, play

from headwater.simulator.recordings import Archive
from headwater.simulator.settings import RECORDINGS
from headwater.store.database import open_store
from postgres import TEMPLATE, PostgresServer, running_postgres
from truth import Comparison

DATABASES = ("sqlite", "postgresql")
_MOST_SAID = 40
_PATIENCE = 300
"""Seconds after which a history will not end any more: it says where it stands, and so does not hide that."""


def main() -> int:
    """Play the histories that are asked for; 1 where one of them differs from the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many histories")
    parser.add_argument("--first", type=int, default=1, help="the seed of the first")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    workers = min(2 * (os.cpu_count() or 1), given.seeds)  # a history waits more than it computes
    total: Counter[str] = Counter(histories=0, runs=0, observations=0, lost=0, double=0, wrong=0)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for counted in pool.map(play_all, [seeds[place::workers] for place in range(workers)]):
            total.update(counted)
    print(json.dumps(total))
    return 1 if total["lost"] or total["double"] or total["wrong"] else 0


def play_all(seeds: range) -> Counter[str]:
    """Play histories on both databases, one after the other, with a PostgreSQL of their own."""
    logging.disable(logging.CRITICAL)  # what the SDK says of a server that is away is part of every history
    total: Counter[str] = Counter()
    with running_postgres() as server, Archive(RECORDINGS) as archive:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        open_store(server.url(TEMPLATE)).close()
        for seed in seeds:
            for database in DATABASES:
                faulthandler.dump_traceback_later(_PATIENCE, exit=True)
                total.update(count(seed, database, play_on(seed, database, server, archive).compared))
            faulthandler.cancel_dump_traceback_later()
            total["histories"] += 1
            if total["histories"] % 10 == 0:
                print(f"{total['histories']} of {len(seeds)} histories", file=sys.stderr, flush=True)
    return total


def play_on(seed: int, database: str, server: PostgresServer | None, archive: Archive) -> Played:
    """Play a history on one kind of database; one that breaks off is wrong."""
    with tempfile.TemporaryDirectory(prefix="headwater-ways-") as name, empty(database, Path(name), server) as url:
        try:
            return play(seed, Path(name), url, archive)
        except Exception:  # noqa: BLE001  any end but the settled one is a difference
            return Played(Comparison(wrong=[f"the history broke off: {traceback.format_exc()}"]), ())


@contextmanager
def empty(database: str, folder: Path, server: PostgresServer | None) -> Iterator[str]:
    """Give the address of an empty database."""
    if server is None or database == "sqlite":
        yield f"sqlite:///{folder / 'headwater.db'}"
    else:
        with server.database() as url:
            yield url


def count(seed: int, database: str, found: Comparison) -> dict[str, int]:
    """Count what a history came to; differences are said."""
    if found.differences:
        said = [f"Seed {seed} on {database}, again with: make ways SEEDS=1 FIRST={seed}"]
        said += [f"  {difference}" for difference in found.differences[:_MOST_SAID]]
        said += [f"  and {len(found.differences) - _MOST_SAID} more"] * (len(found.differences) > _MOST_SAID)
        print("\n".join(said), file=sys.stderr, flush=True)
    kinds = {"lost": len(found.lost), "double": len(found.double), "wrong": len(found.wrong)}
    return {"runs": found.runs, "observations": found.observations, **kinds}


if __name__ == "__main__":
    sys.exit(main())
