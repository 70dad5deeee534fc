"""`headwater dbt`: runs a dbt as it is, then reads what that one invocation wrote."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headwater.collect import RESULTS_OF, CollectedTarget, read_command
from headwater.errors import NotKnown
from headwater.sdk.target import find_target, mark_target, read_folder

_PASSED_ON = frozenset(
    {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM}
)
_AWAITED = _PASSED_ON | {signal.SIGCHLD}
_FROM_KERNEL = 0x80
"""The si_code of a signal that a terminal gave to all processes in its foreground."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: by itself with a status, or by a signal."""

    status: int
    signal: signal.Signals | None = None

    def __str__(self) -> str:
        return f"was ended by {self.signal.name}" if self.signal else f"ended with {self.status}"


@dataclass(frozen=True, slots=True)
class DbtRun:
    """A dbt that has run: how it ended, where it wrote, and what is new there; None where nothing is."""

    ended: Ended
    folder: Path
    marks: Mapping[str, str]
    verb: str | None

    @property
    def is_expected_to_write(self) -> bool:
        """Whether dbt writes artifacts for such a command, as it does not for deps, debug and --version."""
        return self.verb in RESULTS_OF

    def read(self) -> CollectedTarget | None:
        """Read what this invocation wrote.

        Raises:
            ArtifactUnreadable: it wrote something, and none of it can be read.
        """
        return read_folder(self.folder, self.marks, command=f"dbt {self.verb}" if self.verb else None)


def run_dbt(arguments: Sequence[str], environ: Mapping[str, str], *, executable: str = "dbt") -> DbtRun:
    """Run dbt to its end with our standard streams; signals to us go to it, and nothing of ours to its output.

    Raises:
        NotKnown: there is no such program.
    """
    program = shutil.which(executable, path=environ.get("PATH"))
    if program is None:
        raise NotKnown(f"There is no program {executable!r}.", hint="Install dbt, or name it with --executable.")
    folder = find_target(arguments, environ, Path.cwd())
    marks = mark_target(folder)
    command = read_command(shlex.join(["dbt", *arguments]))
    ended = run_program([program, *arguments], environ)
    return DbtRun(ended, folder, marks, command.verb if command is not None else None)


def run_program(words: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Run a program to its end with our standard streams, and pass signals on to it.

    What a terminal signals it has given to the program too, and it is not passed on a second time.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        process = _start(words, environ, before)
        while (ended := _find_end(process)) is None:
            _pass_on(process)
    finally:
        while pending := signal.sigpending() & _AWAITED:
            signal.sigwait(pending)  # what came together with the end is for nobody
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ended


def _start(words: Sequence[str], environ: Mapping[str, str], mask: Iterable[int]) -> int:
    """Start a program as a shell would: Python ignores SIGPIPE and SIGXFSZ only for itself."""
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawn(words[0], list(words), dict(environ), setsigmask=mask, setsigdef=defaults)
    except OSError as error:
        raise NotKnown(f"{words[0]} cannot be run: {error.strerror}.", hint="Name another with --executable.") from None


def _find_end(process: int) -> Ended | None:
    done, status = os.waitpid(process, os.WNOHANG)
    if done == 0:
        return None
    if os.WIFSIGNALED(status):
        return Ended(128 + os.WTERMSIG(status), signal.Signals(os.WTERMSIG(status)))
    return Ended(os.WEXITSTATUS(status))


def _pass_on(process: int) -> None:
    """Wait for a signal; its own end is one too."""
    if sys.platform == "linux":
        found = signal.sigwaitinfo(_AWAITED)
        number, is_known = found.si_signo, found.si_code == _FROM_KERNEL
    else:
        number = int(signal.sigwait(_AWAITED))
        is_known = number in {signal.SIGINT, signal.SIGQUIT} and sys.stdin.isatty()
    if number != signal.SIGCHLD and not is_known:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def end_alike(ended: Ended) -> int:
    """End this process by the signal that ended another, so that whoever waits sees no difference; else its status."""
    if ended.signal is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's own core is enough
        if ended.signal is not signal.SIGKILL:
            signal.signal(ended.signal, signal.SIG_DFL)
        os.kill(os.getpid(), ended.signal)
    return ended.status
