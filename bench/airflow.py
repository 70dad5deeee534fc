"""What a call of the SDK costs an Airflow task beyond asking dbt Cloud, also where a server swallows what it gets.

`uv run python bench/airflow.py`: dbt Cloud and Headwater are processes of their own, as they are beside a worker.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headwater import CollectResult, collect_data_from_dbt_cloud
from headwater.collect import decode
from headwater.config import read_settings
from headwater.observatory.access import Role, create_token
from headwater.observatory.holder import open_observatory
from headwater.sdk import Outcome
from headwater.sdk.delivery import deliver

ROUNDS = 60


@dataclass(frozen=True)
class Cloud:
    """Where the simulated dbt Cloud answers, for which account and with which token."""

    url: str
    account_id: int
    token: str


def main() -> None:
    """Measure and print a table."""
    logging.getLogger("headwater").setLevel(logging.ERROR)  # it says of each run that it is kept
    with tempfile.TemporaryDirectory() as name, simulating() as cloud:
        folder = Path(name)
        os.environ["HEADWATER_SPOOL"] = str(folder / "spool")
        os.environ["HEADWATER_TOKEN"] = make_token(folder)
        runs = finished_runs(cloud)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {len(runs)} runs")
        print("| milliseconds beyond asking dbt Cloud | median | 95 of 100 | at most |\n|---|---|---|---|")
        with served(folder) as url:
            os.environ["HEADWATER_URL"] = url
            say("a run that the server did not know, one a second", at_rest(cloud, runs[::2]))
            say("one right after the other", [collected(cloud, run_id) for run_id in runs[1::2]])
            wait_until_empty(folder)
            print(f"| of these brought a manifest that it did not know | {count(folder, 'manifests')} | | |")
            say("the same once more", [collected(cloud, run_id) for run_id in runs])
        os.environ["HEADWATER_URL"] = url
        say("nobody listens: kept on disk", [collected(cloud, run_id) for run_id in runs])
        with served(folder) as url:
            os.environ["HEADWATER_URL"] = url
            say_spread("processor time of the task, packing and sending", [busy(path) for path in kept()])
        with swallowing() as url:
            os.environ["HEADWATER_URL"] = url
            say("it accepts and never answers", [collected(cloud, run_id) for run_id in runs[:4]])
        with not_accepting() as url:
            os.environ["HEADWATER_URL"] = url
            say("it does not accept", [collected(cloud, run_id) for run_id in runs[:4]])


def say(what: str, results: list[CollectResult]) -> None:
    """Print what calls took beyond asking dbt Cloud."""
    beyond = [result.seconds - result.fetching_seconds for result in results]
    outcomes = ", ".join(sorted({str(result.outcome) for result in results}))
    say_spread(f"{what} ({outcomes})", beyond)


def say_spread(what: str, seconds: list[float]) -> None:
    """Print a row."""
    shown = (statistics.median(seconds), statistics.quantiles(seconds, n=20, method="inclusive")[-1], max(seconds))
    print(f"| {what} | {' | '.join(f'{1000 * each:.0f}' for each in shown)} |", flush=True)


def kept() -> list[Path]:
    """Give what lies in the spool."""
    return sorted(Path(os.environ["HEADWATER_SPOOL"]).glob("*.collected"))


def at_rest(cloud: Cloud, run_ids: list[int]) -> list[CollectResult]:
    """Collect runs as tasks that end now and then do, once a second, which is 86,400 a day."""
    results = []
    for run_id in run_ids:
        results.append(collected(cloud, run_id))
        time.sleep(1.0)
    return results


def busy(path: Path) -> float:
    """Pack and send what lies in the spool, and give the processor time that took."""
    collected = decode(path.read_bytes())
    path.unlink()
    began = time.process_time()
    assert deliver(collected, "a run", os.environ | {"HEADWATER_SPOOL": "none"}, strict=True).outcome is Outcome.SENT
    return time.process_time() - began


def wait_until_empty(folder: Path) -> None:
    """Wait until the server has stored what it accepted."""
    while count(folder, "inbox"):
        time.sleep(0.1)


def count(folder: Path, table: str) -> int:
    """Count the rows of a table."""
    with closing(sqlite3.connect(f"file:{folder / 'headwater.db'}?mode=ro", uri=True)) as database:
        (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found)


def collected(cloud: Cloud, run_id: int) -> CollectResult:
    """Call the SDK for a run."""
    return collect_data_from_dbt_cloud(cloud.account_id, cloud.token, run_id, cloud.url)


def finished_runs(cloud: Cloud) -> list[int]:
    """Give runs that ended with results."""
    truth = f"{cloud.url}/_simulator/truth?account_id={cloud.account_id}&executions=false"
    with urllib.request.urlopen(truth) as answer:
        (account,) = json.load(answer)["accounts"]
    return [run["id"] for run in account["runs"] if run["status"] in (10, 20) and run["recording_id"]][-ROUNDS:]


@contextmanager
def simulating() -> Iterator[Cloud]:
    """Simulate dbt Cloud in a process of its own."""
    command = [sys.executable, "-m", "headwater.simulator", "--days", "2", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            account = told["accounts"][0]
            yield Cloud(told["url"], account["id"], account["token"])
        finally:
            process.terminate()


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
