"""A client of the simulator for its tests, and the time at which they begin."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import urllib3

from headwater.simulator import RunningSimulator

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
