"""Reading a large manifest.json and run_results.json, against json, orjson, dbt-artifacts-parser and OpenLineage.

Each method runs in a process of its own. They take turns, round by round, and a ratio is the median over the rounds
of the two times of one round, so that a machine that is busy for a while is busy for all. Time is what the processor
spent from the path of the file to the result: other work on the machine does not count. Memory is what the first
reading adds: `peak` to the resident set at its highest, `kept` to the anonymous memory while the result is held (a
mapped file is resident but not anonymous).

    uv run --group bench python bench/read_artifacts.py [--nodes 10000] [--mean-bytes 4600] [--manifest m --results r]
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import mmap
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import scale

RECORDINGS = Path(__file__).parent.parent / "src/headwater/simulator/recordings.tar.xz"
SLOW_SECONDS = 2.5
SLOW_ROUNDS = 3

Act = Callable[[], object]


def mapped(path: Path) -> mmap.mmap:
    """Map a file into memory."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


# Each method gets the file and the same project parsed again, imports what it needs, and gives what is timed.


def only_read(path: Path, _again: Path) -> Act:
    """Read the bytes: no method can be faster."""
    return path.read_bytes


def with_json(path: Path, _again: Path) -> Act:
    """Decode with the standard library."""
    return lambda: json.loads(path.read_bytes())


def with_orjson(path: Path, _again: Path) -> Act:
    """Decode with orjson."""
    import orjson

    return lambda: orjson.loads(path.read_bytes())


def with_parser(path: Path, _again: Path) -> Act:
    """Decode with json and validate with dbt-artifacts-parser."""
    from dbt_artifacts_parser import parser

    parse = parser.parse_run_results if "run_results" in path.name else parser.parse_manifest
    return lambda: parse(json.loads(path.read_bytes()))


def with_openlineage(path: Path, _again: Path) -> Act:
    """Load as OpenLineage's dbt integration does."""
    from openlineage.common.provider.dbt.local import DbtLocalArtifactProcessor

    load = DbtLocalArtifactProcessor.load_metadata
    return lambda: load(str(path), list(range(1, 100)), logging.getLogger("bench"))


def with_headwater(path: Path, _again: Path) -> Act:
    """Read into nodes with versions, or into executions."""
    from headwater.artifacts import read_manifest, read_run_results

    read: Callable[[mmap.mmap], object] = read_run_results if "run_results" in path.name else read_manifest
    return lambda: read(mapped(path))


def with_fingerprint(path: Path, again: Path) -> Act:
    """Find out that the project's next manifest says what the last one said."""
    from headwater.artifacts import fingerprint_manifest

    if fingerprint_manifest(mapped(path)) != fingerprint_manifest(mapped(again)):
        raise SystemExit("The same project parsed again should have the same fingerprint.")
    return lambda: fingerprint_manifest(mapped(again))


MANIFEST_METHODS: dict[str, Callable[[Path, Path], Act]] = {
    "read() only": only_read,
    "json": with_json,
    "orjson": with_orjson,
    "dbt-artifacts-parser": with_parser,
    "OpenLineage": with_openlineage,
    "headwater": with_headwater,
    "headwater, fingerprint": with_fingerprint,
}
RESULTS_METHODS = {
    name: MANIFEST_METHODS[name]
    for name in ("read() only", "json", "orjson", "dbt-artifacts-parser", "OpenLineage", "headwater")
}


