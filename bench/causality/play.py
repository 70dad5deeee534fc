"""Plays histories with faults that real dbt runs into, and holds Headwater's answers against what was done.

    uv run python bench/causality/play.py --seeds 20 --first 1000

Prints a line for each kind of fault and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import duckdb

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests"), str(ROOT / "tests" / "dbt")]

from dbt_house import install_dbt  # noqa: E402
from history import Play, Told, open_studio  # noqa: E402
from jobs import WAREHOUSES  # noqa: E402
from measure import Measured, measure  # noqa: E402
from planning import plan  # noqa: E402
from prefix import Prefix, VirtualClock, copy_prefix, load_prefix, name_folder, open_prefix, open_store  # noqa: E402
from report import print_report  # noqa: E402
from studio import Dbt  # noqa: E402

from faults import Scene  # noqa: E402
from installing import one_at_a_time  # noqa: E402
from truth import Truth  # noqa: E402

PLAYERS = 2
VOID_TRIES = 6
DECOYS_BEFORE = timedelta(hours=5)
"""How long before the first fault what has nothing to do with it may happen."""
_WORK: dict[str, Any] = {}


def play(seed: int, prefix: Prefix, work: Path, dbt: Dbt, *, attempt: int = 0) -> Measured:
    """Play one history; one whose fault turned out to reach nothing is played again with another choice."""
    began = time.monotonic()
    chance = Random(f"{seed}/{attempt}")
    truth = Truth(prefix.manifests, prefix.runs)
    scene = Scene(prefix, truth, chance, read_columns(prefix.studio))
    placed, ends_at = plan(seed, scene)
    told = Told(seed, ends_at, truth, placed)
    begins_at = copy_prefix(prefix, work, min(one.strikes_at for one in placed) - DECOYS_BEFORE)
    clock = VirtualClock(begins_at)
    with open_store(work / "store", clock) as observatory:
        Play(seed, prefix, open_studio(prefix, work, dbt), observatory, clock, chance, told).run(begins_at)
        measured = measure(observatory, told, scene)
    measured.seconds = round(time.monotonic() - began, 1)
    if not measured.is_void:
        return measured
    if attempt == VOID_TRIES:
        raise RuntimeError(f"{VOID_TRIES + 1} times the fault came to nothing: {[one.fault.said for one in placed]}")
    again = play(seed, prefix, work, dbt, attempt=attempt + 1)
    again.seconds = round(time.monotonic() - began, 1)
    again.notes.insert(0, f"came to nothing: {', '.join(f'{one.fault.kind} {one.fault.said}' for one in placed)}")
    return again


@cache
def read_columns(studio: Path) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """Read the columns of every relation in the healthy warehouses, for each project."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for project, warehouse in WAREHOUSES.items():
        columns: dict[str, list[tuple[str, str]]] = {}
        with duckdb.connect(str(studio / f"{warehouse}.duckdb"), read_only=True) as connection:
            rows = connection.execute(
                "select table_schema, table_name, column_name, data_type"
                " from information_schema.columns order by ordinal_position"
            ).fetchall()
        for schema, table, name, kind in rows:
            columns.setdefault(f"{schema}.{table}", []).append((name, kind))
        found[project] = columns
    return found


def _begin(folder: Path, store: Path, python: Path) -> None:
    """Give a player a folder of its own and a dbt process."""
    work = name_folder(folder.parent, "work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _WORK["prefix"] = load_prefix(folder, store)
    _WORK["work"] = work
    _WORK["dbt"] = Dbt(python, work / "terminal")


def _play_one(seed: int) -> Measured | str:
    try:
        measured = play(seed, _WORK["prefix"], _WORK["work"], _WORK["dbt"])
    except Exception:  # noqa: BLE001  one history that cannot be played is reported, and the others are
        return f"seed {seed}:\n{traceback.format_exc()}"
    return measured


def play_all(seeds: Sequence[int], players: int, *, is_verbose: bool) -> list[Measured]:
    """Play histories, several at a time; interrupted, give those that were played until then."""
    folder, python = ROOT / ".cache", install_dbt() / "python"
    with one_at_a_time(folder / "causality"):
        prefix = open_prefix(folder, python)
    done: list[Measured] = []
    wrong: list[str] = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(players, _begin, (prefix.folder, prefix.store, python)) as pool:
        try:
            for found in pool.imap_unordered(_play_one, seeds):
                if isinstance(found, str):
                    wrong.append(found)
                    print(found, flush=True)
                else:
                    done.append(found)
                    tell_one(found, is_verbose=is_verbose)
        except KeyboardInterrupt:
            print(f"Interrupted after {len(done) + len(wrong)} of {len(seeds)} histories.", flush=True)
    for work in (folder / "causality").glob("work-*"):
        shutil.rmtree(work, ignore_errors=True)
    if wrong:
        print(f"{len(wrong)} of {len(seeds)} histories could not be played.", flush=True)
    return sorted(done, key=lambda measured: measured.seed)


def tell_one(found: Measured, *, is_verbose: bool) -> None:
    """Print what a history came to, and all of it where an answer was not right."""
    is_right = found.is_first and found.has_one_incident
    is_right = is_right and not (found.missing or found.surplus or found.false_causes)
    if not is_verbose and is_right:
        return
    print(f"{found.seed} {'+'.join(found.kinds)} first={found.is_first} {found.seconds} s {found.notes}", flush=True)
    for asked in found.asked:
        print(f"   {asked.kind} ({asked.said}) asked {asked.node}: place {asked.place} {asked.answer}", flush=True)
    for title, names in (("missing", found.missing), ("surplus", found.surplus), ("false", found.false_causes)):
        if names:
            print(f"   {title}: {len(names)} {names[:6]}", flush=True)
    if not found.has_one_incident:
        print(f"   {len(found.incidents)} incidents, not {found.expected_incidents}: {found.incidents}", flush=True)


def main() -> None:
    """Read the command line, play, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--players", type=int, default=PLAYERS)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only", type=int, nargs="*", help="these seeds instead")
    options = parser.parse_args()
    seeds = options.only or range(options.first, options.first + options.seeds)
    measured = play_all(list(seeds), options.players, is_verbose=options.verbose)
    print(json.dumps(print_report(measured)), flush=True)


if __name__ == "__main__":
    main()
