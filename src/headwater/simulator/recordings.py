"""The archive of recorded dbt runs: an index, and the files of each step, unpacked once to disk."""

import contextlib
import lzma
import mmap
import shutil
import tarfile
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from headwater.simulator.retime import Template, cut_artifact, cut_log

FORMAT = 1
_KEPT_TEMPLATES = 400
_INNER_TALK = (b"Acquiring connection", b"Began running node", b"On node: BEGIN", b"SQL status: OK")


class RecordingsError(Exception):
    """The archive of recordings is missing or not readable; the message says which and what to do."""


class RecordedJob(msgspec.Struct, frozen=True):
    """A job as the recordings know it."""

    name: str
    commands: tuple[str, ...] = ()
    generate_docs: bool = False
    generate_sources: bool = False


class RecordedProject(msgspec.Struct, frozen=True):
    """A dbt project whose runs were recorded, at one or more revisions."""

    name: str
    git_revisions: dict[str, str] = {}
    jobs: tuple[RecordedJob, ...] = ()


class RecordedStep(msgspec.Struct, frozen=True):
    """One dbt command that really ran."""

    command: str
    kind: str
    succeeded: bool
    started_at: datetime
    finished_at: datetime
    artifacts: dict[str, str] = {}
    log: str | None = None


class Recording(msgspec.Struct, frozen=True):
    """One job run that really happened, step by step."""

    id: str
    project: str
    job: str
    scenario: str
    succeeded: bool
    steps: tuple[RecordedStep, ...]
    revision: str = ""
    retry_of: str | None = None


class RecordingsIndex(msgspec.Struct, frozen=True):
    """What the archive holds."""

    format: int
    projects: tuple[RecordedProject, ...]
    recordings: tuple[Recording, ...]
    dbt_version: str = "1.11.0"
    adapter: str = "duckdb"


class Archive:
    """An opened archive; reading a member costs no copy."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise RecordingsError(f"there are no recordings at {path}; record some, or name another archive")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        with lzma.open(path) as packed:
            shutil.copyfileobj(packed, self._file, 1 << 20)
        self._file.seek(0)
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            self._places = {member.name: (member.offset_data, member.size) for member in archive}
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._map)
        self._templates: OrderedDict[str, Template] = OrderedDict()
        self.index = msgspec.json.decode(self.read("index.json"), type=RecordingsIndex)
        if self.index.format != FORMAT:
            raise RecordingsError(f"{path} has format {self.index.format}; this simulator reads {FORMAT}")

    def read(self, member: str) -> memoryview:
        """The bytes of a member as they were recorded."""
        offset, size = self._places[member]
        return self._view[offset : offset + size]

    def artifact(self, member: str) -> Template:
        """The template of a recorded artifact."""
        return self._template(member, lambda: cut_artifact(self.read(member)))

    def log(self, step: RecordedStep) -> Template:
        """The template of a recorded step's log."""
        return self._template(f"{step.log}\nlog", lambda: cut_log(self._log_bytes(step), step.started_at))

    def debug_log(self, step: RecordedStep) -> Template:
        """The template of a step's debug log: the log again, with what dbt says only when debugging."""
        return self._template(f"{step.log}\ndebug", lambda: cut_log(_debugged(self._log_bytes(step)), step.started_at))

    def close(self) -> None:
        """Let go of the unpacked file."""
        self._templates.clear()
        with contextlib.suppress(BufferError):  # an answer still being sent keeps its slice
            self._view.release()
            self._map.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _log_bytes(self, step: RecordedStep) -> memoryview:
        return self.read(step.log) if step.log else memoryview(b"")

    def _template(self, key: str, cut: Callable[[], Template]) -> Template:
        found = self._templates.get(key)
        if found is None:
            found = self._templates[key] = cut()
            if len(self._templates) > _KEPT_TEMPLATES:
                self._templates.popitem(last=False)
        else:
            self._templates.move_to_end(key)
        return found


def _debugged(log: memoryview) -> memoryview:
    """A debug log made of an ordinary one: dbt's level and thread, and some of its inner talk."""
    lines = []
    for number, line in enumerate(bytes(log).splitlines()):
        clock, _, text = line.partition(b"  ")
        if not text:
            lines.append(line)
            continue
        lines.append(clock + b" [info ] [MainThread]: " + text)
        thread = b" [debug] [Thread-%d (worker)]: " % (number % 4 + 1)
        lines += (clock + thread + talk for talk in _INNER_TALK)
    return memoryview(b"\n".join(lines))
