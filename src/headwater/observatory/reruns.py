"""Which command builds again what suffers, in which jobs it stands, and how long it should take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection

from headwater.analysis.rerun import Selection, estimate_time, select_rerun
from headwater.model.consequence import Affected, Rerun, Suffering
from headwater.model.lineage import NodeAddress
from headwater.observatory.lineage import Estate, name_of, scope_of
from headwater.observatory.missed import BUILT
from headwater.observatory.past import Past
from headwater.store.build_queries import Span, list_spans
from headwater.store.lineage_rows import LineageRow
from headwater.store.run_places import list_good_runs
from headwater.store.writing import Scope

_LOOKED_AT = 3
_MOST_JOBS = 4
_MANY = 4


def plan_reruns(
    tx: Connection,
    estate: Estate,
    suffering: Mapping[NodeAddress, Affected],
    parents: Mapping[NodeAddress, tuple[NodeAddress, ...]],
    tests: Sequence[NodeAddress],
    past: Past,
    now: datetime,
) -> tuple[Rerun, ...]:
    """Plan what to build again, a command for each project, in the order in which they feed each other."""
    by_scope: defaultdict[Scope, list[NodeAddress]] = defaultdict(list)
    for address in parents:
        found = suffering.get(address)
        is_built = address in past.node_keys
        if found is not None and is_built and found.suffers is not Suffering.READS_BAD_DATA:
            by_scope[scope_of(address)].append(address)
    return tuple(
        _plan(tx, estate, wanted, suffering, parents, [test for test in tests if scope_of(test) == scope], past, now)
        for scope, wanted in by_scope.items()
    )


def _plan(
    tx: Connection,
    estate: Estate,
    wanted: list[NodeAddress],
    suffering: Mapping[NodeAddress, Affected],
    parents: Mapping[NodeAddress, tuple[NodeAddress, ...]],
    tests: list[NodeAddress],
    past: Past,
    now: datetime,
) -> Rerun:
    scope = scope_of(wanted[0])
    chosen = set(wanted)
    below = [
        address
        for address in estate.lineage.below(wanted)
        if address in past.node_keys and address in parents and scope_of(address) == scope
    ]
    harmless = frozenset(suffering) - chosen
    selection = select_rerun(wanted, below, parents, harmless)
    job_ids = _list_jobs(wanted, past, now)
    vouching = [test for test in tests if any(parent in chosen for parent in estate.lineage.parents(test))]
    edges = {**parents, **{test: estate.lineage.parents(test) for test in vouching}}
    spans, threads = _read_spans(tx, [*wanted, *vouching], past, job_ids, now)
    rows = {address: row for address in below if (row := estate.row(address)) is not None}
    if len(selection.with_below) >= _MANY and chosen >= _list_built(estate, scope):
        selection = Selection()
    return Rerun(
        project_id=scope.project_id,
        environment_id=scope.environment_id,
        select=(
            *(f"{_selector(rows[address])}+" for address in selection.with_below),
            *(_selector(rows[address]) for address in selection.alone),
        ),
        exclude=tuple(_selector(rows[address]) for address in selection.excluded),
        nodes=tuple(wanted),
        job_ids=job_ids,
        expected=estimate_time([*wanted, *vouching], edges, spans, threads),
    )


def _list_built(estate: Estate, scope: Scope) -> set[NodeAddress]:
    """Give all that dbt builds in a place; where all of it is to be built, nothing need be selected."""
    held = estate.held[scope]
    return {
        held.address(row.unique_id)
        for row in held.rows.values()
        if row.resource_type in BUILT and not row.is_ephemeral and row.unique_id not in held.imported
    }


def _selector(row: LineageRow) -> str:
    return name_of(row)


def _list_jobs(wanted: Iterable[NodeAddress], past: Past, now: datetime) -> tuple[int, ...]:
    """List the jobs that build some nodes, the one that builds the most first."""
    outcomes = (past.at(address, now) for address in wanted)
    counts = Counter(outcome.job_id for outcome in outcomes if outcome is not None and outcome.job_id is not None)
    return tuple(job_id for job_id, _ in counts.most_common())


def _read_spans(
    tx: Connection, nodes: Sequence[NodeAddress], past: Past, job_ids: Sequence[int], now: datetime
) -> tuple[dict[NodeAddress, timedelta], int]:
    """Read how long nodes took in the last good runs of their jobs, in the middle, and on how many threads."""
    runs = [
        run_id
        for job_id in job_ids[:_MOST_JOBS]
        for run_id in list_good_runs(tx, past.account_key, job_id, now, limit=_LOOKED_AT)
    ]
    keys = {past.node_keys[address]: address for address in nodes if address in past.node_keys}
    taken: defaultdict[NodeAddress, list[float]] = defaultdict(list)
    threads: defaultdict[int, set[str]] = defaultdict(set)
    for span in list_spans(tx, past.account_key, keys, runs):
        taken[keys[span.node_key]].append(span.elapsed.total_seconds())
        _note_thread(threads, span)
    spans = {address: timedelta(seconds=median(seconds)) for address, seconds in taken.items()}
    return spans, max((len(names) for names in threads.values()), default=1)


def _note_thread(threads: defaultdict[int, set[str]], span: Span) -> None:
    if span.thread:
        threads[span.invocation_key].add(span.thread)
