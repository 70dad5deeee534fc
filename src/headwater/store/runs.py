"""Saving runs: observations of one run merge into one row, and what pages count of it is recounted beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
    update,
)

from headwater.model.airflow import read_cause
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.chain import is_another_try, name_airflow_task
from headwater.model.observed import ObservedRun, Source, Told, merge_runs, observe, pack_sources, unpack_sources
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep, Trigger, Way
from headwater.store.accounts import raise_revision
from headwater.store.rows import DueArtifact, Saved
from headwater.store.schema import observations, run_amendments, run_artifacts, run_hours, run_steps, runs
from headwater.store.values import clean_number, clean_text, to_json
from headwater.store.writing import chunks, lock_account, next_key, upsert

_TRIGGER = tuple(field.name for field in fields(Trigger))
_PLAIN = tuple(field.name for field in fields(Run) if field.name not in {"status", "trigger", "steps"})
_LONGEST_COUNTED = 366 * 86_400 * 1_000_000  # µs; keeps sums of absurd times within 63 bits


def _or_zero(column: Any) -> Any:
    return func.coalesce(column, literal_column("0"))


def _micros_between(start: Any, end: Any) -> Any:
    span = type_coerce(end, BigInteger) - type_coerce(start, BigInteger)
    return case((span > _LONGEST_COUNTED, _LONGEST_COUNTED), (span > 0, span), else_=0)


def _here(table: Table) -> tuple[ColumnElement[bool], ...]:
    return (table.c.account_key == bindparam("of_account"), table.c.run_id == bindparam("of_run"))


def _count_hour(of_job: ColumnElement[bool]) -> Any:
    keys = (_or_zero(runs.c.project_id), _or_zero(runs.c.environment_id), runs.c.status)
    query = (
        select(
            runs.c.account_key, runs.c.hour, _or_zero(runs.c.job_id), *keys, func.count(),
            func.sum(_micros_between(runs.c.started_at, runs.c.finished_at)),
            func.sum(_micros_between(runs.c.created_at, runs.c.started_at)),
        )
        .where(runs.c.account_key == bindparam("of_account"), of_job, runs.c.hour == bindparam("of_hour"))
        .group_by(runs.c.account_key, runs.c.hour, _or_zero(runs.c.job_id), *keys)
    )  # fmt: skip
    names = ["account_key", "hour", "job_id", "project_id", "environment_id", "status", "runs", "elapsed", "queued"]
    return insert(run_hours).from_select(names, query)


# The statements of every stored run, built once: building one costs several times what executing it does.
_RUN = select(runs).where(*_here(runs))
_STEPS = select(run_steps).where(*_here(run_steps)).order_by(run_steps.c.step_index)
_ARTIFACTS = (
    select(run_artifacts).where(*_here(run_artifacts)).order_by(run_artifacts.c.step_index, run_artifacts.c.path)
)
_TOUCH = update(runs).where(*_here(runs)).values(revision=bindparam("raised"))
_SEEN = select(observations.c.first_seen_at, observations.c.airflow_task).where(
    *(observations.c[name] == bindparam(name) for name in ("account_key", "run_id", "way", "context_hash"))
)
_FORGET_HOUR = delete(run_hours).where(
    run_hours.c.account_key == bindparam("of_account"),
    run_hours.c.job_id == bindparam("of_job"),
    run_hours.c.hour == bindparam("of_hour"),
)
_COUNT_JOB = _count_hour(runs.c.job_id == bindparam("of_job"))
_COUNT_JOBLESS = _count_hour(runs.c.job_id.is_(None))


def save_run(
    tx: Connection, account_key: int, run: Run, way: Way, now: datetime, *, context: AirflowContext | None = None
) -> Saved:
    """Merge an observation of a run into what is stored; in any order, by any way and however often: one run."""
    lock_account(tx, account_key)
    run = _clean_run(run)
    row = tx.execute(_RUN, {"of_account": account_key, "of_run": run.run_id}).first()
    stored = None if row is None else _read_observed(tx, row, with_steps=bool(run.steps))
    seen = observe(run, way)
    known = None if stored is None else stored.run
    merged = seen if stored is None else merge_runs(stored, seen)
    first_seen_at = now if row is None else min(row.first_seen_at, now)
    facts = _facts(merged.run, first_seen_at)
    facts["is_retry"] = is_another_try(merged.run) or (row is not None and row.is_retry)
    facts["sources"] = pack_sources({**merged.sources, **_sources_of_steps(row, merged.run)})
    was = {} if row is None else {name: row._mapping[name] for name in facts}  # noqa: SLF001 - SQLAlchemy's name
    changed = _save_steps(tx, account_key, merged.run, () if known is None else known.steps)
    is_news = _cause(known) != _cause(run)
    changed |= _save_observation(tx, account_key, run, way, now, context=context, cause_is_news=is_news)
    changed |= facts != was
    if changed:
        facts |= {"stored_at": now, "revision": raise_revision(tx, account_key)}
        upsert(tx, runs, [{"account_key": account_key, "run_id": run.run_id, **facts}])
        for place in {(places["job_id"], places["hour"]) for places in (was, facts) if places}:
            recount_hour(tx, account_key, *place)
    if known is not None and known.is_finished and known.status is not merged.run.status:
        _save_amendment(tx, account_key, merged.run, known.status, way=way, now=now)
    return _say_saved(known, merged.run, changed=changed)


def _say_saved(known: Run | None, merged: Run, *, changed: bool) -> Saved:
    was_finished = known is not None and known.is_finished
    return Saved(
        is_new=known is None,
        changed=changed,
        finished_now=merged.is_finished and not was_finished,
        is_amended=merged.is_finished and was_finished and known is not None and known.updated_at != merged.updated_at,
    )


def _read_observed(tx: Connection, row: Any, *, with_steps: bool) -> ObservedRun:
    """Read what is stored of a run; its steps only where they are to be merged with others."""
    run = read_run(row, _list_steps(tx, row.account_key, row.run_id) if with_steps else ())
    if row.sources is None:
        return observe(run, Way.POLL)
    sources = unpack_sources(row.sources, run)
    return ObservedRun(run, {name: source for name, source in sources.items() if with_steps or isinstance(name, str)})


def _sources_of_steps(row: Any, merged: Run) -> dict[Told, Source]:
    """Give who supplied the steps that were not read because there was nothing to merge them with."""
    if row is None or row.sources is None or merged.steps:
        return {}
    return {name: source for name, source in unpack_sources(row.sources, merged).items() if isinstance(name, int)}


def _clean_run(run: Run) -> Run:
    """Give a run as the database can hold it, so that what is merged is what is kept."""
    changes = {name: _clean(getattr(run, name)) for name in _PLAIN if name != "run_id"}
    trigger = None
    if run.trigger is not None:
        trigger = Trigger(**{name: _clean(getattr(run.trigger, name)) for name in _TRIGGER})
    steps = tuple(
        replace(step, name=_clean(step.name), command=_clean(step.command), log=_clean(step.log)) for step in run.steps
    )
    return replace(run, **changes, trigger=trigger, steps=steps)


def touch_run(tx: Connection, account_key: int, run_id: int) -> None:
    """Count a change of what belongs to a run; the caller holds the account's lock."""
    revision = raise_revision(tx, account_key)
    tx.execute(_TOUCH, {"of_account": account_key, "of_run": run_id, "raised": revision})


