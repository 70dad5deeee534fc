"""dbt Cloud's JSON → model. Every field is optional; one that cannot be read is noted and the rest survives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import msgspec

from headwater.dbtcloud.envelope import NULL, UNREADABLE, Faults, Int64, is_null, read_record
from headwater.dbtcloud.moments import read_moment
from headwater.model.account import Environment, Job, Project
from headwater.model.run import Run, RunStatus, RunStep, Trigger

Moment = str | int | float | None

_DELETED = 2
_WITHOUT_ID = "{}: a record without an id that can be read is left out."
_INVOKES = re.compile(r"\s*Invoke dbt with `(.*)`\s*", re.DOTALL)

_STATUS_BY_NUMBER = {
    1: RunStatus.QUEUED, 2: RunStatus.STARTING, 3: RunStatus.RUNNING,
    10: RunStatus.SUCCESS, 20: RunStatus.ERROR, 30: RunStatus.CANCELLED,
}  # fmt: skip
_NUMBER_BY_NAME = {
    "queued": 1, "starting": 2, "running": 3, "success": 10, "succeeded": 10, "error": 20, "errored": 20, "failed": 20,
    "cancelled": 30, "canceled": 30,
}  # fmt: skip
OPEN_STATUSES = tuple(number for number, status in _STATUS_BY_NUMBER.items() if not status.is_finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as dbt Cloud describes it to a token."""

    account_id: int
    name: str
    plan: str | None = None
    identifier: str | None = None
    is_locked: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The person a personal token acts for."""

    user_id: int | None
    email: str | None = None
    name: str | None = None


class _AccountRecord(msgspec.Struct):
    id: Int64 | None = None
    name: str | None = None
    plan: str | None = None
    identifier: str | None = None
    locked: bool | None = None
    state: Int64 | None = None


class _UserRecord(msgspec.Struct):
    id: Int64 | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class _WhoAmIRecord(msgspec.Struct):
    user: msgspec.Raw = NULL


class _ProjectRecord(msgspec.Struct):
    id: Int64 | None = None
    name: str | None = None
    state: Int64 | None = None


class _EnvironmentRecord(msgspec.Struct):
    id: Int64 | None = None
    project_id: Int64 | None = None
    name: str | None = None
    deployment_type: str | None = None
    type: str | None = None
    state: Int64 | None = None


class _ScheduleRecord(msgspec.Struct):
    cron: str | None = None


class _TriggersRecord(msgspec.Struct):
    schedule: bool | None = None


class _JobRecord(msgspec.Struct):
    id: Int64 | None = None
    project_id: Int64 | None = None
    environment_id: Int64 | None = None
    name: str | None = None
    execute_steps: list[str] | None = None
    schedule: msgspec.Raw = NULL
    triggers: msgspec.Raw = NULL
    job_type: str | None = None
    generate_docs: bool | None = None
    run_generate_sources: bool | None = None
    generate_sources: bool | None = None
    state: Int64 | None = None
    updated_at: Moment = None


class _TriggerRecord(msgspec.Struct):
    cause: str | None = None
    cause_category: str | None = None
    git_branch: str | None = None
    git_sha: str | None = None
    github_pull_request_id: Int64 | None = None
    gitlab_merge_request_id: Int64 | None = None
    azure_pull_request_id: Int64 | None = None
    non_native_pull_request_id: Int64 | None = None
    pull_request_id: Int64 | None = None
    schema_override: str | None = None


class _CommandRecord(msgspec.Struct):
    dbt_command: str | None = None


class _StepRecord(msgspec.Struct):
    index: Int64 | None = None
    name: str | None = None
    status: int | str | None = None
    status_humanized: str | None = None
    logs: str | None = None
    started_at: Moment = None
    finished_at: Moment = None
    run_step_command: msgspec.Raw = NULL


class _RunRecord(msgspec.Struct):
    id: Int64 | None = None
    status: int | str | None = None
    status_humanized: str | None = None
    status_message: str | None = None
    project_id: Int64 | None = None
    environment_id: Int64 | None = None
    job_definition_id: Int64 | None = None
    job_id: Int64 | None = None
    dbt_version: str | None = None
    git_branch: str | None = None
    git_sha: str | None = None
    trigger: msgspec.Raw = NULL
    created_at: Moment = None
    updated_at: Moment = None
    dequeued_at: Moment = None
    started_at: Moment = None
    finished_at: Moment = None
    retrying_run_id: Int64 | None = None
    artifacts_saved: bool | None = None
    href: str | None = None
    run_steps: list[msgspec.Raw] | None = None


def read_account(raw: msgspec.Raw, faults: Faults) -> Account | None:
    """Read an account."""
    record = read_record(raw, _AccountRecord, "account", faults)
    if record is None or record.id is None:
        faults.append(_WITHOUT_ID.format("account"))
        return None
    return Account(
        account_id=record.id, name=record.name or f"account {record.id}", plan=record.plan,
        identifier=record.identifier, is_locked=bool(record.locked), is_deleted=record.state == _DELETED,
    )  # fmt: skip


def read_user(raw: msgspec.Raw, faults: Faults) -> User | None:
    """Read who a personal token acts for."""
    outer = read_record(raw, _WhoAmIRecord, "whoami", faults) or _WhoAmIRecord()
    record = read_record(outer.user, _UserRecord, "user", faults)
    if record is None or (record.id is None and record.email is None):
        return None
    name = " ".join(part for part in (record.first_name, record.last_name) if part)
    return User(user_id=record.id, email=record.email, name=name or None)


def read_project(raw: msgspec.Raw, faults: Faults) -> Project | None:
    """Read a project."""
    record = read_record(raw, _ProjectRecord, "project", faults)
    if record is None or record.id is None:
        faults.append(_WITHOUT_ID.format("project"))
        return None
    return Project(
        project_id=record.id, name=record.name or f"project {record.id}", is_deleted=record.state == _DELETED
    )


def read_environment(raw: msgspec.Raw, faults: Faults) -> Environment | None:
    """Read an environment."""
    record = read_record(raw, _EnvironmentRecord, "environment", faults)
    if record is None or record.id is None:
        faults.append(_WITHOUT_ID.format("environment"))
        return None
    return Environment(
        environment_id=record.id, project_id=record.project_id, name=record.name or f"environment {record.id}",
        deployment_type=record.deployment_type, kind=record.type, is_deleted=record.state == _DELETED,
    )  # fmt: skip


def read_job(raw: msgspec.Raw, faults: Faults) -> Job | None:
    """Read a job; one whose schedule is switched off has no cron here, although dbt Cloud keeps it."""
    record = read_record(raw, _JobRecord, "job", faults)
    if record is None or record.id is None:
        faults.append(_WITHOUT_ID.format("job"))
        return None
    where = f"job {record.id}"
    schedule = read_record(record.schedule, _ScheduleRecord, where, faults) or _ScheduleRecord()
    triggers = read_record(record.triggers, _TriggersRecord, where, faults) or _TriggersRecord()
    return Job(
        job_id=record.id,
        project_id=record.project_id,
        environment_id=record.environment_id,
        name=record.name or where,
        commands=tuple(record.execute_steps or ()),
        cron=None if triggers.schedule is False else schedule.cron,
        job_type=record.job_type,
        generates_docs=bool(record.generate_docs),
        generates_sources=bool(record.run_generate_sources or record.generate_sources),
        is_deleted=record.state == _DELETED,
        updated_at=_moment(record.updated_at, where, "updated_at", faults),
    )


def read_run(raw: msgspec.Raw, faults: Faults, *, run_id: int | None = None) -> Run | None:
    """Read a run; `run_id` is the one that was asked for, if the record should have none."""
    record = read_record(raw, _RunRecord, "run", faults)
    found_id = None if record is None else record.id if record.id is not None else run_id
    if record is None or found_id is None:
        faults.append(_WITHOUT_ID.format("run"))
        return None
    where = f"run {found_id}"
    code, status = _read_status(record.status, record.status_humanized)
    return Run(
        run_id=found_id,
        status=status,
        status_code=code,
        status_message=record.status_message,
        project_id=record.project_id,
        environment_id=record.environment_id,
        job_id=record.job_definition_id if record.job_definition_id is not None else record.job_id,
        dbt_version=record.dbt_version,
        git_branch=record.git_branch,
        git_sha=record.git_sha,
        trigger=_read_trigger(record.trigger, where, faults),
        created_at=_moment(record.created_at, where, "created_at", faults),
        updated_at=_moment(record.updated_at, where, "updated_at", faults),
        dequeued_at=_moment(record.dequeued_at, where, "dequeued_at", faults),
        started_at=_moment(record.started_at, where, "started_at", faults),
        finished_at=_moment(record.finished_at, where, "finished_at", faults),
        retrying_run_id=record.retrying_run_id,
        artifacts_saved=bool(record.artifacts_saved),
        href=record.href,
        steps=_read_steps(record.run_steps or [], where, faults),
    )


def read_artifact_path(raw: msgspec.Raw, faults: Faults) -> str | None:
    """Read a path of the list of artifacts; one that would lead out of the run's folder is left out."""
    try:
        path = msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        faults.append("The list of artifacts holds something that is not a path.")
        return None
    if not is_artifact_path(path):
        faults.append("The list of artifacts holds a path that leads out of the run.")
        return None
    return path


