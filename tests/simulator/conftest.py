"""A simulator over real sockets, on tiny recordings and on a clock that only the test moves."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from tiny import make_archive

from headwater.simulator import Assumptions, RunningSimulator, SimulatorSettings, start_in_thread
from headwater.simulator.recordings import Archive

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def total(self) -> int:
        return self.json["extra"]["pagination"]["total_count"]

    @property
    def ids(self) -> list[int]:
        return [item["id"] for item in self.data]


class Client:
    """Asks a simulator as one of an account's tokens; `{a}` in a path is the account's id."""

    def __init__(
        self, simulator: RunningSimulator, account: int = 0, kind: str = "service", scheme: str = "Token"
    ) -> None:
        self.simulator = simulator
        self.account = simulator.accounts[account]
        self._headers = {"Authorization": f"{scheme} {self.account.tokens[kind]}"}
        self._pool = urllib3.PoolManager(retries=False, ca_certs=simulator.announcement.ca_path)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **parameters
    ) -> Reply:
        address = self.simulator.url + path.replace("{a}", str(self.account.id))
        if parameters:
            address += "?" + urlencode(parameters, doseq=True)
        data = json.dumps(body).encode() if body is not None else None
        sent = self._headers if headers is None else headers
        answer = self._pool.request(method, address, body=data, headers=sent, redirect=False, timeout=10)
        return Reply(answer.status, answer.headers, answer.data)

    def get(self, path: str, **parameters) -> Reply:
        return self.ask("GET", path, **parameters)

    def post(self, path: str, body: object = None) -> Reply:
        return self.ask("POST", path, body)

    def runs(self, **parameters) -> Reply:
        return self.get("/api/v2/accounts/{a}/runs/", **parameters)

    def run(self, run_id: int, **parameters) -> Reply:
        return self.get(f"/api/v2/accounts/{{a}}/runs/{run_id}/", **parameters)

    def all_runs(self, **parameters) -> list[dict]:
        found: list[dict] = []
        while True:
            page = self.runs(limit=100, offset=len(found), **parameters)
            found += page.data
            if len(found) >= page.total:
                return found

    def job(self, name: str, **parameters) -> dict:
        jobs = self.get("/api/v2/accounts/{a}/jobs/", state="all", **parameters).data
        return next(job for job in jobs if job["name"] == name)

    def close(self) -> None:
        self._pool.clear()


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
