"""`headwater demo`: the main job on a simulated dbt Cloud."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, console_errors, print_json, say_counts
from headwater.cli.serving import ending_on_signals, follow_and_serve, waiting_until, write_logs
from headwater.cli.syncing import sync_with_progress
from headwater.errors import HeadwaterError, WrongUse
from headwater.model.secret import Secret
from headwater.observatory.accounts import add_account
from headwater.observatory.holder import Observatory
from headwater.observatory.overview import summarise_store
from headwater.observatory.reports import StoreSummary

_REQUESTS_PER_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """An account of the simulated dbt Cloud."""

    name: str
    account_id: int
    url: str
    token: Secret


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Fill the store, print the summary and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    days: Annotated[int, typer.Option(min=1, max=90, help="Days of history.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed makes the same history.")] = 0,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the web application.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Keep the demo's store here instead of throwing it away.")] = None,
) -> None:
    """Run everything on a simulated dbt Cloud: history, live runs, the monitor and the web application."""
    began = time.monotonic()
    stop = threading.Event()
    write_logs()
    with ending_on_signals(stop), _folder(folder) as data, simulated_cloud(days=days, seed=seed) as accounts:
        settings = {
            "data_folder": data,
            "database_url": f"sqlite:///{data / 'headwater.db'}",
            "web": {"port": port},
            "dbt_monitor": {"prometheus_port": 0},
            "dbt_cloud": {"requests_per_minute": _REQUESTS_PER_MINUTE, "backfill_days": days},
        }
        with opened(sleep=waiting_until(stop), **settings) as observatory:
            _connect(observatory, accounts)
            console_errors().print(
                f"The demo may send {_REQUESTS_PER_MINUTE} requests a minute to its simulated dbt Cloud; "
                "a real account is asked at most 500 times."
            )
            if once:
                sync_with_progress(observatory, account=None, days=None)
                _print(summarise_store(observatory, elapsed=timedelta(seconds=time.monotonic() - began)), as_json)
            else:
                follow_and_serve(observatory, stop)


@contextmanager
def simulated_cloud(*, days: int, seed: int) -> Iterator[tuple[SimulatedAccount, ...]]:
    """Start the simulated dbt Cloud in a process of its own, as the real one is, and end it afterwards.

    Raises:
        HeadwaterError: it did not start.
    """
    command = [sys.executable, "-m", "headwater.simulator", "--port", "0", "--days", str(days), "--seed", str(seed)]
    process = subprocess.Popen([*command, "--busy"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        assert process.stdout is not None  # noqa: S101  asked for above
        line = process.stdout.readline()
        if not line:
            raise HeadwaterError("The simulated dbt Cloud did not start.", hint="Its reason stands above.")
        announced = json.loads(line)
        yield tuple(
            SimulatedAccount(account["name"], account["id"], announced["url"], Secret(account["token"]))
            for account in announced["accounts"]
        )
    finally:
        process.terminate()
        process.wait(timeout=10)


def _connect(observatory: Observatory, accounts: tuple[SimulatedAccount, ...]) -> None:
    for account in accounts:
        add_account(
            observatory,
            account.name,
            account_id=account.account_id,
            url=account.url,
            token=account.token,
            allow_private=True,
        )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        try:
            given.mkdir(parents=True, exist_ok=True)
            is_empty = not any(given.iterdir())
        except OSError as error:
            raise WrongUse(f"{given} cannot be the demo's folder: {error.strerror}.", hint="Name another.") from None
        if not is_empty:
            raise WrongUse(
                f"{given} is not empty, and the demo begins anew each time.",
                hint="Name an empty folder; an earlier demo opens with HEADWATER__DATA_FOLDER and 'headwater serve'.",
            )
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="headwater-demo-") as made:
        yield Path(made)


def _print(summary: StoreSummary, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    out = console()
    out.print(f"{summary.accounts} accounts, {summary.executions} executions")
    out.print(f"runs: {say_counts(summary.runs)}")
    out.print(f"nodes: {say_counts(summary.nodes)}")
    out.print(f"{summary.requests} requests to dbt Cloud, {summary.seconds:.1f} s")
