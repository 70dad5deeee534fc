"""What the checks of every client use; it runs with the client's Python and imports only pytest besides."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

STATUS_NAMES = {1: "Queued", 2: "Starting", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}
strangers: list[str] = []


def _refuse_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    """Let no client reach further than this machine, and remember who tried."""
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = arguments[0] or "localhost"
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    if not _is_here(name):
        strangers.append(name)
        raise PermissionError(f"{name} is not this machine")


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def pytest_configure() -> None:
    """Watch from the start; a hook of this kind cannot be taken off again."""
    if "SIMULATOR_URL" in os.environ:
        sys.addaudithook(_refuse_strangers)


class Simulator:
    """The simulator as its own control API tells of it."""

    def __init__(self, url: str, accounts: list[dict[str, Any]], ca_path: str | None) -> None:
        self.url = url
        self.accounts = accounts
        self._context = ssl.create_default_context(cafile=ca_path) if ca_path else None

    @property
    def account_id(self) -> int:
        """The account that the clients are pointed at."""
        return self.accounts[0]["id"]

    @property
    def token(self) -> str:
        """Its token that may do everything."""
        return self.accounts[0]["tokens"]["service"]

    def control(self, method: str, name: str, body: object = None) -> Any:
        """Ask the control API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_simulator/{name}", data, method=method)
        with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:
            return json.load(answer)

    def advance(self, seconds: float) -> None:
        """Move the simulated time."""
        self.control("POST", "clock", {"advance_seconds": seconds})

    def runs(self) -> list[dict[str, Any]]:
        """What is true of every run of the account, without executions."""
        return self.control("GET", f"truth?account_id={self.account_id}&executions=false")["accounts"][0]["runs"]

    def run(self, run_id: int) -> dict[str, Any]:
        """All that is true of one run."""
        return self.control("GET", f"truth?account_id={self.account_id}&run_id={run_id}")["accounts"][0]["runs"][0]

    def status(self, run_id: int) -> int:
        """The true status of a run."""
        return self.run(run_id)["status"]

    def order(self, job_id: int, **wishes: object) -> int:
        """Begin a run that lasts as long, and ends as, a check needs; its id."""
        return self.control("POST", "runs", {"job_id": job_id, "queue_seconds": 0, **wishes})["id"]

    def fail(self) -> tuple[int, int]:
        """Let dbt fail now in some job, in a way that can be retried; the job's id and the run's."""
        shown = next(run for run in reversed(self.runs()) if run["recording_id"] and _can_be_retried(run))
        job_id = shown["job_id"]
        while True:
            self.settle()
            run_id = self.order(job_id, recording_id=shown["recording_id"], duration_seconds=60)
            self.finish(run_id)
            last = [run for run in self.runs() if run["job_id"] == job_id][-1]
            if (last["id"], last["status"]) == (run_id, 20):
                return job_id, run_id

    def finish(self, run_id: int) -> None:
        """Move the time until a run is over."""
        while self.status(run_id) in (1, 2, 3):
            self.advance(30)

    def settle(self) -> None:
        """Move the time until no run is under way."""
        while any(run["status"] in (1, 2, 3) for run in self.runs()):
            self.advance(60)

    @contextmanager
    def time_passing(self, seconds_a_turn: float = 15.0) -> Iterator[None]:
        """Let simulated time pass quickly while a client blocks in a wait of its own."""
        is_over = threading.Event()

        def pass_time() -> None:
            while not is_over.wait(0.02):
                self.advance(seconds_a_turn)

        passing = threading.Thread(target=pass_time)
        passing.start()
        try:
            yield
        finally:
            is_over.set()
            passing.join()

    @contextmanager
    def lines(self) -> Iterator[list[str]]:
        """The request lines that arrive meanwhile, to be read afterwards."""
        self.control("DELETE", "requests")
        seen: list[str] = []
        yield seen
        seen += self.control("GET", "requests?last=500")["lines"]


@pytest.fixture(scope="session")
def simulator() -> Simulator:
    """The simulator this client is pointed at."""
    accounts = json.loads(os.environ["SIMULATOR_ACCOUNTS"])
    return Simulator(os.environ["SIMULATOR_URL"], accounts, os.environ.get("REQUESTS_CA_BUNDLE"))


@pytest.fixture(scope="session")
def well(simulator: Simulator) -> dict[str, Any]:
    """A success of the past with two dbt steps that left run results, in the busiest environment; told in full."""
    runs = simulator.runs()
    [(busiest, _)] = Counter(run["environment_id"] for run in runs).most_common(1)
    for run in reversed(runs):
        kept = [step for step in run["steps"] if "run_results.json" in step["artifacts"]]
        if run["environment_id"] == busiest and run["status"] == 10 and len(kept) > 1:
            return simulator.run(run["id"])
    pytest.fail("the simulated history has no successful run with two dbt steps in its busiest environment")


@pytest.fixture(autouse=True)
def _nothing_but_this_machine() -> Iterator[None]:
    """A check fails when its client tried to reach anything but this machine."""
    before = len(strangers)
    yield
    assert strangers[before:] == []


def _can_be_retried(run: dict[str, Any]) -> bool:
    return any(step["status"] == 20 and "run_results.json" in step["artifacts"] for step in run["steps"])


def outcomes(results: list[dict[str, Any]]) -> dict[str, str]:
    """The status by unique_id, of run results or of the truth's executions."""
    return {result["unique_id"]: result["status"] for result in results}