def is_artifact_path(path: str) -> bool:
    """Tell whether a path stays inside a run's target folder."""
    return bool(path) and path.isprintable() and not {"", ".", ".."} & set(path.split("/")) and "\\" not in path


def read_command(name: str | None, dbt_command: str | None) -> str | None:
    """Give a step's dbt command line, from dbt Cloud's own field or out of the step's name."""
    if dbt_command and dbt_command.strip():
        return dbt_command.strip()
    found = _INVOKES.fullmatch(name or "")
    return (found.group(1).strip() or None) if found else None


def _read_trigger(raw: msgspec.Raw, where: str, faults: Faults) -> Trigger | None:
    if is_null(raw):
        return None
    record = read_record(raw, _TriggerRecord, f"{where}, trigger", faults)
    if record is None:
        return None
    requests = (
        record.github_pull_request_id, record.gitlab_merge_request_id, record.azure_pull_request_id,
        record.non_native_pull_request_id, record.pull_request_id,
    )  # fmt: skip
    return Trigger(
        category=record.cause_category, cause=record.cause, git_branch=record.git_branch, git_sha=record.git_sha,
        pull_request_id=next((number for number in requests if number is not None), None),
        schema_override=record.schema_override,
    )  # fmt: skip


def _read_steps(items: list[msgspec.Raw], where: str, faults: Faults) -> tuple[RunStep, ...]:
    steps: dict[int, RunStep] = {}
    for position, item in enumerate(items, start=1):
        place = f"{where}, step {position}"
        record = read_record(item, _StepRecord, place, faults)
        if record is None:
            continue
        if record.index is None:
            faults.append(f"{place}: no index; the next one is taken.")
        index = record.index if record.index is not None else max(steps, default=0) + 1
        command = read_record(record.run_step_command, _CommandRecord, place, faults) or _CommandRecord()
        steps[index] = RunStep(
            index=index,
            name=record.name or f"step {index}",
            status=_read_status(record.status, record.status_humanized)[1],
            command=read_command(record.name, command.dbt_command),
            started_at=_moment(record.started_at, place, "started_at", faults),
            finished_at=_moment(record.finished_at, place, "finished_at", faults),
            log=record.logs,
        )
    return tuple(steps[index] for index in sorted(steps))


def _read_status(value: int | str | None, humanized: str | None) -> tuple[int | None, RunStatus]:
    code = value if isinstance(value, int) else None
    if code is None:
        text = (value if isinstance(value, str) else humanized or "").strip().lower()
        code = int(text) if text.isdecimal() and len(text) < 10 else _NUMBER_BY_NAME.get(text)
    return code, _STATUS_BY_NUMBER.get(code, RunStatus.UNKNOWN) if code is not None else RunStatus.UNKNOWN


def _moment(value: Moment, where: str, name: str, faults: Faults) -> datetime | None:
    try:
        return read_moment(value)
    except ValueError:
        faults.append(f"{where}: {name} is not a point in time.")
        return None