def memory(field: str) -> int:
    """Give one figure of this process's memory in bytes: RssAnon, VmRSS or VmHWM, its highest since it was reset."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) * 1024


def serve(method: str, path: Path, again: Path) -> None:
    """Be the process of one method: run it for each line of standard input and print what it took."""
    act = MANIFEST_METHODS[method](path, again)
    for _ in sys.stdin:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        anonymous, resident = memory("RssAnon"), memory("VmRSS")
        start = time.process_time()
        result = act()
        seconds = time.process_time() - start
        kept, highest = memory("RssAnon") - anonymous, memory("VmHWM") - resident
        del result
        print(json.dumps({"seconds": seconds, "kept": max(kept, 0), "peak": highest}), flush=True)


def measure(methods: dict[str, Any], path: Path, again: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Let the methods take turns; a slow one takes part in the first rounds only."""
    command = [sys.executable, __file__, "--serve"]
    workers = {
        name: subprocess.Popen(
            [*command, name, str(path), str(again)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in methods
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for turn in range(rounds):
        for name, worker in workers.items():
            if turn >= SLOW_ROUNDS and taken[name][0]["seconds"] > SLOW_SECONDS:
                continue
            assert worker.stdin
            assert worker.stdout
            worker.stdin.write("\n")
            worker.stdin.flush()
            taken[name].append(json.loads(worker.stdout.readline()))
    for worker in workers.values():
        assert worker.stdin
        worker.stdin.close()
        worker.wait()
    return taken


def summarise(taken: dict[str, list[dict[str, float]]], size: int) -> dict[str, dict[str, float]]:
    """Give for each method the median time, the ratio to json in the same round, and the memory."""
    return {
        name: {
            "seconds": statistics.median(turn["seconds"] for turn in turns),
            "mb_per_second": size / 1e6 / statistics.median(turn["seconds"] for turn in turns),
            "times_json": statistics.median(
                base["seconds"] / turn["seconds"] for base, turn in zip(taken["json"], turns, strict=False)
            ),
            "times_parser": statistics.median(
                base["seconds"] / turn["seconds"]
                for base, turn in zip(taken["dbt-artifacts-parser"], turns, strict=False)
            ),
            "peak_mb": turns[0]["peak"] / 1e6,
            "kept_mb": turns[0]["kept"] / 1e6,
        }
        for name, turns in taken.items()
    }


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print one table."""
    print(f"\n{title}")
    print(f"{'method':<24}{'s':>8}{'MB/s':>8}{'× json':>9}{'× parser':>10}{'peak MB':>9}{'kept MB':>9}")
    for name, row in rows.items():
        print(
            f"{name:<24}{row['seconds']:>8.3f}{row['mb_per_second']:>8.0f}{row['times_json']:>9.2f}"
            f"{row['times_parser']:>10.1f}{row['peak_mb']:>9.0f}{row['kept_mb']:>9.0f}"
        )


def recorded() -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the largest manifest that a recorded `dbt build` wrote, and its run results."""
    with tarfile.open(RECORDINGS) as archive:
        members = {member.name: member for member in archive}

        def read(name: str) -> Any:
            file = archive.extractfile(members[name])
            assert file
            return json.load(file)

        steps = [step for recording in read("index.json")["recordings"] for step in recording["steps"]]
        builds = [step["artifacts"] for step in steps if step["command"].startswith("dbt build")]
        builds = [files for files in builds if {"manifest.json", "run_results.json"} <= files.keys()]
        build = max(builds, key=lambda files: members[files["manifest.json"]].size)
        return read(build["manifest.json"]), read(build["run_results.json"])


def main() -> None:
    """Scale, measure, print a table and one JSON line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--serve", nargs=3, metavar=("METHOD", "FILE", "AGAIN"), help=argparse.SUPPRESS)
    options.add_argument("--nodes", type=int, default=10_000)
    options.add_argument("--mean-bytes", type=int, default=4600, help="bytes a node; 0 keeps what dbt wrote")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--manifest", type=Path)
    options.add_argument("--results", type=Path)
    asked = options.parse_args()
    if asked.serve:
        serve(asked.serve[0], Path(asked.serve[1]), Path(asked.serve[2]))
        return
    if asked.manifest:
        manifest, results = json.loads(asked.manifest.read_bytes()), json.loads(asked.results.read_bytes())
    else:
        manifest, results = recorded()
    report: dict[str, Any] = {"versions": {name: version(name) for name in ("msgspec", "orjson")}}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f"{name}.json") for name in ("manifest", "again", "run_results")}
        scaled = scale.scale_manifest(manifest, asked.nodes, asked.mean_bytes or None)
        paths["manifest"].write_text(json.dumps(scaled))
        paths["again"].write_text(json.dumps(scale.reparsed(scaled)))
        paths["run_results"].write_text(json.dumps(scale.scale_run_results(results, manifest, asked.nodes)))
        report["nodes"] = sum(len(scaled[name]) for name in scale.SECTIONS)
        del scaled
        for name, methods in (("manifest", MANIFEST_METHODS), ("run_results", RESULTS_METHODS)):
            size = paths[name].stat().st_size
            taken = measure(methods, paths[name], paths["again"], asked.rounds)
            report[name] = {"bytes": size, "methods": summarise(taken, size)}
            show(f"{name}.json, {size / 1e6:.1f} MB, {report['nodes']:,} nodes", report[name]["methods"])
    print(json.dumps(report))


if __name__ == "__main__":
    main()
