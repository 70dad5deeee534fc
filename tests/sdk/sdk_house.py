"""A synced Headwater with its web application served, and the environment of a task that calls the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud import Cloud, running_cloud, serving, wait_until_stored, watching
from headwater.observatory.access import Role, create_token
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import RunReport
from headwater.observatory.runs import get_run
from headwater.observatory.syncing import make_pass, sync_accounts

GONE = "http://127.0.0.1:1"
"""Where no server is."""


@dataclass(frozen=True)
class House:
    """A Headwater that follows the first account, and its web application."""

    cloud: Cloud
    observatory: Observatory
    url: str
    tokens: dict[str, str]

    @property
    def account_id(self) -> int:
        return self.cloud.simulator.accounts[0].id

    @property
    def dbt_token(self) -> str:
        return self.cloud.simulator.accounts[0].token

    def order(self, *, runs_for: int = 30, **details: Any) -> int:
        """Let a run begin in dbt Cloud that takes so many seconds; gives its id."""
        job_id = next(iter(self.cloud.truth(self.account_id).values()))["job_id"]
        order = {"job_id": job_id, "queue_seconds": 1, "duration_seconds": runs_for, **details}
        return int(self.cloud.simulator.control("POST", "runs", order)["id"])

    def order_finished(self) -> int:
        """Let a run begin and end in dbt Cloud, of which Headwater knows nothing yet."""
        run_id = self.order()
        self.cloud.advance(120)
        return run_id

    def poll(self) -> None:
        """Make one pass of the monitor."""
        make_pass(self.observatory, "first")

    def stored(self, run_id: int) -> RunReport:
        """Give what is stored of a run, once all that was accepted is."""
        wait_until_stored(self.observatory)
        return get_run(self.observatory, "first", run_id)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Headwater whose first account is synced; tests order runs of their own."""
    folder = tmp_path_factory.mktemp("house")
    with running_cloud(days=1) as cloud, watching(cloud, folder, accounts=1, days=1) as observatory:
        sync_accounts(observatory)
        tokens = {str(role): create_token(observatory, role, role)[1].reveal() for role in Role}
        with serving(observatory) as url:
            yield House(cloud, observatory, url, tokens)


@pytest.fixture
def task(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a task that may send to the house; gives its spool."""
    spool = tmp_path / "spool"
    monkeypatch.setenv("HEADWATER_URL", house.url)
    monkeypatch.setenv("HEADWATER_TOKEN", house.tokens["ingest"])
    monkeypatch.setenv("HEADWATER_SPOOL", str(spool))
    return spool