def reopen_artifact(tx: Connection, account_key: int, run_id: int, record: ArtifactRecord) -> None:
    """Have something of a run asked for again, also where it was stored: dbt Cloud changed it since."""
    lock_account(tx, account_key)
    upsert(tx, run_artifacts, [{"account_key": account_key, "run_id": run_id, **asdict(record)}])
    touch_run(tx, account_key, run_id)


def save_artifact_records(tx: Connection, account_key: int, run_id: int, records: Iterable[ArtifactRecord]) -> None:
    """Keep how it stands with artifacts of a run; one that was stored stays stored."""
    lock_account(tx, account_key)
    stored = {
        (known.step_index, known.path)
        for known in list_artifact_records(tx, account_key, run_id)
        if known.state is ArtifactState.STORED
    }
    rows = [
        {"account_key": account_key, "run_id": run_id, **asdict(record)}
        for record in records
        if record.state is ArtifactState.STORED or (record.step_index, record.path) not in stored
    ]
    if rows:
        upsert(tx, run_artifacts, rows)
        touch_run(tx, account_key, run_id)


def list_artifact_records(tx: Connection, account_key: int, run_id: int) -> list[ArtifactRecord]:
    """List how it stands with the artifacts of a run."""
    return [_artifact_record(row) for row in tx.execute(_ARTIFACTS, {"of_account": account_key, "of_run": run_id})]


