"""A process that is killed at any point of a sync loses nothing and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

from test_oracle import assert_equal_to_truth

from cloud import NOON, open_watching, running_cloud, watching
from headwater.observatory.syncing import sync_accounts

SYNC = """
import sys
from datetime import datetime
from pathlib import Path
from cloud import make_settings
from headwater.observatory.holder import open_observatory
from headwater.observatory.syncing import list_followed, make_pass

folder, url, now = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
with open_observatory(make_settings(folder, store_url=url), clock=lambda: now) as observatory:
    print("begun", flush=True)
    for name in list_followed(observatory) * 20:
        make_pass(observatory, name)
"""


def sync_and_die(folder: Path, store_url: str, now: str, after: float) -> bool:
    """Sync in a process of its own and kill it some time after it began; False where it was done before."""
    path = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", SYNC, str(folder), store_url, now],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    timer = threading.Timer(after, process.send_signal, (signal.SIGKILL,))
    timer.start()
    status = process.wait()
    timer.cancel()
    process.stdout.close()
    return status == -signal.SIGKILL


def test_a_killed_sync_goes_on_where_it_was(tmp_path: Path, store_url: str) -> None:
    """Killed again and again at random moments, the next process goes on, and in the end the store is the truth."""
    random = Random(7)
    with running_cloud(days=1, seed=7) as cloud:
        with watching(cloud, tmp_path, store_url=store_url):
            pass
        killed = 0
        for minutes in range(6):
            now = (NOON.replace(minute=minutes * 5)).isoformat()  # past the lease of the one that died
            killed += sync_and_die(tmp_path, store_url, now, random.uniform(0.05, 1.0))
        cloud.advance(3_600)
        with open_watching(cloud, tmp_path, store_url=store_url) as observatory:
            report = sync_accounts(observatory)
            compared = assert_equal_to_truth(cloud, observatory)

        assert report.faults == ()
        assert killed > 0
        assert compared > 20
