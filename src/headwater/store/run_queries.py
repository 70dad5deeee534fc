"""Asking for runs: pages of them, one with all that belongs to it, and what changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
)

from headwater.errors import NotKnown
from headwater.model.observed import Told, unpack_sources
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep, Way
from headwater.store.invocation_queries import list_run_executions, list_run_freshness, list_run_invocations
from headwater.store.rows import Amendment, ExecutionRow, Observation, RunDetail, RunPage, RunRow
from headwater.store.runs import list_artifact_records, read_run, read_step
from headwater.store.schema import (
    accounts,
    environments,
    invocations,
    jobs,
    observations,
    projects,
    run_amendments,
    run_steps,
    runs,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are meant; None asks for all. Times bound where a run stands: from (included) until (left out).

    `text` is looked for in the job's name, and is the id of a job or a run where it is a number.
    """

    account_keys: tuple[int, ...] | None = None
    project_id: int | None = None
    environment_id: int | None = None
    job_id: int | None = None
    run_id: int | None = None
    statuses: tuple[RunStatus, ...] | None = None
    trigger_category: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    text: str | None = None


_ALL = RunFilter()


def list_runs(tx: Connection, wanted: RunFilter = _ALL, *, limit: int | None = 50, offset: int = 0) -> RunPage:
    """List runs, newest first, in four queries whatever the size of the page; no limit lists them all."""
    where = _conditions(wanted)
    total = tx.execute(select(func.count()).select_from(_joined()).where(*where)).scalar_one()
    return RunPage(total=total, runs=_read_page(tx, where, limit, offset))


def list_changed_runs(tx: Connection, since: Mapping[int, int]) -> tuple[RunRow, ...]:
    """List the runs that changed after the revisions of `read_revisions`; an account not named there is left out."""
    changed = [and_(runs.c.account_key == key, runs.c.revision > revision) for key, revision in since.items()]
    return _read_page(tx, [or_(false(), *changed)], None, 0)


def get_run_detail(
    tx: Connection, account_key: int, run_id: int, *, known: tuple[ExecutionRow, ...] | None = None
) -> RunDetail:
    """Give one run with everything that is kept of it; its executions are not read again where they are `known`.

    Raises:
        NotKnown: it is not stored.
    """
    page = _read_page(tx, _conditions(RunFilter(account_keys=(account_key,), run_id=run_id)), 1, 0, with_steps=True)
    if not page:
        raise NotKnown(f"Run {run_id} is not stored.", hint="headwater runs lists what is.")
    return RunDetail(
        row=page[0],
        observations=tuple(_list_observations(tx, account_key, run_id)),
        amendments=tuple(_list_amendments(tx, account_key, run_id)),
        artifacts=tuple(list_artifact_records(tx, account_key, run_id)),
        invocations=tuple(list_run_invocations(tx, account_key, run_id)),
        executions=tuple(list_run_executions(tx, account_key, run_id)) if known is None else known,
        freshness=tuple(list_run_freshness(tx, account_key, run_id)),
        supplied_by=_list_supplied(tx, page[0]),
    )


def list_job_runs(tx: Connection, account_key: int, job_id: int, until: datetime, *, limit: int) -> tuple[Run, ...]:
    """List the last runs of a job before a moment, newest first, without steps and names."""
    asked = {"of_account": account_key, "of_job": job_id, "until": until, "most": limit}
    return tuple(read_run(row) for row in tx.execute(_OF_JOB, asked))


_OF_JOB = (
    select(runs)
    .where(
        runs.c.account_key == bindparam("of_account"),
        runs.c.job_id == bindparam("of_job"),
        runs.c.placed_at < bindparam("until"),
    )
    .order_by(runs.c.placed_at.desc(), runs.c.run_id.desc())
    .limit(bindparam("most", type_=Integer))
)


def list_run_steps(tx: Connection, account_key: int, run_id: int) -> list[RunStep]:
    """List the steps of a run by index."""
    return [read_step(row) for row in tx.execute(_STEPS, {"of_account": account_key, "of_run": run_id})]


_STEPS = (
    select(run_steps)
    .where(run_steps.c.account_key == bindparam("of_account"), run_steps.c.run_id == bindparam("of_run"))
    .order_by(run_steps.c.step_index)
)


def find_run_accounts(tx: Connection, run_id: int) -> list[int]:
    """Find the accounts that have a run with this id."""
    return list(tx.execute(select(runs.c.account_key).where(runs.c.run_id == run_id)).scalars())


