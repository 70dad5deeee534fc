"""The stage of a history: a small simulated dbt Cloud, Headwaters on one database, and a note of what was told them."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select

from cloud import NAMES, Cloud, open_watching, running_cloud, serving
from headwater.observatory.access import Role, create_token
from headwater.observatory.holder import Observatory
from headwater.simulator.recordings import Archive
from headwater.simulator.settings import Assumptions
from headwater.store.schema import accounts
from truth import Told

GONE = "http://127.0.0.1:1"
"""Where no server is."""

MISCHIEF = ("drop", "repeat", "reorder", "forge")
SPOOLS = ("airflow", "laptop")

RunKey = tuple[int, int]
"""dbt Cloud's id of an account, and of a run."""


@dataclass(frozen=True)
class Place:
    """One Headwater on the database, and where it serves."""

    observatory: Observatory
    url: str


@dataclass(frozen=True)
class Delivery:
    """A run that a way tells of; with the Airflow task that told it, if one did."""

    run: RunKey
    way: str
    context: str | None = None


@dataclass(frozen=True)
class Telling:
    """What a call tells, if it arrives: an observation, and the Airflow task it was made in."""

    delivery: Delivery
    task: str | None = None


@dataclass
class Notes:
    """What was told to Headwater; several threads write it."""

    delivered: set[Delivery] = field(default_factory=set)
    uncertain: set[Delivery] = field(default_factory=set)
    amended: set[RunKey] = field(default_factory=set)
    tasks: dict[tuple[int, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    def arrived(self, delivery: Delivery, task: str | None = None) -> None:
        """Note that a way told of a run."""
        self.delivered.add(delivery)
        if task is not None:
            self.tasks[delivery.run[0], task].add(delivery.run[1])

    def told(self, account_id: int) -> Told:
        """Give what was told of an account's runs."""
        ways: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        maybe: dict[int, set[str]] = defaultdict(set)
        for delivery in self.delivered:
            if delivery.run[0] == account_id:
                ways[delivery.run[1]][delivery.way] += 1
        for delivery in self.uncertain - self.delivered:
            if delivery.run[0] == account_id:
                maybe[delivery.run[1]].add(delivery.way)
        return Told(
            ways=ways,
            maybe=maybe,
            tasks=[runs for (account, _), runs in self.tasks.items() if account == account_id],
            amended=frozenset(run_id for account, run_id in self.amended if account == account_id),
        )


@dataclass
class Scene:
    """Everything a history plays with."""

    cloud: Cloud
    folder: Path
    store_url: str
    places: tuple[Place, ...]
    ingest_token: str
    notes: Notes = field(default_factory=Notes)
    kept: dict[Path, list[Telling]] = field(default_factory=dict)
    """What lies in spools, by file."""
    focus: tuple[str, int] | None = None
    """The account and run that several ways tell of at the time."""
    subscribed: set[str] = field(default_factory=set)
    at_environment: threading.Lock = field(default_factory=threading.Lock)

    def account_id(self, name: str) -> int:
        """Give dbt Cloud's id of an account."""
        return self.cloud.simulator.accounts[NAMES.index(name)].id

    def token(self, name: str) -> str:
        """Give an account's API token."""
        return self.cloud.simulator.accounts[NAMES.index(name)].token

    def connected(self) -> tuple[str, ...]:
        """Name the accounts that are connected by now."""
        with self.places[0].observatory.store.read() as tx:
            found = set(tx.execute(select(accounts.c.name)).scalars())
        return tuple(name for name in NAMES if name in found)

    def truth(self, name: str) -> dict[int, Mapping[str, Any]]:
        """Give an account's runs as they are now."""
        (account,) = self.cloud.simulator.truth(account_id=self.account_id(name), executions="false")["accounts"]
        return {run["id"]: run for run in account["runs"]}

    def ask(self, name: str, path: str, body: object = None) -> bytes | None:
        """Ask dbt Cloud as somebody else would, once; None where it refuses or is in trouble."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.cloud.simulator.url}/api/v2/accounts/{self.account_id(name)}/{path}"
        asked = urllib.request.Request(url, data, {"Authorization": f"Token {self.token(name)}"})
        try:
            with urllib.request.urlopen(asked) as answer:
                found: bytes = answer.read()
                return found
        except (OSError, HTTPException):
            return None

    def pause(self) -> None:
        """Let a moment pass for what goes on beside."""
        threading.Event().wait(0.02)

    @contextmanager
    def as_task(self, url: str, spool: str, airflow: Mapping[str, str]) -> Iterator[Path]:
        """Give this process the environment of a task that may send to a server; one at a time. Gives the spool."""
        folder = self.folder / "spools" / spool
        environ = {"HEADWATER_URL": url, "HEADWATER_TOKEN": self.ingest_token, "HEADWATER_SPOOL": str(folder)}
        environ |= {f"AIRFLOW_CTX_{name}": value for name, value in airflow.items()}
        with self.at_environment:
            before = dict(os.environ)
            os.environ.update(environ)
            try:
                yield folder
            finally:
                os.environ.clear()
                os.environ.update(before)


def list_spooled(folder: Path) -> set[Path]:
    """List the files that wait in a spool."""
    return set(folder.glob("*.collected"))


@contextmanager
def open_scene(seed: int, folder: Path, store_url: str, archive: Archive) -> Iterator[Scene]:
    """Open a stage by a seed: some hours of history, dbt Cloud as one may assume it, two Headwaters on one database."""
    chance = Random(seed)
    assumptions = Assumptions().changed(list(_assume(chance)))
    days = chance.choice((0.15, 0.3, 0.5))
    with ExitStack() as stack:
        cloud = stack.enter_context(
            running_cloud(days=days, seed=seed, archive=archive, webhook_retry_seconds=0.01, assumptions=assumptions)
        )
        places = tuple(_open_places(stack, cloud, folder, store_url))
        token = create_token(places[0].observatory, "ways", Role.INGEST)[1].reveal()
        yield Scene(cloud, folder, store_url, places, token)


def _open_places(stack: ExitStack, cloud: Cloud, folder: Path, store_url: str) -> Iterable[Place]:
    for _ in range(2):
        observatory = stack.enter_context(open_watching(cloud, folder, store_url=store_url, days=1))
        yield Place(observatory, stack.enter_context(serving(observatory)))


def _assume(chance: Random) -> Iterable[str]:
    yield f"cancelled_has_finished_at={chance.choice(('true', 'false'))}"
    yield f"cancelled_webhook={chance.choice(('none', 'completed'))}"
    yield f"webhook_id_key={chance.choice(('webhookId', 'webhooksID'))}"
    yield f"retry_after={chance.choice(('seconds', 'date', 'seconds'))}"
    yield f"rate_limit_body={chance.choice(('json', 'html'))}"
    yield f"list_honours_step={chance.choice(('true', 'false'))}"
    yield f"compresses={chance.choice(('true', 'false'))}"
