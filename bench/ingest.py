"""What it costs to store a run of a 10,000-node project: first, with an unchanged manifest, with 1% of it changed.

Run with `uv run python bench/ingest.py`. The whole way is timed, from the bytes dbt Cloud gives to the commit, in one
process and one go for each database; the ratios are to the first time on the same database.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from headwater.collect import CollectedArtifact, CollectedRun  # noqa: E402
from headwater.model.account import AccountAddress  # noqa: E402
from headwater.model.artifact import ArtifactState  # noqa: E402
from headwater.model.run import Run, RunStatus, RunStep, Way  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.database import Store, open_store  # noqa: E402
from headwater.store.schema import metadata  # noqa: E402
from headwater.sync.record import record_run  # noqa: E402
from postgres import PostgresMissing, running_postgres  # noqa: E402
from read_artifacts import recorded  # noqa: E402
from scale import reparsed, scale_manifest, scale_run_results  # noqa: E402

NODES = 10_000
BYTES_PER_NODE = 7_200
BEGAN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ADDRESS = AccountAddress("https://bench.example", 1)


def changed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give the manifest after somebody changed the code of 1% of its models and tests."""
    again = reparsed(manifest)
    for number, node in enumerate(again["nodes"].values()):
        if number % 100 == 0:
            node["raw_code"] = f"{node.get('raw_code') or ''}\n-- changed"
    return again


def numbered(results: dict[str, Any], number: int) -> bytes:
    """Give the results as another invocation wrote them."""
    metadata_ = results["metadata"] | {"invocation_id": f"00000000-0000-4000-8000-{number:012}"}
    return json.dumps(results | {"metadata": metadata_}).encode()


def collected(number: int, manifest: bytes, results: bytes) -> CollectedRun:
    """Give a finished nightly run of one step."""
    at = BEGAN + timedelta(days=number)
    step = RunStep(
        index=4, name="Invoke dbt with `dbt build`", status=RunStatus.SUCCESS, command="dbt build",
        started_at=at, finished_at=at + timedelta(minutes=20),
    )  # fmt: skip
    run = Run(
        run_id=number, status=RunStatus.SUCCESS, project_id=1, environment_id=1, job_id=1, created_at=at,
        updated_at=at, started_at=at, finished_at=step.finished_at, artifacts_saved=True, steps=(step,),
    )  # fmt: skip
    artifacts = tuple(
        CollectedArtifact(step_index=4, path=path, state=ArtifactState.STORED, body=body)
        for path, body in (("run_results.json", results), ("manifest.json", manifest))
    )
    return CollectedRun(address=ADDRESS, run=run, artifacts=artifacts, collected_at=at)


def count_rows(store: Store) -> int:
    """Count the rows of all tables but the executions."""
    with store.read() as tx:
        tables = (table for table in metadata.tables.values() if table.name != "executions")
        return sum(tx.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def measure(url: str, runs: list[tuple[str, CollectedRun]]) -> dict[str, dict[str, float]]:
    """Store the runs one after another; gives seconds, ratio to the first, and new rows beside the executions."""
    taken: dict[str, dict[str, float]] = {}
    with open_store(url) as store:
        with store.write() as tx:
            account_key = save_account(tx, "bench", ADDRESS, BEGAN).account_key
        for name, run in runs:
            before = count_rows(store)
            began = time.perf_counter()
            recorded_run = record_run(store, account_key, replace(run), Way.POLL, BEGAN)
            seconds = time.perf_counter() - began
            assert recorded_run.artifacts_stored == 2, recorded_run.faults
            taken[name] = {"seconds": round(seconds, 3), "rows": count_rows(store) - before}
    first = taken["first"]["seconds"]
    return {name: row | {"ratio": round(row["seconds"] / first, 3)} for name, row in taken.items()}


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Give an SQLite file and, where Debian's binaries are there, a PostgreSQL database."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": f"sqlite:///{folder}/bench.db"}
        try:
            with running_postgres() as server, server.database(template=None) as url:
                yield found | {"PostgreSQL": url}
        except PostgresMissing as missing:
            print(f"PostgreSQL is left out: {missing}")
            yield found


def main() -> None:
    """Print a table, then one JSON line."""
    manifest, results = recorded()
    large = scale_manifest(manifest, NODES, BYTES_PER_NODE)
    rows = scale_run_results(results, manifest, NODES)
    bodies = {
        "first": large, "unchanged": reparsed(large), "unchanged again": reparsed(large), "1% changed": changed(large),
    }  # fmt: skip
    runs = [
        (name, collected(number, json.dumps(body).encode(), numbered(rows, number)))
        for number, (name, body) in enumerate(bodies.items(), 1)
    ]
    size = len(runs[0][1].artifacts[1].body or b"") / 1e6
    print(f"{NODES:,} nodes, manifest {size:.0f} MB, {len(rows['results']):,} executions")
    figures = {}
    with databases() as urls:
        for database, url in urls.items():
            figures[database] = measure(url, runs)
            for name, row in figures[database].items():
                print(f"{database:12} {name:18} {row['seconds']:8.3f} s {row['ratio']:6.3f} {row['rows']:8,.0f} rows")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
