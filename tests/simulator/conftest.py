"""A simulator over real sockets, on tiny recordings and on a clock that only the test moves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from asking import NOW, Client
from tiny import make_archive

from headwater.simulator import Assumptions, RunningSimulator, SimulatorSettings, start_in_thread
from headwater.simulator.recordings import Archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The tiny recordings, unpacked once."""
    with Archive(make_archive(tmp_path_factory.mktemp("recordings") / "tiny.tar.xz")) as opened:
        yield opened


@pytest.fixture(scope="session")
def month(archive: Archive) -> Iterator[RunningSimulator]:
    """A simulator with a month of history; tests only read from it."""
    with start_in_thread(SimulatorSettings(seed=1, now=NOW, clock="manual"), archive) as running:
        yield running


@pytest.fixture(scope="session")
def reader(month: RunningSimulator) -> Iterator[Client]:
    """The service token of the first account of the month."""
    client = Client(month)
    yield client
    client.close()


@pytest.fixture
def simulate(archive: Archive) -> Iterator[Callable[..., Client]]:
    """Start a simulator of a test's own, with a few days of history, and a client for it."""
    with ExitStack() as opened:

        def start(*, assume: tuple[str, ...] = (), **settings) -> Client:
            chosen = replace(
                SimulatorSettings(seed=1, days=3, now=NOW, clock="manual", webhook_retry_seconds=0.002), **settings
            )
            chosen = replace(chosen, assumptions=Assumptions().changed(list(assume)))
            client = Client(opened.enter_context(start_in_thread(chosen, archive)))
            opened.callback(client.close)
            return client

        yield start


@pytest.fixture
def client_for() -> Iterator[Callable[..., Client]]:
    """Further clients of a simulator: other accounts, other tokens."""
    with ExitStack() as opened:

        def make(simulator: RunningSimulator, account: int = 0, kind: str = "service", scheme: str = "Token") -> Client:
            client = Client(simulator, account, kind, scheme)
            opened.callback(client.close)
            return client

        yield make


@pytest.fixture(scope="session")
def contracts() -> Path:
    """The folder of dbt Cloud's own OpenAPI documents, kept beside the repository."""
    folder = Path(__file__).parents[2] / ".." / "shared" / "contracts" / "dbt-cloud-openapi"
    if not folder.is_dir():
        pytest.skip("dbt Cloud's OpenAPI documents are not at ../shared/contracts/dbt-cloud-openapi")
    return folder
