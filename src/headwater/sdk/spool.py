"""Collected runs on disk, for the time the server is away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

from headwater.errors import ArtifactUnreadable, HeadwaterError

SUFFIX = ".collected"
_REFUSED = ".refused"


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did; `refused` were kept aside because the server can never take them, `error` says why it ended."""

    sent: int
    left: int
    refused: int
    error: str | None = None


def keep(folder: Path, body: bytes) -> Path:
    """Keep an encoded run, readable by its owner only; the same run twice is kept once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{hashlib.sha256(body).hexdigest()[:32]}{SUFFIX}"
    descriptor, name = tempfile.mkstemp(dir=folder)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def flush(folder: Path, send: Callable[[bytes], object], *, seconds: float = inf) -> Flushed:
    """Send what was kept, oldest first; stop where the server does not take runs now, put aside what it never takes.

    Nothing more is begun after so many seconds.
    """
    sent = refused = 0
    reason: str | None = None
    until = time.monotonic() + seconds
    for path in each_kept(folder):
        if time.monotonic() >= until:
            break
        try:
            send(path.read_bytes())
        except FileNotFoundError:
            continue  # another process sent it
        except ArtifactUnreadable as error:
            path.replace(path.with_suffix(_REFUSED))
            refused, reason = refused + 1, str(error)
        except HeadwaterError as error:
            reason = str(error)
            break
        except OSError as error:
            reason = f"{path} cannot be read: {error.strerror}."
        else:
            path.unlink(missing_ok=True)
            sent += 1
    return Flushed(sent, sum(1 for _ in each_kept(folder)), refused, reason)


def each_kept(folder: Path) -> Iterator[Path]:
    """Give the kept files, oldest first."""
    aged: list[tuple[float, Path]] = []
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            aged.append((path.stat().st_mtime, path))
    yield from (path for _, path in sorted(aged))