def list_due_artifacts(tx: Connection, account_key: int, now: datetime, limit: int) -> list[DueArtifact]:
    """List artifacts that are to be asked for now, of the newest runs first."""
    columns = run_artifacts.c
    order = (columns.run_id.desc(), columns.step_index, columns.path)
    rows = tx.execute(select(run_artifacts).where(_is_due(account_key, now)).order_by(*order).limit(limit))
    return [DueArtifact(run_id=row.run_id, record=_artifact_record(row)) for row in rows]


def count_runs_to_collect(tx: Connection, account_key: int, now: datetime) -> int:
    """Count the runs of an account of which something is to be asked for now; a later retry does not count."""
    query = select(func.count(run_artifacts.c.run_id.distinct())).where(_is_due(account_key, now))
    return int(tx.execute(query).scalar_one())


def _is_due(account_key: int, now: datetime) -> ColumnElement[bool]:
    columns = run_artifacts.c
    return (
        (columns.account_key == account_key)
        & columns.state.in_([state for state in ArtifactState if state.is_open])
        & (columns.next_attempt_at.is_(None) | (columns.next_attempt_at <= now))
    )


def count_artifacts(tx: Connection) -> dict[tuple[int, str], int]:
    """Count artifacts by account and state."""
    keys = (run_artifacts.c.account_key, run_artifacts.c.state)
    rows = tx.execute(select(*keys, func.count()).group_by(*keys))
    return {(account_key, str(state)): int(count) for account_key, state, count in rows}


def list_open_runs(tx: Connection, account_key: int, since: datetime) -> list[int]:
    """List the ids of the runs of an account that stand after a time and are not finished."""
    unfinished = runs.c.status.in_([status for status in RunStatus if not status.is_finished])
    query = select(runs.c.run_id).where((runs.c.account_key == account_key) & unfinished & (runs.c.placed_at >= since))
    return list(tx.execute(query.order_by(runs.c.run_id)).scalars())


def list_newest_runs(tx: Connection, account_key: int, count: int, *, up_to: int | None = None) -> list[int]:
    """List the highest ids of the runs of an account, the highest first, none of them above `up_to`."""
    query = select(runs.c.run_id).where(runs.c.account_key == account_key).order_by(runs.c.run_id.desc())
    if up_to is not None:
        query = query.where(runs.c.run_id <= up_to)
    return list(tx.execute(query.limit(count)).scalars())


def list_known_run_statuses(
    tx: Connection, account_key: int, run_ids: Iterable[int]
) -> dict[int, tuple[RunStatus, datetime | None]]:
    """Give the status, and dbt Cloud's time of update, of those runs that are stored."""
    known: dict[int, tuple[RunStatus, datetime | None]] = {}
    for some in chunks(run_ids):
        here = (runs.c.account_key == account_key) & runs.c.run_id.in_(some)
        for row in tx.execute(select(runs.c.run_id, runs.c.status, runs.c.updated_at).where(here)):
            known[row.run_id] = (RunStatus(row.status), row.updated_at)
    return known


def count_runs_with_open_artifacts(tx: Connection, account_key: int) -> int:
    """Count the runs that still wait for something to be collected."""
    columns = run_artifacts.c
    is_open = columns.state.in_([state.value for state in ArtifactState if state.is_open])
    query = select(func.count(columns.run_id.distinct())).where((columns.account_key == account_key) & is_open)
    return tx.execute(query).scalar_one()


def recount_hour(tx: Connection, account_key: int, job_id: int | None, hour: datetime) -> None:
    """Count the runs of a job that stand in an hour anew: from the runs, so that a repeat changes nothing."""
    place = {"of_account": account_key, "of_job": job_id or 0, "of_hour": hour}
    tx.execute(_FORGET_HOUR, place)
    tx.execute(_COUNT_JOBLESS if job_id is None else _COUNT_JOB, place)


