"""run_results.json: what one dbt command did to each node."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from headwater.artifacts._json import NOTHING, REFUSED, Data, Faults, Shape, entries, is_absent, no_garbage_collection
from headwater.artifacts._values import as_integer, believable_time, capped, read_any, read_span, read_time
from headwater.artifacts.metadata import open_artifact
from headwater.model.invocation import EXECUTION_STATUSES, NOT_EXECUTING, Execution, RunResults


class _Timing(msgspec.Struct, gc=False):
    name: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class _OddTiming(msgspec.Struct, gc=False):
    """A phase whose times are no RFC 3339."""

    name: str | None = None
    started_at: str | None = None
    completed_at: str | None = None


class _Response(msgspec.Struct, gc=False):
    rows_affected: int | float | str | None = None
    bytes_processed: int | float | str | None = None
    query_id: str | None = None
    job_id: str | None = None


class _Result(msgspec.Struct, gc=False):
    status: str | None = None
    timing: Sequence[_Timing | _OddTiming] | None = None
    thread_id: str | None = None
    execution_time: float | None = None
    adapter_response: _Response | None = None
    message: str | int | float | None = None
    failures: int | None = None
    unique_id: str | None = None
    compiled_code: str | None = None
    relation_name: str | None = None


class _UsualResult(_Result, gc=False):
    timing: list[_Timing] | None = None


class _OddResult(_Result, gc=False):
    timing: list[_OddTiming] | None = None


class _Args(msgspec.Struct):
    which: str | None = None
    rpc_method: str | None = None
    command: str | None = None
    vars: Raw = NOTHING


_args_shape = Shape(_Args)
_odd_result_shape = Shape(_OddResult)
_decode_results = msgspec.json.Decoder(list[_UsualResult]).decode
_NO_RESPONSE = _Response()
_SECRET = re.compile("secret|passw|token|credential|(api|private|access)_?key", re.IGNORECASE)
_MOST_VARIABLES = 200
_LONGEST_VARIABLE = 200


def read_run_results(data: Data) -> RunResults:
    """Read a run_results.json of any dbt version; what cannot be read of it is in `faults`.

    A command that executes nothing (compile, docs generate, …) has no executions. Raises ArtifactUnreadable where
    the file is no JSON object or another artifact.
    """
    faults = Faults()
    with no_garbage_collection():
        metadata, fields = open_artifact(data, "run_results", faults)
        args = _args(fields.get("args", NOTHING), faults)
        command = args.which or args.rpc_method or args.command or ""
        is_executing = command not in NOT_EXECUTING
        executions = _executions(fields.get("results", NOTHING), faults) if is_executing else {}
        return RunResults(
            metadata=metadata,
            command=command,
            elapsed=read_span(read_elapsed(fields, faults), faults, "elapsed_time"),
            executions=tuple(executions.values()),
            is_executing=is_executing,
            unknown_statuses=tuple(
                [each.status for each in executions.values() if each.status not in EXECUTION_STATUSES]
            ),
            variables=_variables(args.vars),
            faults=faults.listed(),
        )


def read_elapsed(fields: dict[str, Raw], faults: Faults) -> float | None:
    """Read the seconds a command took; Fusion writes the sum of its nodes' there."""
    raw = fields.get("elapsed_time", NOTHING)
    if is_absent(raw):
        return None
    value = read_any(raw)
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add("elapsed_time is not a number and is left out.")
        return None
    return float(value)


def _args(raw: Raw, faults: Faults) -> _Args:
    """Read how dbt was called; the command is as dbt names it (`generate` for docs generate)."""
    return (None if is_absent(raw) else _args_shape.read(raw, "args", faults)) or _Args()


def _variables(raw: Raw) -> dict[str, str] | None:
    """Give what `--vars` said; what looks like a secret by its name keeps only that.

    Before dbt 1.5 it is a text, in YAML; one that is no JSON counts as a single variable.
    """
    found = None if is_absent(raw) else read_any(raw)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            found = {"--vars": found}
    if not isinstance(found, dict):
        return None
    listed = list(found.items())[:_MOST_VARIABLES]
    return {str(name)[:200]: "hidden" if _SECRET.search(str(name)) else _text(value) for name, value in listed}


def _text(value: object) -> str:
    return (value if isinstance(value, str) else json.dumps(value, sort_keys=True))[:_LONGEST_VARIABLE]


def _executions(raw: Raw, faults: Faults) -> dict[str, Execution]:
    executions: dict[str, Execution] = {}
    for index, said in enumerate(_results(raw, faults)):
        if said is None:
            continue
        if not said.unique_id or not said.status:
            faults.add(f"results[{index}] has no {'status' if said.unique_id else 'unique_id'} and is left out.")
            continue
        if executions.pop(said.unique_id, None) is not None:
            faults.add(f"{said.unique_id} has several results; the last one is kept.")
        executions[said.unique_id] = _execution(said.unique_id, said.status, said, faults)
    return executions


def _results(raw: Raw, faults: Faults) -> Sequence[_Result | None]:
    """Decode the results in one pass, or one by one where one of them is not as dbt writes it."""
    if is_absent(raw):
        return ()
    try:
        return _decode_results(raw)
    except REFUSED:
        listed = enumerate(entries(raw, "results", faults))
        return [_odd_result_shape.read(entry, f"results[{index}]", faults) for index, entry in listed]


def _execution(unique_id: str, status: str, said: _Result, faults: Faults) -> Execution:
    started_at = executing_at = finished_at = None
    for phase in said.timing or ():
        start = _time(phase.started_at, faults, unique_id, "started_at")
        end = _time(phase.completed_at, faults, unique_id, "completed_at")
        if start is not None:
            started_at = start if started_at is None else min(start, started_at)
            executing_at = start if phase.name == "execute" else executing_at
        if end is not None:
            finished_at = end if finished_at is None else max(end, finished_at)
    response = said.adapter_response or _NO_RESPONSE
    message = said.message
    return Execution(
        unique_id=unique_id,
        status=status.lower(),
        started_at=started_at,
        finished_at=finished_at,
        executing_at=executing_at,
        elapsed=read_span(said.execution_time, faults, unique_id, "execution_time"),
        thread=said.thread_id,
        message=None if message is None else capped(str(message)),
        failures=None if said.failures is None else as_integer(said.failures),
        rows_affected=None if response.rows_affected is None else _count(response.rows_affected),
        bytes_processed=None if response.bytes_processed is None else _count(response.bytes_processed),
        query_id=response.query_id or response.job_id,
        relation_name=said.relation_name,
        compiled_code=said.compiled_code,
    )


def _time(found: datetime | str | None, faults: Faults, *where: str) -> datetime | None:
    if found is None or isinstance(found, str):
        return read_time(found, faults, *where)
    return found if found.tzinfo is UTC and 1970 <= found.year <= 2200 else believable_time(found, faults, *where)


def _count(found: float | str) -> int | None:
    """Read a count; adapters write -1 where they do not know, and text where they feel like it."""
    number = as_integer(found)
    return number if number is not None and number >= 0 else None
