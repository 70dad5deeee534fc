"""The request budget of an account holds for everybody on its store together."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

from cloud import open_watching, running_cloud, watching
from headwater.observatory.holder import Observatory, get_account
from program import DEADLINE

_A_MINUTE = 60
_ASKING = Path(__file__).with_name("ask_for_runs.py")


def test_two_on_one_store_never_ask_more_than_the_budget(tmp_path: Path) -> None:
    """Two observatories with stores of their own on one database ask as fast as they may; dbt Cloud never says 429."""
    lock = threading.Lock()
    with running_cloud(days=1, rate_limit=_A_MINUTE) as cloud:

        def sleep(seconds: float) -> None:
            with lock:
                cloud.advance(seconds)

        settings = {"dbt_cloud": {"requests_per_minute": _A_MINUTE}, "days": 0}
        with (
            watching(cloud, tmp_path, accounts=1, sleep=sleep, **settings) as one,
            open_watching(cloud, tmp_path, sleep=sleep, **settings) as other,
        ):
            cloud.advance(120)
            began, before = cloud.now, cloud.requests()
            threads = [threading.Thread(target=ask, args=(observatory, 120)) for observatory in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            answers = cloud.simulator.control("GET", "requests")["counts"]
            minutes = (cloud.now - began).total_seconds() / 60
            assert cloud.requests() - before == 240
            assert [row for row in answers if row["status"] == 429] == []
            assert minutes >= 240 / _A_MINUTE - 1


def test_two_processes_never_ask_more_than_the_budget(store_url: str, tmp_path: Path) -> None:
    """Two processes on one database each ask for more than the budget grants both; dbt Cloud never says 429."""
    per_minute = 120
    with running_cloud(days=1, rate_limit=per_minute) as cloud:
        with watching(cloud, tmp_path, store_url=store_url, accounts=1):
            cloud.advance(120)
        before = cloud.requests()
        words = [sys.executable, str(_ASKING), str(tmp_path), store_url, cloud.simulator.url, str(per_minute)]
        environ = os.environ | {"PYTHONPATH": str(_ASKING.parent.parent)}
        processes = [subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=DEADLINE)[1] for process in processes]

        now = datetime.fromisoformat(cloud.simulator.control("GET", "clock")["now"])
        answers = cloud.simulator.control("GET", "requests")["counts"]
        assert [process.returncode for process in processes] == [0, 0], said
        assert cloud.requests() - before == 2 * 2 * per_minute
        assert [row for row in answers if row["status"] == 429] == []
        assert now - cloud.now >= timedelta(minutes=3)


def ask(observatory: Observatory, times: int) -> None:
    """Ask for the number of runs again and again."""
    client = observatory.client(get_account(observatory, "first"))
    for _ in range(times):
        client.count("runs")
