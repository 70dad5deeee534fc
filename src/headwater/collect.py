"""One finished run → everything worth keeping of it, and the same on the wire between the SDK and the server."""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from headwater.errors import ArtifactUnreadable, DbtCloudError
from headwater.model.account import AccountAddress, Environment, Job, Project
from headwater.model.artifact import ArtifactState
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep

MANIFEST = "manifest.json"
RESULTS_OF = {
    "build": "run_results.json",
    "run": "run_results.json",
    "test": "run_results.json",
    "seed": "run_results.json",
    "snapshot": "run_results.json",
    "run-operation": "run_results.json",
    "retry": "run_results.json",
    "clone": "run_results.json",
    "source": "sources.json",
    "docs": "catalog.json",
    "compile": MANIFEST,
    "parse": MANIFEST,
    "list": MANIFEST,
    "ls": MANIFEST,
}
_PARSE_FLAGS = frozenset({"--vars", "--target", "-t", "--profile", "--project-dir", "--profiles-dir"})
_SWITCHES_WITH_VALUE = _PARSE_FLAGS | {"--threads", "--log-level", "--log-format", "--log-path", "--target-path"}
WIRE_LIMIT = 2**31
"""Bytes a collected run may have once unpacked."""


@dataclass(frozen=True, slots=True)
class StepCommand:
    """A dbt command line, read: its verb and the flags that decide how the project is parsed."""

    verb: str
    parse_flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedArtifact:
    """One artifact of one step as dbt Cloud gave it; `body` only where the state is STORED and it was not read yet."""

    step_index: int
    path: str
    state: ArtifactState
    reason: str = ""
    body: bytes | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedRun:
    """A run with its steps and the artifacts that count, from whichever way it was collected."""

    address: AccountAddress
    run: Run
    artifacts: tuple[CollectedArtifact, ...]
    collected_at: datetime
    job: Job | None = None
    project: Project | None = None
    environment: Environment | None = None
    airflow: AirflowContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """An artifact in a dbt target folder; `is_context` where it tells of others and was itself there before."""

    name: str
    body: bytes
    is_context: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedTarget:
    """The artifacts of a dbt target folder, of however many invocations; `command` is what was just run, if known."""

    files: tuple[TargetFile, ...]
    collected_at: datetime
    warnings: tuple[str, ...] = ()
    command: str | None = None
    project: str | None = None
    environment: str | None = None
    airflow: AirflowContext | None = None


_WIRES: dict[bytes, type[CollectedRun | CollectedTarget]] = {
    b"headwater-collected-1": CollectedRun,
    b"headwater-target-1": CollectedTarget,
}
"""The first line of what is sent, with its version, and what follows it."""

ReadArtifact = Callable[[str, int], bytes | None]
"""Gives an artifact's bytes by path and step index, None where dbt Cloud has none; raises DbtCloudError."""


