"""A sync in a process of its own, which stores what was accepted too, and is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

SYNC = """
import sys
from datetime import datetime
from pathlib import Path
from cloud import make_settings
from headwater.observatory.holder import open_observatory
from headwater.observatory.inbox import storing_accepted
from headwater.observatory.syncing import list_followed, make_pass

folder, url, now = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
with open_observatory(make_settings(folder, store_url=url), clock=lambda: now) as observatory:
    print("begun", flush=True)
    with storing_accepted(observatory):
        for name in list_followed(observatory) * 20:
            make_pass(observatory, name)
"""


def sync_and_die(folder: Path, store_url: str, now: str, after: float) -> bool:
    """Sync in a process of its own and kill it some time after it began; False where it was done before."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
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
