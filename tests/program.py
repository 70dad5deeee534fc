"""The program as people run it: real processes on a folder of the test's own, and waiting for what can be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Seen = TypeVar("Seen")

DEADLINE = 60.0
"""Seconds after which a test gives up; nothing is expected to take nearly as long."""

_COMPILED = Path(tempfile.gettempdir()) / "headwater-tests-compiled"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said on standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read standard output as the one JSON document it is."""
        return json.loads(self.out)


@dataclass
class Program:
    """`headwater` with its data, home and working directory in one folder; remembers all that was ever said."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Give the data folder."""
        return self.folder / "data"

    def environment(self, **more: str) -> dict[str, str]:
        """Give an environment that holds nothing of the machine but where programs are."""
        environ = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environ |= {"HOME": str(self.folder), "PYTHONPYCACHEPREFIX": str(_COMPILED), "COLUMNS": "200"}
        return environ | {"HEADWATER__DATA_FOLDER": str(self.data)} | self.settings | more

    def run(self, *words: object, stdin: str = "", module: str = "headwater.cli.app", **environ: str) -> Said:
        """Run a command to its end."""
        command = self.command(*words, module=module)
        ended = subprocess.run(
            command,
            input=stdin,
            env=self.environment(**environ),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        self.said += [ended.stdout, ended.stderr]
        return Said(ended.returncode, ended.stdout, ended.stderr)

    @contextmanager
    def running(self, *words: object, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command beside the test, its output in `out.txt` and `err.txt`; killed at the end if it still runs."""
        with (self.folder / "out.txt").open("w") as out, (self.folder / "err.txt").open("w") as err:
            process = subprocess.Popen(
                self.command(*words),
                env=self.environment(**environ),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            self.said += [self.output(), self.errors()]

    def output(self) -> str:
        """Give what the command beside the test has said on standard output so far."""
        return (self.folder / "out.txt").read_text()

    def errors(self) -> str:
        """Give what the command beside the test has said on standard error so far."""
        return (self.folder / "err.txt").read_text()

    def command(self, *words: object, module: str = "headwater.cli.app") -> list[str]:
        """Give the command line."""
        program = [sys.executable, "-m", module]
        if module == "headwater.cli.app":
            program = [sys.executable, "-c", "import sys; from headwater.cli import main; sys.exit(main())"]
        return [*program, *(str(word) for word in words)]

    def spilled(self, secret: str) -> list[str]:
        """Name the places where a secret stands open: something said, or a file of the folder."""
        places = [text for text in self.said if secret in text]
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return places + [path.name for path in files if secret.encode() in path.read_bytes()]


def wait_for(look: Callable[[], Seen | None], what: str, seconds: float = DEADLINE) -> Seen:
    """Look again and again until something is seen, which is given back."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if seen := look():
            return seen
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")
