"""How soon a page shows what was stored, and what open streams cost the others.

Run with `uv run python bench/live.py`. A run's status is stored, and chromium says when the page of the runs shows it;
both go by the clock of this machine. Then the same page is asked for again and again, with no stream open and with 50,
in turns. Everything is of one process on loopback: the web application, the store, and what asks.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from cloud import serving  # noqa: E402
from headwater.config import read_settings  # noqa: E402
from headwater.model.account import AccountAddress  # noqa: E402
from headwater.model.run import Run, RunStatus, Way  # noqa: E402
from headwater.observatory.access import Role, create_token  # noqa: E402
from headwater.observatory.holder import Observatory, open_observatory  # noqa: E402
from headwater.observatory.sessions import create_login_link  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.runs import save_run  # noqa: E402

RUNS = 200
CHANGES = 30
STREAMS = 50
ROUNDS = 6
ASKED = 25
STATUSES = (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING, RunStatus.SUCCESS)
SEEN = """([run, status]) => new Promise((done) => {
  const look = () => {
    const row = document.querySelector(`a[href$="/${run}"]`)?.closest('tr');
    if (row?.querySelector('.mark')?.textContent.includes(status)) { watch.disconnect(); done(Date.now()); }
  };
  const watch = new MutationObserver(look);
  watch.observe(document.querySelector('main'), {childList: true, subtree: true});
  look();
})"""


def store(observatory: Observatory, account_key: int, run: Run) -> float:
    """Store a run as a poll brings it; gives when that was done."""
    with observatory.store.write() as tx:
        save_run(tx, account_key, run, Way.POLL, observatory.store.now())
    return time.time()


def fill(observatory: Observatory) -> int:
    """Store some runs that are over."""
    now = datetime.now(UTC)
    with observatory.store.write() as tx:
        key = save_account(tx, "bench", AccountAddress("https://cloud.getdbt.com", 1), now).account_key
        for number in range(RUNS):
            at = now - timedelta(minutes=number)
            run = Run(run_id=1_000 - number, status=RunStatus.SUCCESS, created_at=at, started_at=at, finished_at=at)
            save_run(tx, key, run, Way.POLL, now)
    return key


def time_changes(observatory: Observatory, account_key: int, window: Page) -> list[float]:
    """Give the seconds from each stored change of a run to the page that shows it."""
    taken = []
    for number in range(CHANGES):
        at, status = datetime.now(UTC), STATUSES[number % len(STATUSES)]
        run = Run(run_id=2_000 + number // len(STATUSES), status=status, created_at=at, updated_at=at)
        run = run if status is not RunStatus.SUCCESS else replace(run, started_at=at, finished_at=at)
        window.wait_for_timeout(137 * (number % 7))  # not always as long after the server's last look
        began = store(observatory, account_key, run)
        taken.append(window.evaluate(SEEN, [run.run_id, str(status)]) / 1000 - began)
    return taken


def time_answers(ask: urllib3.PoolManager, url: str) -> list[float]:
    """Give the milliseconds of some answers."""
    taken = []
    for _ in range(ASKED):
        began = time.perf_counter()
        assert ask.request("GET", f"{url}/runs").status == 200
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def compare_answers(ask: urllib3.PoolManager, url: str) -> tuple[list[float], list[float]]:
    """Give the answers' milliseconds without and with open streams, measured in turns."""
    alone, beside = [], []
    time_answers(ask, url)
    for _ in range(ROUNDS):
        alone += time_answers(ask, url)
        with ExitStack() as stack:
            for _ in range(STREAMS):
                reply = ask.request("GET", f"{url}/api/v1/events", preload_content=False, timeout=60)
                stack.callback(reply.close)
                assert reply.status == 200
                next(reply.stream(16))
            beside += time_answers(ask, url)
    return alone, beside


def main() -> None:
    """Print what was measured, then one JSON line."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = read_settings(data_folder=Path(folder), database_url=f"sqlite:///{folder}/headwater.db")
        observatory = stack.enter_context(open_observatory(settings))
        account_key = fill(observatory)
        url = stack.enter_context(serving(observatory))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        window = browser.new_page()
        window.goto(f"{url}/login#{create_login_link(observatory).reveal()}")
        window.wait_for_url(f"{url}/")
        window.goto(f"{url}/runs")
        window.locator("body.is-live").wait_for()
        changes = time_changes(observatory, account_key, window)
        browser.close()
        _, token = create_token(observatory, "bench", Role.VIEWER)
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        with urllib3.PoolManager(maxsize=STREAMS + 4, headers=headers) as ask:
            alone, beside = compare_answers(ask, url)
    figures = {
        "changes": len(changes),
        "seconds_median": round(statistics.median(changes), 2),
        "seconds_most": round(max(changes), 2),
        "answer_ms": round(statistics.median(alone), 1),
        "answer_ms_with_streams": round(statistics.median(beside), 1),
        "ratio": round(statistics.median(beside) / statistics.median(alone), 2),
    }
    print(f"a change is on the page after {figures['seconds_median']} s, at most {figures['seconds_most']} s")
    print(f"an answer takes {figures['answer_ms']} ms, with {STREAMS} streams {figures['answer_ms_with_streams']} ms")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