def read_command(line: str) -> StepCommand | None:
    """Read a dbt command line; None where it is not dbt's or its quotes do not close."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or words[0] not in {"dbt", "dbtf"}:
        return None
    verb, flags = None, []
    rest = iter(words[1:])
    for word in rest:
        name, _, value = word.partition("=")
        if name in _PARSE_FLAGS:
            flags.append(f"{name}={value or next(rest, '')}")
        elif name in _SWITCHES_WITH_VALUE and not value:
            next(rest, "")
        elif verb is None and not word.startswith("-"):
            verb = word
    return StepCommand(verb, tuple(sorted(flags))) if verb is not None else None


def results_path(step: RunStep) -> str | None:
    """Name the artifact that says what a step did; None for steps that write none (clone, deps, debug).

    Results of `docs generate` and `compile` are compilations, so their run_results.json is not wanted.
    """
    command = read_command(step.command) if step.command else None
    return RESULTS_OF.get(command.verb) if command is not None else None


def collect_artifacts(
    run: Run, read: ReadArtifact, *, stored: frozenset[tuple[int, str]] = frozenset()
) -> tuple[CollectedArtifact, ...]:
    """Collect the artifacts of a finished run that count, at most one request without an answer for each dbt step.

    Each dbt step is asked for its own results (without `step` dbt Cloud gives those of the last step, which with docs
    is `docs generate`). A manifest is read once for each way the project was parsed, from the first step that has one:
    the steps of a run share its code, and what differs between their manifests is compiled code, which the results
    carry. A failing request is kept as a state, so that it neither loses the rest nor is taken for an absence.
    What is `stored`, as (step index, path), is not asked for again.
    """
    return tuple(_each_artifact(run, read, stored))


def _each_artifact(run: Run, read: ReadArtifact, stored: frozenset[tuple[int, str]]) -> Iterator[CollectedArtifact]:
    parsed = {parse_flags(step) for step in run.steps if (step.index, MANIFEST) in stored}
    for step in run.steps:
        path = results_path(step)
        if path is None:
            continue
        if (reason := _why_absent(run, step)) is not None:
            yield CollectedArtifact(step_index=step.index, path=path, state=ArtifactState.ABSENT, reason=reason)
            continue
        flags = parse_flags(step)
        state = ArtifactState.STORED
        if (step.index, path) not in stored:
            results = _read(step, path, read)
            state = results.state
            yield results
        if path == MANIFEST:
            parsed |= {flags} if state is ArtifactState.STORED else set()
        elif state is not ArtifactState.ABSENT and flags not in parsed:
            manifest = _read(step, MANIFEST, read)
            yield manifest
            parsed |= {flags} if manifest.body is not None else set()


def _why_absent(run: Run, step: RunStep) -> str | None:
    """Say why a step cannot have artifacts, None where it must be asked."""
    if step.status in {RunStatus.QUEUED, RunStatus.STARTING} or step.started_at is None:
        return "The step did not run."
    if run.status is RunStatus.CANCELLED and not run.artifacts_saved:
        return "The run was cancelled; dbt Cloud saved no artifacts."
    return None


def _read(step: RunStep, path: str, read: ReadArtifact) -> CollectedArtifact:
    try:
        body = read(path, step.index)
    except DbtCloudError as error:
        return CollectedArtifact(step_index=step.index, path=path, state=ArtifactState.FAILED, reason=str(error))
    if body is None:
        reason = f"dbt Cloud has no {path} for step {step.index}."
        return CollectedArtifact(step_index=step.index, path=path, state=ArtifactState.ABSENT, reason=reason)
    return CollectedArtifact(step_index=step.index, path=path, state=ArtifactState.STORED, body=body)


def parse_flags(step: RunStep) -> tuple[str, ...]:
    """Give the flags that decide how a step parses the project: steps with the same ones share a manifest."""
    command = read_command(step.command) if step.command else None
    return command.parse_flags if command is not None else ()


def encode(collected: CollectedRun | CollectedTarget) -> bytes:
    """Encode what was collected for the wire: a version line, then MessagePack, deflated."""
    head = next(head for head, kind in _WIRES.items() if isinstance(collected, kind))
    return head + b"\n" + zlib.compress(msgspec.msgpack.encode(collected), level=1)


def decode(body: bytes) -> CollectedRun | CollectedTarget:
    """Decode what `encode` made.

    Raises:
        ArtifactUnreadable: where it is something else, cut off, too large or of a newer version.
    """
    head, _, packed = body.partition(b"\n")
    kind = _WIRES.get(head)
    if kind is None and head.rpartition(b"-")[0] in {known.rpartition(b"-")[0] for known in _WIRES}:
        raise ArtifactUnreadable(
            "The collected run comes from another version of the SDK.", hint="Use the same Headwater on both sides."
        )
    if kind is None:
        raise ArtifactUnreadable("This is not a collected run.", hint="Send what the Headwater SDK makes.")
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(packed, WIRE_LIMIT)
        if inflater.unconsumed_tail or not inflater.eof:
            raise ArtifactUnreadable("The collected run is cut off or too large.", hint="Send it again.")
        return msgspec.msgpack.decode(content, type=kind)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ArtifactUnreadable(f"The collected run cannot be read: {error}.", hint="Send it again.") from None
