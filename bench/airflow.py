"""What a call of the SDK costs an Airflow task beyond asking dbt Cloud, also where a server swallows what it gets.

`uv run python bench/airflow.py`: dbt Cloud and Headwater are processes of their own, as they are beside a worker.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater import CollectResult, collect_data_from_dbt_cloud
from headwater.config import read_settings
from headwater.observatory.access import Role, create_token
from headwater.observatory.holder import open_observatory
from headwater.simulator import RunningSimulator, SimulatorSettings, start_in_thread

ROUNDS = 15


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name, start_in_thread(SimulatorSettings(days=2, seed=1)) as simulator:
        folder = Path(name)
        os.environ["HEADWATER_SPOOL"] = str(folder / "spool")
        os.environ["HEADWATER_TOKEN"] = make_token(folder)
        runs = finished_runs(simulator)
        print("| what | seconds beyond asking dbt Cloud |\n|---|---|")
        with served(folder) as url:
            os.environ["HEADWATER_URL"] = url
            first = [collected(simulator, run_id) for run_id in runs]
            say(f"a run that the server did not know, {len(first)} runs", first)
            say("the same once more", [collected(simulator, run_id) for run_id in runs])
        os.environ["HEADWATER_URL"] = url
        say("nobody listens: kept on disk", [collected(simulator, run_id) for run_id in runs])
        with swallowing() as url:
            os.environ["HEADWATER_URL"] = url
            say("it accepts and never answers", [collected(simulator, run_id) for run_id in runs[:4]])
        with not_accepting() as url:
            os.environ["HEADWATER_URL"] = url
            say("it does not accept", [collected(simulator, run_id) for run_id in runs[:4]])


def say(what: str, results: list[CollectResult]) -> None:
    """Print a row: the median and the most of what calls took beyond asking dbt Cloud."""
    beyond = [result.seconds - result.fetching_seconds for result in results]
    outcomes = ", ".join(sorted({str(result.outcome) for result in results}))
    print(f"| {what} ({outcomes}) | {statistics.median(beyond):.3f}, at most {max(beyond):.3f} |")


def collected(simulator: RunningSimulator, run_id: int) -> CollectResult:
    """Call the SDK for a run."""
    account = simulator.accounts[0]
    return collect_data_from_dbt_cloud(account.id, account.token, run_id, simulator.url)


def finished_runs(simulator: RunningSimulator) -> list[int]:
    """Give runs that ended with results."""
    (account,) = simulator.truth(account_id=simulator.accounts[0].id, executions="false")["accounts"]
    return [run["id"] for run in account["runs"] if run["status"] in (10, 20) and run["recording_id"]][-ROUNDS:]


def make_token(folder: Path) -> str:
    """Make a store and a token for it."""
    with open_observatory(read_settings(data_folder=folder)) as observatory:
        return create_token(observatory, "bench", Role.INGEST)[1].reveal()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve Headwater in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from headwater.cli import main; main()", "serve", "--port", str(port)]
    environ = os.environ | {"HEADWATER__DATA_FOLDER": str(folder)}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def swallowing() -> Iterator[str]:
    """Listen, take every connection, and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def not_accepting() -> Iterator[str]:
    """Listen with a queue that is full, so that no connection comes about."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        time.sleep(0.1)
        yield f"http://127.0.0.1:{address[1]}"
        for one in waiting:
            one.close()


if __name__ == "__main__":
    main()
