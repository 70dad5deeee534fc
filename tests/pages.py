"""The how-to pages: their commands, what they say these print, and a reader who types them in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pexpect

from installing import ROOT
from program import DEADLINE, Program, Seen, wait_for

_SORTS = {
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    r"\d+(?:[.,]\d+)*": r"\d+(?:[.,]\d+)*",
    r" {2,}": r" {2,}",
    r"…": r".*",
}
"""What differs from time to time, by what may stand there instead: ids, times, numbers, the gaps of tables, `…`."""


@dataclass(frozen=True)
class Command:
    """A command line of a page without its `$`, and the lines that the page shows below it."""

    line: str
    shown: tuple[str, ...]


def read_page(name: str) -> str:
    """Read a how-to page."""
    return (ROOT / "docs" / "howto" / f"{name}.md").read_text()


def read_section(name: str, heading: str) -> str:
    """Read what stands below one heading of a page."""
    _, found, rest = read_page(name).partition(f"\n## {heading}\n")
    assert found, f"{name}.md has no heading {heading!r}"
    return rest.partition("\n## ")[0]


def read_blocks(text: str, language: str = "") -> list[str]:
    """Give the blocks of a language, as they stand but for the indent of a list."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, of, block in blocks if of == language]


def read_commands(text: str) -> list[Command]:
    """Give the commands of all console blocks, in order."""
    parts = [part for block in read_blocks(text, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)]
    return [Command(line, tuple(shown)) for line, *shown in (part.splitlines() for part in parts if part)]


@dataclass(frozen=True)
class Typed:
    """How a command ended, and all that its terminal showed, without the prompt it was typed at."""

    status: int | None
    text: str


@dataclass
class Reader:
    """Somebody in an empty folder who types what a page says, and of their own what the page had to invent."""

    program: Program
    own: Mapping[str, str] = field(default_factory=dict)
    """What stands on the page, and what is typed instead."""

    def put_in(self, text: str) -> str:
        """Give a text of the page with the reader's own in it."""
        return _replace(text, self.own)

    def type(self, command: Command, *answers: tuple[str, str], **environ: str) -> Typed:
        """Type a command on a terminal, and what it asks for: pairs of what the prompt ends in and the answer."""
        terminal = pexpect.spawn(
            *_shell(self.put_in(command.line)),
            cwd=str(self.program.folder),
            env=self.environment(**environ),
            encoding="utf-8",
            dimensions=(50, 200),
            timeout=DEADLINE,
        )
        said = ""
        for prompt, answer in answers:
            terminal.expect_exact(prompt)
            said += terminal.before + prompt
            terminal.sendline(answer)
        terminal.expect(pexpect.EOF)
        terminal.close()
        said = (said + terminal.before).replace("\r\n", "\n")
        self.program.said.append(said)
        return Typed(terminal.exitstatus, said)

    def follow(self, command: Command, *answers: tuple[str, str], **environ: str) -> Typed:
        """Type a command that goes well, and see that it says what the page says."""
        typed = self.type(command, *answers, **environ)
        assert typed.status == 0, (command.line, typed.text)
        self.compare(command, typed.text)
        return typed

    def compare(self, command: Command, said: str) -> None:
        """See that the page's lines are what was said, line for line; where the page shows nothing, all will do."""
        if command.shown:
            pattern = make_pattern(command.shown, self.own)
            said = "".join(f"{line.rstrip()}\n" for line in said.splitlines())
            shown = "\n".join(command.shown)
            assert re.fullmatch(pattern, said), f"{command.line}\nthe page shows:\n{shown}\nit says:\n{said}"

    @contextmanager
    def beside(self, command: Command, name: str, **environ: str) -> Iterator[Beside]:
        """Type a command that runs on in a terminal of its own; ended with what it started, if it still runs."""
        said, errors = self.program.folder / f"{name}.out", self.program.folder / f"{name}.err"
        with said.open("w") as out, errors.open("w") as err:
            process = subprocess.Popen(
                ["sh", "-ec", f"exec {self.put_in(command.line)}"],
                env=self.environment(**environ),
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        running = Beside(process, said, errors)
        try:
            yield running
        finally:
            running.kill()
            self.program.said += [running.said, running.errors]

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of a terminal in which `headwater` is a command."""
        environ = self.program.environment(**more)
        here = {"PATH": f"{Path(sys.executable).parent}:{environ['PATH']}", "TERM": "dumb", "LINES": "50"}
        return environ | here


@dataclass(frozen=True)
class Beside:
    """A command that runs on."""

    process: subprocess.Popen[bytes]
    _out: Path
    _err: Path

    @property
    def said(self) -> str:
        """Give what it has said on standard output so far."""
        return self._out.read_text()

    @property
    def errors(self) -> str:
        """Give what it has said on standard error so far."""
        return self._err.read_text()

    def wait_for(self, look: Callable[[], Seen | None], what: str) -> Seen:
        """Look again and again until something is seen, which is given back; the command must not end meanwhile."""
        seen = wait_for(lambda: look() or self.process.poll() is not None, what)
        assert self.process.poll() is None, self.errors
        return cast("Seen", seen)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and give how it ended."""
        os.killpg(self.process.pid, number)
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """End it for good, with its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def make_pattern(shown: tuple[str, ...], own: Mapping[str, str]) -> str:
    """Give the pattern of what a page shows; `…` alone on a line stands for any lines."""
    lines = ("(?:.*\n)*" if line.strip() == "…" else _line_pattern(line, own) + "\n" for line in shown)
    return "".join(lines)


def _line_pattern(line: str, own: Mapping[str, str]) -> str:
    sorts = [*((re.escape(shown), re.escape(own[shown])) for shown in _longest_first(own)), *_SORTS.items()]
    pieces = re.finditer("|".join(f"({sort})" for sort, _ in sorts) + "|(.)", line.rstrip())
    found = ((piece, (piece.lastindex or 0) - 1) for piece in pieces)
    return "".join(sorts[at][1] if at < len(sorts) else re.escape(piece[0]) for piece, at in found)


def _replace(text: str, own: Mapping[str, str]) -> str:
    if not own:
        return text
    return re.sub("|".join(map(re.escape, _longest_first(own))), lambda found: own[found[0]], text)


def _longest_first(own: Mapping[str, str]) -> list[str]:
    return sorted(own, key=len, reverse=True)


def _shell(line: str) -> tuple[str, list[str]]:
    return "sh", ["-ec", line]