def read_run(row: Any, steps: tuple[RunStep, ...] = ()) -> Run:
    """Read a run from its row."""
    trigger = Trigger(**{name: getattr(row, f"trigger_{name}") for name in _TRIGGER})
    return Run(
        **{name: getattr(row, name) for name in _PLAIN},
        status=RunStatus(row.status),
        trigger=None if trigger == Trigger() else trigger,
        steps=steps,
    )


def _facts(run: Run, first_seen_at: datetime) -> dict[str, Any]:
    placed_at = run.created_at or run.started_at or first_seen_at
    trigger = run.trigger or Trigger()
    facts = {name: getattr(run, name) for name in _PLAIN if name != "run_id"}
    facts |= {f"trigger_{name}": getattr(trigger, name) for name in _TRIGGER}
    facts |= {"status": run.status.value, "first_seen_at": first_seen_at, "placed_at": placed_at}
    facts["hour"] = placed_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return {name: _clean(value) for name, value in facts.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    return clean_number(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _list_steps(tx: Connection, account_key: int, run_id: int) -> tuple[RunStep, ...]:
    return tuple(read_step(row) for row in tx.execute(_STEPS, {"of_account": account_key, "of_run": run_id}))


def read_step(row: Any) -> RunStep:
    """Read a run step from its row."""
    return RunStep(
        index=row.step_index,
        name=row.name,
        status=RunStatus(row.status),
        command=row.command,
        started_at=row.started_at,
        finished_at=row.finished_at,
        log=row.log,
    )


def _save_steps(tx: Connection, account_key: int, run: Run, stored: tuple[RunStep, ...]) -> bool:
    known = {step.index: _step_facts(step) for step in stored}
    new = [facts for step in run.steps if known.get(step.index) != (facts := _step_facts(step))]
    upsert(tx, run_steps, [{"account_key": account_key, "run_id": run.run_id, **facts} for facts in new])
    return bool(new)


def _step_facts(step: RunStep) -> dict[str, Any]:
    facts = asdict(step) | {"status": step.status.value}
    facts["step_index"] = facts.pop("index")
    return {name: _clean(value) for name, value in facts.items()}


def _save_observation(
    tx: Connection,
    account_key: int,
    run: Run,
    way: Way,
    now: datetime,
    *,
    context: AirflowContext | None,
    cause_is_news: bool,
) -> bool:
    """Save that a run was seen; without a context, the run's cause may tell which Airflow task it belongs to."""
    document = None if context is None else {name: _clean(value) for name, value in asdict(context).items()}
    digest = b"" if document is None else hashlib.blake2b(to_json(document).encode(), digest_size=16).digest()
    key = {"account_key": account_key, "run_id": run.run_id, "way": way.value, "context_hash": digest}
    seen = tx.execute(_SEEN, key).first()
    if seen is not None and seen.first_seen_at <= now and (seen.airflow_task is not None or not cause_is_news):
        return False
    by = context or read_cause(_cause(run))
    facts = {
        "first_seen_at": now if seen is None else min(now, seen.first_seen_at),
        "context": document,
        "airflow_task": (None if by is None else name_airflow_task(by)) or (seen and seen.airflow_task),
    }
    upsert(tx, observations, [{**key, **facts}])
    return seen is None


def _cause(run: Run | None) -> str | None:
    return None if run is None or run.trigger is None else run.trigger.cause


def _save_amendment(
    tx: Connection, account_key: int, run: Run, from_status: RunStatus, *, way: Way, now: datetime
) -> None:
    number = next_key(tx, run_amendments.c.amendment, account_key)
    facts = {"from_status": from_status, "to_status": run.status, "way": way, "noticed_at": now}
    upsert(tx, run_amendments, [{"account_key": account_key, "run_id": run.run_id, "amendment": number, **facts}])


def _artifact_record(row: Any) -> ArtifactRecord:
    facts: Mapping[str, Any] = {field.name: getattr(row, field.name) for field in fields(ArtifactRecord)}
    return ArtifactRecord(**{**facts, "state": ArtifactState(row.state)})
