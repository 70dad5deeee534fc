"""Programs the tests install for themselves, below `.cache`, once for all processes that run tests."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def find_uv() -> str:
    """Find uv; where there is none, a test cannot install what it needs: it is left out, or fails where CI is set."""
    own = ROOT / ".cache" / "uv" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    if uv is None:
        if os.environ.get("CI"):
            raise AssertionError("There is no uv to install it with.")
        pytest.skip("There is no uv to install it with.")
    return uv


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Make a folder and keep other processes that would install into it waiting."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
