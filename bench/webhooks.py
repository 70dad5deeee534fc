"""How soon after dbt Cloud's webhook a finished run is stored, with `headwater up` and the simulator in real time.

Run with `uv run python bench/webhooks.py`. The simulator and `headwater up` are processes of their own, and no pass of
the monitor is due, so that only webhooks bring the runs. Measured is from the time at which Headwater has taken the
last call that tells of a run's end, to when another process finds the run whole in the database.
"""

from __future__ import annotations

import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from program import Program, Said, wait_for  # noqa: E402

RUNS = 60
EVERY = 1.0
"""Seconds between two orders: some 86,000 runs a day."""
WHOLE = """
SELECT run_id FROM runs WHERE finished_at IS NOT NULL
AND EXISTS (SELECT 1 FROM run_artifacts a WHERE a.run_id = runs.run_id AND a.path = 'run' AND a.state = 'stored')
"""
WAYS = "SELECT way FROM observations WHERE run_id = ?"
CALL = "SELECT max(heard_at) FROM webhook_events WHERE run_id = ? AND heard_at <= ?"
_LOOKS_EVERY = 0.01
_PATIENCE = 120.0


def main() -> None:
    """Order runs, wait for them, and print how long after their webhooks they were stored."""
    with tempfile.TemporaryDirectory(prefix="headwater-webhooks-") as name, simulating() as cloud:
        settings = {"HEADWATER__DBT_MONITOR__INTERVAL": "3600", "HEADWATER__DBT_MONITOR__PROMETHEUS_PORT": "0"}
        program = Program(Path(name), settings)
        account = cloud["accounts"][0]
        words = ("account", "add", "bench", "--account-id", account["id"], "--url", cloud["url"], "--token-stdin")
        must(program.run(*words, stdin=account["token"]))
        must(program.run("sync", "--days", 1))
        began = time.time()
        with program.running("up", "--port", 0), closing(open_database(program)) as database:
            address = wait_for(lambda: find_address(program.output()), "the server's address")
            wait_for(lambda: find_last_pass(database) > began, "the only pass of the monitor")
            must(program.run("account", "webhook", "bench", "--public-url", address))
            print(json.dumps(measure(cloud["url"], account["id"], database)))


def measure(url: str, account_id: int, database: sqlite3.Connection) -> dict[str, Any]:
    """Order runs of all jobs in turn, and see when each is stored."""
    (account,) = control(url, "GET", f"truth?account_id={account_id}&executions=false")["accounts"]
    jobs = sorted({run["job_id"] for run in account["runs"]})
    ordered: list[int] = []
    seen: dict[int, float] = {}
    began = time.monotonic()
    while len(seen) < RUNS:
        assert time.monotonic() < began + _PATIENCE, f"{RUNS - len(seen)} runs were not stored"
        if len(ordered) < RUNS and time.monotonic() >= began + EVERY * len(ordered):
            body = {"job_id": jobs[len(ordered) % len(jobs)], "queue_seconds": 1, "duration_seconds": 3}
            ordered.append(int(control(url, "POST", "runs", body)["id"]))
        whole = {run_id for (run_id,) in database.execute(WHOLE)}
        seen |= {run_id: time.time() for run_id in ordered if run_id in whole and run_id not in seen}
        time.sleep(_LOOKS_EVERY)
    waits = [at - find_call(database, run_id, at) for run_id, at in seen.items()]
    ways = {way for run_id in ordered for (way,) in database.execute(WAYS, (run_id,))}
    return {
        "runs": len(waits),
        "observed_by": sorted(ways),
        "median_seconds": round(statistics.median(waits), 3),
        "highest_seconds": round(max(waits), 3),
    }


def find_call(database: sqlite3.Connection, run_id: int, before: float) -> float:
    """Give when the last call about a run came before a time."""
    (micros,) = database.execute(CALL, (run_id, int(before * 1e6))).fetchone()
    return float(micros / 1e6)


def open_database(program: Program) -> sqlite3.Connection:
    """Open the database to look at it."""
    return sqlite3.connect(f"file:{program.data / 'headwater.db'}?mode=ro", uri=True)


def find_last_pass(database: sqlite3.Connection) -> float:
    """Give when the last pass went well."""
    (micros,) = database.execute("SELECT max(last_success_at) FROM sync_states").fetchone()
    return float((micros or 0) / 1e6)


def find_address(said: str) -> str | None:
    """Find where the web application is in what `headwater up` said."""
    found = re.search(r"Headwater is on (\S+)", said)
    return found[1] if found else None


def must(said: Said) -> None:
    """End where a command did not go well."""
    assert said.status == 0, said.err + said.out


def control(url: str, method: str, name: str, body: object = None) -> dict[str, Any]:
    """Ask the simulator's control API."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_simulator/{name}", data, method=method)) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def simulating() -> Iterator[dict[str, Any]]:
    """Run a simulator in a process of its own, at the pace of the real clock; gives what it announces."""
    command = [sys.executable, "-m", "headwater.simulator", "--days", "1", "--seed", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