def _conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    pairs = (
        (runs.c.project_id, wanted.project_id),
        (runs.c.environment_id, wanted.environment_id),
        (runs.c.job_id, wanted.job_id),
        (runs.c.run_id, wanted.run_id),
        (runs.c.trigger_category, wanted.trigger_category),
    )
    where: list[ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    if wanted.account_keys is not None:
        where.append(runs.c.account_key.in_(wanted.account_keys))
    if wanted.statuses is not None:
        where.append(runs.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.created_from is not None:
        where.append(runs.c.placed_at >= wanted.created_from)
    if wanted.created_until is not None:
        where.append(runs.c.placed_at < wanted.created_until)
    if wanted.text:
        where.append(_matches(wanted.text))
    return where


def _matches(words: str) -> ColumnElement[bool]:
    named = func.lower(jobs.c.name).contains(words.lower(), autoescape=True)
    if words.isascii() and words.isdigit():
        return or_(named, runs.c.job_id == int(words), runs.c.run_id == int(words))
    return named


def _joined() -> FromClause:
    same = runs.c.account_key
    return (
        runs.join(accounts, accounts.c.account_key == same)
        .outerjoin(jobs, (jobs.c.account_key == same) & (jobs.c.job_id == runs.c.job_id))
        .outerjoin(projects, (projects.c.account_key == same) & (projects.c.project_id == runs.c.project_id))
        .outerjoin(
            environments,
            (environments.c.account_key == same) & (environments.c.environment_id == runs.c.environment_id),
        )
    )


def _read_page(
    tx: Connection,
    where: list[ColumnElement[bool]],
    limit: int | None,
    offset: int,
    *,
    with_steps: bool = False,
) -> tuple[RunRow, ...]:
    names = (
        accounts.c.name.label("account_name"),
        jobs.c.name.label("job_name"),
        jobs.c.is_deleted.label("is_job_deleted"),
        projects.c.name.label("project_name"),
        environments.c.name.label("environment_name"),
    )
    rows = tx.execute(_cut(select(runs, *names), where, limit, offset)).all()
    page = _cut(select(runs.c.account_key, runs.c.run_id), where, limit, offset).subquery()
    ways = _list_ways(tx, page)
    counts = _count_nodes(tx, page)
    steps = _list_steps(tx, page) if with_steps else {}
    return tuple(
        _run_row(
            row,
            ways[row.account_key, row.run_id],
            counts[row.account_key, row.run_id],
            tuple(steps.get(row.run_id, ())),
        )
        for row in rows
    )


def _cut(query: Select[Any], where: list[ColumnElement[bool]], limit: int | None, offset: int) -> Select[Any]:
    order = (runs.c.placed_at.desc(), runs.c.account_key.desc(), runs.c.run_id.desc())
    ordered = query.select_from(_joined()).where(*where).order_by(*order)
    return ordered if limit is None else ordered.limit(limit).offset(offset)


def _list_ways(tx: Connection, page: Subquery) -> Mapping[tuple[int, int], set[str]]:
    ways: dict[tuple[int, int], set[str]] = defaultdict(set)
    query = select(observations.c.account_key, observations.c.run_id, observations.c.way)
    for account_key, run_id, way in tx.execute(query.select_from(_beside(observations, page))):
        ways[account_key, run_id].add(way)
    return ways


def _count_nodes(tx: Connection, page: Subquery) -> Mapping[tuple[int, int], Counter[str]]:
    counts: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    query = select(invocations.c.account_key, invocations.c.run_id, invocations.c.status_counts)
    for account_key, run_id, counted in tx.execute(query.select_from(_beside(invocations, page))):
        counts[account_key, run_id].update(counted)
    return counts


def _list_steps(tx: Connection, page: Subquery) -> Mapping[int, list[RunStep]]:
    steps: dict[int, list[RunStep]] = defaultdict(list)
    query = select(run_steps).select_from(_beside(run_steps, page)).order_by(run_steps.c.step_index)
    for row in tx.execute(query):
        steps[row.run_id].append(read_step(row))
    return steps


def _beside(table: Any, page: Subquery) -> FromClause:
    joined: FromClause = page.join(
        table, (table.c.account_key == page.c.account_key) & (table.c.run_id == page.c.run_id)
    )
    return joined


def _run_row(row: Any, ways: set[str], counts: Mapping[str, int], steps: tuple[RunStep, ...]) -> RunRow:
    return RunRow(
        account_key=row.account_key,
        account_name=row.account_name,
        run=read_run(row, steps),
        job_name=row.job_name,
        is_job_deleted=bool(row.is_job_deleted),
        project_name=row.project_name,
        environment_name=row.environment_name,
        placed_at=row.placed_at,
        first_seen_at=row.first_seen_at,
        stored_at=row.stored_at,
        revision=row.revision,
        observed_by=tuple(way for way in Way if way.value in ways),
        node_counts=dict(counts),
    )


def _list_observations(tx: Connection, account_key: int, run_id: int) -> list[Observation]:
    here = (observations.c.account_key == account_key) & (observations.c.run_id == run_id)
    order = (observations.c.first_seen_at, observations.c.way, observations.c.context_hash)
    return [
        Observation(
            way=Way(row.way),
            first_seen_at=row.first_seen_at,
            context=None if row.context is None else AirflowContext(**row.context),
        )
        for row in tx.execute(select(observations).where(here).order_by(*order))
    ]


def _list_supplied(tx: Connection, row: RunRow) -> Mapping[Way, tuple[Told, ...]]:
    here = (runs.c.account_key == row.account_key) & (runs.c.run_id == row.run.run_id)
    packed = tx.execute(select(runs.c.sources).where(here)).scalar()
    supplied: dict[Way, list[Told]] = defaultdict(list)
    for name, source in unpack_sources(packed or {}, row.run).items():
        supplied[source.way].append(name)
    return {way: tuple(supplied[way]) for way in Way if way in supplied}


def _list_amendments(tx: Connection, account_key: int, run_id: int) -> list[Amendment]:
    here = (run_amendments.c.account_key == account_key) & (run_amendments.c.run_id == run_id)
    return [
        Amendment(
            from_status=RunStatus(row.from_status),
            to_status=RunStatus(row.to_status),
            way=Way(row.way),
            noticed_at=row.noticed_at,
        )
        for row in tx.execute(select(run_amendments).where(here).order_by(run_amendments.c.amendment))
    ]
