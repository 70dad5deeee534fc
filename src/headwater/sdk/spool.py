"""Collected runs on disk, for the time the server is away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.errors import HeadwaterError, ServerUnreachable

SUFFIX = ".collected"
_REFUSED = ".refused"


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did; `refused` were kept aside because the server can never take them."""

    sent: int
    left: int
    refused: int


def keep(folder: Path, body: bytes) -> Path:
    """Keep an encoded run, readable by its owner only; the same run twice is kept once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{hashlib.sha256(body).hexdigest()[:32]}{SUFFIX}"
    descriptor, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
    return path


def flush(folder: Path, send: Callable[[bytes], object]) -> Flushed:
    """Send what was kept, oldest first; stop where the server is away, put aside what it refuses."""
    sent = refused = 0
    for path in each_kept(folder):
        try:
            send(path.read_bytes())
        except FileNotFoundError:
            continue  # another process sent it
        except ServerUnreachable:
            break
        except HeadwaterError:
            path.replace(path.with_suffix(_REFUSED))
            refused += 1
        else:
            path.unlink(missing_ok=True)
            sent += 1
    return Flushed(sent, sum(1 for _ in each_kept(folder)), refused)


def each_kept(folder: Path) -> Iterator[Path]:
    """Give the kept files, oldest first."""
    aged: list[tuple[float, Path]] = []
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            aged.append((path.stat().st_mtime, path))
    yield from (path for _, path in sorted(aged))
