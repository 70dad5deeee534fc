"""A simulated dbt Cloud and a Headwater on it, both on one clock that only the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headwater.config import Settings, read_settings
from headwater.model.secret import Secret
from headwater.observatory.accounts import add_account
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.inbox import describe_inbox, storing_accepted
from headwater.simulator import RunningSimulator, SimulatorSettings, start_in_thread
from headwater.simulator.recordings import Archive
from headwater.web.app import create_app
from headwater.web.serve import listen, make_server
from program import wait_for

NAMES = ("first", "second")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Cloud:
    """The simulator and the clock; whoever sleeps moves it."""

    simulator: RunningSimulator
    now: datetime
    slept: list[float] = field(default_factory=list)
    _moving: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> datetime:
        """Give the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass for both sides; several threads may."""
        with self._moving:
            self.now += timedelta(seconds=seconds)
            self.simulator.advance(seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep without waiting."""
        self.slept.append(seconds)
        self.advance(seconds)

    def truth(self, account_id: int) -> dict[int, dict[str, Any]]:
        """Give what is true of an account's runs, by id."""
        (account,) = self.simulator.truth(account_id=account_id)["accounts"]
        return {run["id"]: run for run in account["runs"]}

    def requests(self) -> int:
        """Count the requests that reached the simulated dbt Cloud."""
        return int(self.simulator.control("GET", "requests")["total"])

    def fault(self, kind: str, **details: Any) -> None:
        """Script a fault for the next requests."""
        self.simulator.control("POST", "faults", {"next": [{"kind": kind, **details}]})


@contextmanager
def running_cloud(
    *, days: float = 2, seed: int = 1, archive: Archive | None = None, **settings: Any
) -> Iterator[Cloud]:
    """Start a simulated dbt Cloud that stands at noon; several may share one opened archive of recordings."""
    chosen = SimulatorSettings(days=days, seed=seed, clock="manual", now=NOON, **settings)
    with start_in_thread(chosen, archive) as simulator:
        yield Cloud(simulator, NOON)


@contextmanager
def watching(
    cloud: Cloud, folder: Path, *, store_url: str | None = None, accounts: int = 2, days: int = 2, **settings: Any
) -> Iterator[Observatory]:
    """Open an observatory with the simulator's accounts connected, as `first` and `second`."""
    with ExitStack() as stack:
        observatory = stack.enter_context(open_watching(cloud, folder, store_url=store_url, days=days, **settings))
        for name in NAMES[:accounts]:
            connect(cloud, observatory, name)
        yield observatory


def connect(cloud: Cloud, observatory: Observatory, name: str) -> None:
    """Connect one of the simulator's accounts."""
    account = cloud.simulator.accounts[NAMES.index(name)]
    add_account(
        observatory,
        name,
        account_id=account.id,
        url=cloud.simulator.url,
        token=Secret(account.token),
        allow_private=True,
    )


@contextmanager
def open_watching(
    cloud: Cloud,
    folder: Path,
    *,
    store_url: str | None = None,
    days: int = 2,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], datetime] | None = None,
    **settings: Any,
) -> Iterator[Observatory]:
    """Open an observatory on a store of the folder, without accounts."""
    with open_observatory(
        make_settings(folder, store_url=store_url, days=days, **settings),
        clock=clock or cloud.clock,
        sleep=sleep or cloud.sleep,
    ) as observatory:
        yield observatory


@contextmanager
def serving(observatory: Observatory) -> Iterator[str]:
    """Serve the web application of an observatory, as `headwater serve` does; gives its address."""
    server = make_server(create_app(observatory))
    with storing_accepted(observatory), listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def wait_until_stored(observatory: Observatory) -> None:
    """Wait until everything that was accepted is stored, by whichever process."""

    def is_empty() -> bool:
        with observatory.store.read() as tx:
            return describe_inbox(tx).waiting == 0

    wait_for(is_empty, "what was accepted to be stored")


def make_settings(folder: Path, *, store_url: str | None = None, days: int = 2, **settings: Any) -> Settings:
    """Make settings that touch nothing outside the folder."""
    dbt_cloud = {"requests_per_minute": 60_000, "backfill_days": days, "parallel_requests": 2}
    return read_settings(
        data_folder=folder,
        database_url=store_url or f"sqlite:///{folder / 'headwater.db'}",
        dbt_cloud=dbt_cloud | settings.pop("dbt_cloud", {}),
        **settings,
    )
