"""A simulated dbt Cloud on the real clock, and the program with its accounts connected and synced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.simulator import RunningSimulator, SimulatorSettings, start_in_thread
from program import Program


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    """A simulated dbt Cloud with two days of history, on the real clock."""
    with start_in_thread(SimulatorSettings(days=2, seed=1)) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program on an empty data folder."""
    return Program(tmp_path)


@pytest.fixture(scope="session")
def synced(simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program after both accounts were connected and synced; tests only read from it."""
    program = Program(tmp_path_factory.mktemp("synced"), {"HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE": "60000"})
    for name, account in zip(("first", "second"), simulator.accounts, strict=True):
        words = ("account", "add", name, "--account-id", account.id, "--url", simulator.url, "--token-stdin")
        assert program.run(*words, stdin=account.token).status == 0
    assert program.run("sync", "--days", "1").status == 0
    return program
