"""`collect_data_from_dbt_core`: called after dbt Core, or any engine that writes its artifacts, has run."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from headwater.artifacts.target import TargetInvocation, read_target
from headwater.collect import CollectedTarget
from headwater.errors import HeadwaterError, NotKnown, WrongUse
from headwater.sdk.airflow import find_airflow_context
from headwater.sdk.delivery import Outcome, deliver
from headwater.sdk.target import read_folder, target_folder

_log = logging.getLogger("headwater")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedInvocation:
    """One dbt command of a target folder. `status` is None where it executed nothing, as `dbt parse` does.

    `executions` counts its nodes, `freshness` its sources, by dbt's status.
    """

    invocation_id: str
    command: str
    status: str | None
    executions: dict[str, int]
    freshness: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreResult:
    """What a call did. `invocations` are oldest first; `status` is `error` where one of them is, `error` why not SENT.

    `warnings` has what could not be read, and which artifacts do not belong together.
    """

    outcome: Outcome
    status: str | None = None
    invocations: tuple[CollectedInvocation, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0


def collect_data_from_dbt_core(
    dbt_project_path: str | os.PathLike[str], *, strict: bool = False, target_path: str | os.PathLike[str] | None = None
) -> CoreResult:
    """Read what dbt left in a project's target folder and send it to the Headwater server; nothing there is changed.

    The name of the argument is that of Databand's SDK. `target_path` is dbt's `--target-path`; without it
    DBT_TARGET_PATH and dbt_project.yml say where the folder is. Each invocation found there is one of its own. Where
    the server (`HEADWATER_URL`, with `HEADWATER_TOKEN`) is away, it is kept on disk and sent by the next call.

    Raises:
        HeadwaterError: only with `strict`; otherwise what went wrong is logged and stands in the result.
    """
    started = time.monotonic()
    try:
        folder = _find_folder(dbt_project_path, target_path, os.environ)
        collected = read_folder(folder)
        assert collected is not None  # noqa: S101  only where something was there before
        result = send_target(collected, os.environ, strict=strict)
    except HeadwaterError as error:
        if strict:
            raise
        _log.warning("Headwater collected nothing of dbt: %s", error)
        result = CoreResult(outcome=Outcome.FAILED, error=str(error))
    except Exception as error:
        if strict:
            raise
        # The host's task must go on whatever we got wrong.
        _log.warning("Headwater collected nothing of dbt: %s.", type(error).__name__)
        result = CoreResult(outcome=Outcome.FAILED, error=type(error).__name__)
    return replace(result, seconds=time.monotonic() - started)


def send_target(collected: CollectedTarget, environ: Mapping[str, str], *, strict: bool) -> CoreResult:
    """Send what was read from a target folder, with the Airflow task it was read in.

    Raises:
        ArtifactUnreadable: none of the artifacts can be read; nothing is sent.
        HeadwaterError: with `strict`, as `deliver` does.
    """
    bodies = {file.name: file.body for file in collected.files}
    context = frozenset(file.name for file in collected.files if file.is_context)
    target = read_target(bodies, context=context, command=collected.command)
    said = tuple(_describe(one) for one in target.invocations)
    statuses = {one.status for one in said}
    here = replace(collected, airflow=find_airflow_context(environ))
    what = f"dbt's invocations {', '.join(one.invocation_id for one in said)}"
    delivered = deliver(here, what, environ, strict=strict)
    return CoreResult(
        outcome=delivered.outcome,
        status="error" if "error" in statuses else "success" if "success" in statuses else None,
        invocations=said,
        warnings=(*collected.warnings, *target.warnings),
        error=delivered.error,
    )


def _describe(one: TargetInvocation) -> CollectedInvocation:
    return CollectedInvocation(
        invocation_id=one.invocation.invocation_id,
        command=one.invocation.command,
        status=one.status,
        executions=dict(Counter(row.status for row in one.results.executions)) if one.results else {},
        freshness=dict(Counter(row.status for row in one.sources.results)) if one.sources else {},
    )


def _find_folder(project: object, target_path: object, environ: Mapping[str, str]) -> Path:
    if not isinstance(project, str | os.PathLike) or not os.fspath(project):
        raise WrongUse("dbt_project_path must be the folder of a dbt project.")
    if target_path is not None and not isinstance(target_path, str | os.PathLike):
        raise WrongUse("target_path must be a folder.")
    path = Path(os.fsdecode(project)).expanduser()
    if not path.is_dir():
        raise NotKnown(f"{path} is not a folder.", hint="Give the folder with dbt_project.yml.")
    return target_folder(path, environ, os.fsdecode(target_path) if target_path is not None else None)
