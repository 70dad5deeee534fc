"""`collect_data_from_dbt_cloud`: what an Airflow task, or any Python that has just seen a run finish, calls."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from headwater.collect import CollectedArtifact, CollectedRun, ReadArtifact, collect_artifacts
from headwater.dbtcloud.client import Client
from headwater.dbtcloud.origin import read_origin
from headwater.dbtcloud.retry import RetryPolicy
from headwater.dbtcloud.transport import open_transport
from headwater.errors import HeadwaterError, Unreachable, WrongUse
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import AirflowContext, Run
from headwater.sdk.airflow import find_airflow_context
from headwater.sdk.delivery import Outcome, deliver, read_secret

DEFAULT_API = "https://cloud.getdbt.com"
_POLL_SECONDS = 5.0
_log = logging.getLogger("headwater")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What a call did. `missing` names what dbt Cloud had not got, `error` says why the outcome is not SENT.

    Of the `seconds` it took, `fetching_seconds` went by while dbt Cloud was asked, waiting for the run included.
    """

    run_id: int | None
    outcome: Outcome
    status: str | None = None
    artifacts: int = 0
    missing: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    fetching_seconds: float = 0.0


def collect_data_from_dbt_cloud(
    dbt_cloud_account_id: int | str,
    dbt_cloud_api_token: str,
    dbt_job_run_id: int | str,
    dbt_api_url: str = DEFAULT_API,
    *,
    wait: bool = False,
    timeout: float = 300.0,
    strict: bool = False,
) -> CollectResult:
    """Collect a dbt Cloud run with its artifacts and send it to the Headwater server.

    The names of the arguments are those of Databand's SDK. With `wait` the run is waited for, at most `timeout`
    seconds; without it a run that is not over is sent as it stands. Where the server (`HEADWATER_URL`, with
    `HEADWATER_TOKEN`) is away, the run is kept on disk and sent by the next call. Inside an Airflow task its DAG, task
    and try are recorded.

    Raises:
        HeadwaterError: only with `strict`; otherwise what went wrong is logged and stands in the result.
    """
    request = RunRequest(dbt_cloud_account_id, dbt_cloud_api_token, dbt_job_run_id, dbt_api_url, wait, timeout)
    return collect_run(request, find_airflow_context(os.environ), os.environ, strict=strict)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which run to collect, where from and with which token; `timeout` in seconds bounds it all but the sending."""

    account_id: int | str
    token: str = field(repr=False)
    run_id: int | str
    url: str = DEFAULT_API
    wait: bool = False
    timeout: float = 300.0


def collect_run(
    request: RunRequest, airflow: AirflowContext | None, environ: Mapping[str, str], *, strict: bool = False
) -> CollectResult:
    """Collect a run and send it, or keep it on disk, for a task of Airflow or for none.

    Raises:
        HeadwaterError: only with `strict`; otherwise what went wrong is logged and stands in the result.
    """
    started = time.monotonic()
    try:
        result = _collect_and_send(request, airflow, environ, strict=strict)
    except Exception as error:
        if strict:
            raise
        # The host's task must go on whatever we got wrong; the type says enough and cannot hold the token.
        _log.warning("Headwater collected nothing: %s.", type(error).__name__)
        result = CollectResult(run_id=None, outcome=Outcome.FAILED, error=type(error).__name__)
    return replace(result, seconds=time.monotonic() - started)


def _collect_and_send(
    request: RunRequest, airflow: AirflowContext | None, environ: Mapping[str, str], *, strict: bool
) -> CollectResult:
    run_id: int | None = None
    started = time.monotonic()
    try:
        run_id = _number(request.run_id, "dbt_job_run_id")
        collected = _collect(request, run_id, airflow)
    except HeadwaterError as error:
        if strict:
            raise
        _log.warning("Headwater collected nothing of dbt Cloud run %s: %s", run_id, error)
        return CollectResult(run_id=run_id, outcome=Outcome.FAILED, error=str(error))
    result = replace(_describe(collected), fetching_seconds=time.monotonic() - started)
    delivered = deliver(collected, f"dbt Cloud run {run_id}", environ, strict=strict)
    return replace(result, outcome=delivered.outcome, error=delivered.error)


def _collect(request: RunRequest, run_id: int, airflow: AirflowContext | None) -> CollectedRun:
    until = time.monotonic() + request.timeout
    address = AccountAddress(read_origin(request.url), _number(request.account_id, "dbt_cloud_account_id"))
    with open_transport(deadline=min(request.timeout, 60.0)) as transport:
        client = Client(
            address,
            read_secret(request.token, "dbt_cloud_api_token"),
            transport,
            policy=RetryPolicy(patience=min(request.timeout, 30.0)),
        )
        run = _read_run(client, run_id, wait=request.wait, until=until, sleep=time.sleep)
        artifacts: tuple[CollectedArtifact, ...] = ()
        if run.is_finished:
            artifacts = collect_artifacts(run, _reader(client, run_id, until))
    return CollectedRun(address=address, run=run, artifacts=artifacts, collected_at=datetime.now(UTC), airflow=airflow)


def _reader(client: Client, run_id: int, until: float) -> ReadArtifact:
    """Read artifacts as long as there is time; what is left then is kept as failed, for the monitor to fetch."""

    def read(path: str, step_index: int) -> bytes | None:
        if time.monotonic() >= until:
            raise Unreachable("There was no time left to ask for it.", hint="Give the call a longer timeout.")
        return client.read_artifact(run_id, path, step_index)

    return read


def _read_run(client: Client, run_id: int, *, wait: bool, until: float, sleep: Callable[[float], None]) -> Run:
    run = client.get_run(run_id)
    while wait and not run.is_finished and time.monotonic() + _POLL_SECONDS < until:
        sleep(_POLL_SECONDS)
        run = client.get_run(run_id)
    return run


def _describe(collected: CollectedRun) -> CollectResult:
    missing = tuple(
        f"step {artifact.step_index} {artifact.path}: {artifact.reason}"
        for artifact in collected.artifacts
        if artifact.state is not ArtifactState.STORED
    )
    return CollectResult(
        run_id=collected.run.run_id,
        outcome=Outcome.SENT,
        status=str(collected.run.status),
        artifacts=len(collected.artifacts) - len(missing),
        missing=missing,
    )


def _number(value: int | str, name: str) -> int:
    text = str(value or "").strip()
    if not text.isdecimal():
        raise WrongUse(f"{name} must be a number; it was {'empty' if not text else 'something else'}.")
    return int(text)
