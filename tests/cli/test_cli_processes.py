"""The programs that run on: how they begin, what they say first, and how they end when they are told to."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import urllib3

from headwater.simulator import RunningSimulator
from program import Program, wait_for


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connect(program: Program, simulator: RunningSimulator, index: int = 0) -> None:
    """Connect an account of the simulator."""
    account = simulator.accounts[index]
    words = ("account", "add", "acme", "--account-id", account.id, "--url", simulator.url, "--token-stdin")
    assert program.run(*words, stdin=account.token).status == 0


def stored_runs(program: Program) -> int:
    """Count the stored runs without the program."""
    with closing(sqlite3.connect(f"file:{program.data / 'headwater.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])


def test_the_monitor_ends_on_sigterm_although_a_request_hangs(program: Program, simulator: RunningSimulator) -> None:
    """SIGTERM ends it with status 0 while dbt Cloud takes ten minutes over an answer, and what was stored stays."""
    connect(program, simulator)
    hanging = {"kind": "slow_body", "count": 1_000_000, "seconds": 600, "path": "/artifacts/"}
    simulator.control("POST", "faults", {"next": [hanging]})
    settings = {"HEADWATER__DBT_CLOUD__REQUEST_TIMEOUT": "600"}
    try:
        with program.running("monitor", "--prometheus-port", 0, **settings) as process:
            wait_for(lambda: simulator.control("GET", "requests")["in_flight"] > 0, "a request that hangs")
            before = stored_runs(program)
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=60)
    finally:
        simulator.control("POST", "faults", {"clear": True})

    assert status == 0
    assert program.output() == ""
    assert "Traceback" not in program.errors()
    assert program.run("runs", "--json").json["total"] == stored_runs(program) >= before > 0
    assert program.spilled(simulator.accounts[0].token) == []


def test_up_serves_follows_and_ends_on_sigterm(program: Program, simulator: RunningSimulator) -> None:
    """`up` prints where it is, answers there, syncs the account, and ends whole on SIGTERM."""
    connect(program, simulator, 1)
    settings = {"HEADWATER__DBT_MONITOR__PROMETHEUS_PORT": "0", "HEADWATER__DBT_CLOUD__BACKFILL_DAYS": "0"}
    with program.running("up", "--port", 0, **settings) as process:
        address = wait_for(lambda: re.search(r"Headwater is on (\S+)", program.output()), "the address")[1]
        health = urllib3.request("GET", f"{address}/healthz")
        wait_for(lambda: stored_runs(program) > 0, "the first runs")
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=60)

    assert (health.status, status) == (200, 0)
    assert "Traceback" not in program.errors()
    # The lease was given back: the next start need not wait for it to run out.
    assert program.run("sync").status == 0


@pytest.mark.parametrize("words", [("monitor",), ("up", "--port", "0")])
def test_a_metrics_port_in_use_is_said_before_anything_begins(
    program: Program, taken: int, words: tuple[str, ...]
) -> None:
    """The port of /metrics is taken: one sentence that names the setting, and exit status 2."""
    ended = program.run(*words, HEADWATER__DBT_MONITOR__PROMETHEUS_PORT=str(taken))

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith(f"Port {taken} is in use")
    assert "PROMETHEUS_PORT" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("words", [("serve", "--port"), ("up", "--port"), ("simulator", "--port")])
def test_a_port_in_use_is_said(program: Program, taken: int, words: tuple[str, ...]) -> None:
    """The same for the web application and the simulator."""
    ended = program.run(*words, taken, HEADWATER__DBT_MONITOR__PROMETHEUS_PORT="0")

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith(f"Port {taken} is in use")
    assert "Traceback" not in ended.err


def test_the_simulator_announces_itself_in_one_line(program: Program) -> None:
    """The first line is the JSON document with address, accounts and tokens, and the address answers."""
    with program.running("simulator", "--port", 0, "--seed", 3, "--days", 1) as process:
        line = wait_for(lambda: program.output().partition("\n")[0] if "\n" in program.output() else None, "a line")
        announced = json.loads(line)
        account = announced["accounts"][0]
        answer = urllib3.request(
            "GET",
            f"{announced['url']}/api/v2/accounts/{account['id']}/",
            headers={"Authorization": f"Token {account['token']}"},
        )
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)

    assert set(announced) >= {"url", "accounts"}
    assert all(set(account) >= {"id", "name", "token"} for account in announced["accounts"])
    assert answer.json()["data"]["name"] == account["name"]
    assert len(program.output().splitlines()) == 1
    assert "Traceback" not in program.errors()


def test_the_demo_fills_a_store_and_says_with_what(program: Program, tmp_path: Path) -> None:
    """`demo --once --json` prints one document; its store opens afterwards, and no demo is begun on top of it."""
    folder = tmp_path / "demo"
    ended = program.run("demo", "--once", "--json", "--days", 1, "--folder", folder)
    runs = program.run("runs", "--limit", 0, "--json", HEADWATER__DATA_FOLDER=str(folder))
    again = program.run("demo", "--once", "--folder", folder)

    assert ended.status == 0
    assert set(ended.json) == {"accounts", "runs", "nodes", "executions", "requests", "seconds"}
    assert ended.json["accounts"] == 2
    assert sum(ended.json["runs"].values()) == runs.json["total"] > 20
    assert ended.json["nodes"]["model"] > 0
    assert (again.status, "is not empty" in again.err) == (2, True)


def test_a_demo_that_is_told_to_end_leaves_no_simulator_behind(program: Program) -> None:
    """SIGTERM in the middle of the filling ends the demo and the simulated dbt Cloud it started."""
    with program.running("demo", "--days", 1, "--port", 0) as process:
        wait_for(lambda: "60000 requests a minute" in program.errors(), "the simulator")
        children = [int(text) for text in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)

    assert children
    assert [child for child in children if is_simulator(child)] == []
    assert "Traceback" not in program.errors()


def is_simulator(process_id: int) -> bool:
    """Whether a process is there and is a simulator."""
    command = Path(f"/proc/{process_id}/cmdline")
    return command.exists() and b"headwater.simulator" in command.read_bytes()
