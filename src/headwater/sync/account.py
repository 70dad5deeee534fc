"""One pass over one account: what is new, what is open, what was missed, what is to be collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection

from headwater.collect import CollectedRun, collect_artifacts
from headwater.dbtcloud.client import Client
from headwater.dbtcloud.query import RunQuery
from headwater.errors import AnswerUnreadable, DbtCloudError, NotVisible, ServerFault
from headwater.model.artifact import ArtifactRecord, ArtifactState
from headwater.model.run import Run, Way
from headwater.model.sync import SyncState
from headwater.store.database import Store
from headwater.store.filters import LEFT_OUT, get_filter, get_following
from headwater.store.inventory import save_environments, save_jobs, save_projects
from headwater.store.runs import (
    list_artifact_records,
    list_due_artifacts,
    list_known_run_statuses,
    list_newest_runs,
    list_open_runs,
    reopen_artifact,
    save_artifact_records,
    save_run,
)
from headwater.store.sync_states import get_sync_state, save_sync_state
from headwater.store.writing import lock_account
from headwater.sync.plan import (
    DETAIL,
    OVERLAP_RUNS,
    follow_since,
    is_reconcile_due,
    is_structure_due,
    narrow_query,
    next_backfill_window,
    next_overlap,
    reconcile_window,
    retry_detail,
)
from headwater.sync.progress import WRITTEN_AT_ONCE, count_fetched, note_begun, note_done, note_found
from headwater.sync.record import Decoded, PreparedRun, prepare_run, write_run

FanOut = Callable[[Callable[[int], "Collected"], Iterable[int]], Iterator["Collected"]]
"""Applies a function to each run id, in order; builtin `map`, or a pool's that works on several at once."""

Noun = TypeVar("Noun")

_LISTED_AT_ONCE = 100
_PENDING = ArtifactRecord(step_index=0, path=DETAIL, state=ArtifactState.PENDING)
_LEFT_OUT = ArtifactRecord(step_index=0, path=DETAIL, state=ArtifactState.LEFT_OUT, reason=LEFT_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSync:
    """What a pass works with."""

    store: Store
    account_key: int
    client: Client
    fan_out: FanOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A run as it was collected, or why it could not be."""

    run_id: int
    run: CollectedRun | None = None
    error: DbtCloudError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """What a pass brought; `has_more` where there was more to collect than it took."""

    runs_new: int = 0
    runs_updated: int = 0
    runs_collected: int = 0
    artifacts_stored: int = 0
    has_more: bool = False
    faults: tuple[str, ...] = ()

    def __add__(self, other: PassReport) -> PassReport:
        return PassReport(
            runs_new=self.runs_new + other.runs_new,
            runs_updated=self.runs_updated + other.runs_updated,
            runs_collected=self.runs_collected + other.runs_collected,
            artifacts_stored=self.artifacts_stored + other.artifacts_stored,
            has_more=other.has_more,
            faults=self.faults + other.faults,
        )


def sync_account(sync: AccountSync, *, collect_limit: int) -> PassReport:
    """Make one pass: list what is new, open or perhaps missed, then collect up to `collect_limit` runs that are due.

    Whatever it had done when it breaks off is stored, and the next pass goes on from there.

    Raises:
        DbtCloudError: the account as a whole cannot be asked.
        StoreError: the database cannot.
    """
    if is_structure_due(_read_state(sync), sync.store.now()):
        read_structure(sync)
    note_begun(sync.store, sync.account_key)
    report = discover(sync) + follow(sync)
    now = sync.store.now()
    state = _read_state(sync)
    if is_reconcile_due(state, now):
        report += _list_older(sync, RunQuery(created=reconcile_window(state, now)))
        _change_state(sync, lambda known: replace(known, last_reconcile_at=now))
    report += backfill(sync)
    note_found(sync.store, sync.account_key)
    report += collect_due(sync, limit=collect_limit)
    has_more = _has_more(sync)
    if not has_more:
        note_done(sync.store, sync.account_key)
    return report + PassReport(has_more=has_more)


def discover(sync: AccountSync) -> PassReport:
    """List the runs above the newest known ones, a few of them again: ids become visible out of order.

    It begins where the last listing ended, and not at the newest stored run: what webhooks and the SDK bring may lie
    far above, and a filter may have left out all that is near. An account of which nothing was listed is left to the
    backfill, which begins with the newest window.
    """
    state = _read_state(sync)
    if state.newest_run_id is None and state.backfilled_to is None:
        return PassReport()
    lowest = state.overlap_run_id
    if lowest is None:
        with sync.store.read() as tx:
            lowest = min(list_newest_runs(tx, sync.account_key, OVERLAP_RUNS, up_to=state.newest_run_id), default=None)
    return PassReport() if lowest is None else _list_newest(sync, RunQuery(above_id=lowest - 1))


def backfill(sync: AccountSync) -> PassReport:
    """List the next window of history, if there is one left.

    A filter that is widened meanwhile begins anew, and what was listed by the one before it does not count.
    """
    state, now = _read_state(sync), sync.store.now()
    with sync.store.read() as tx:
        chosen = get_filter(tx, sync.account_key)
    window = next_backfill_window(state, now)
    if window is None:
        return PassReport()
    list_runs = _list_newest if state.backfilled_to is None else _list_older
    report = list_runs(sync, RunQuery(created=window))
    with sync.store.write() as tx:
        lock_account(tx, sync.account_key)
        known = get_sync_state(tx, sync.account_key)
        if known.backfilled_to == state.backfilled_to and get_filter(tx, sync.account_key) == chosen:
            save_sync_state(tx, sync.account_key, replace(known, backfilled_to=window[0]))
    return report


def follow(sync: AccountSync) -> PassReport:
    """Read every run again that is not over; one that dbt Cloud no longer shows is left to the reconcile sweep."""
    with sync.store.read() as tx:
        since = follow_since(get_sync_state(tx, sync.account_key), sync.store.now())
        open_runs = list_open_runs(tx, sync.account_key, since)
    if not open_runs:
        return PassReport()
    return save_listed(sync, sync.client.list_runs_by_id(open_runs))


def read_structure(sync: AccountSync) -> None:
    """Read projects, environments and jobs; a kind the token may not read is passed over, runs still tell of it."""
    _read_kind(sync, sync.client.list_projects, save_projects)
    _read_kind(sync, sync.client.list_environments, save_environments)
    _read_kind(sync, sync.client.list_jobs, save_jobs)
    now = sync.store.now()
    _change_state(sync, lambda known: replace(known, structure_read_at=now))


def _read_kind(
    sync: AccountSync, read: Callable[[], tuple[Noun, ...]], save: Callable[[Connection, int, Iterable[Noun]], None]
) -> None:
    try:
        found = read()
    except (NotVisible, ServerFault, AnswerUnreadable):
        return
    with sync.store.write() as tx:
        save(tx, sync.account_key, found)


def collect_due(sync: AccountSync, *, limit: int) -> PassReport:
    """Collect the runs that are over and not complete, newest first; one that fails does not stop the others."""
    now = sync.store.now()
    with sync.store.read() as tx:
        due = list_due_artifacts(tx, sync.account_key, now, limit * 4)
    run_ids = list(dict.fromkeys(artifact.run_id for artifact in due))[:limit]
    report = PassReport()
    prepared: list[PreparedRun] = []
    decoded: Decoded = {}
    for collected in sync.fan_out(lambda run_id: collect_run(sync, run_id), run_ids):
        if collected.run is None:
            report += _note_failure(sync, collected)
            continue
        prepared.append(prepare_run(sync.store, sync.account_key, collected.run, decoded))
        if len(prepared) == WRITTEN_AT_ONCE:
            report += write_collected(sync, prepared, Way.POLL)
            prepared, decoded = [], {}
    return report + write_collected(sync, prepared, Way.POLL)


def collect_run(sync: AccountSync, run_id: int) -> Collected:
    """Ask dbt Cloud for a run, its steps, and its artifacts that are not stored yet."""
    with sync.store.read() as tx:
        stored = frozenset(
            (record.step_index, record.path)
            for record in list_artifact_records(tx, sync.account_key, run_id)
            if record.state is ArtifactState.STORED
        )
    try:
        run = sync.client.get_run(run_id)
        artifacts = (
            collect_artifacts(run, lambda path, step: sync.client.read_artifact(run_id, path, step), stored=stored)
            if run.is_finished
            else ()
        )
    except (NotVisible, ServerFault, AnswerUnreadable) as error:
        return Collected(run_id=run_id, error=error)
    collected = CollectedRun(address=sync.client.address, run=run, artifacts=artifacts, collected_at=sync.store.now())
    return Collected(run_id=run_id, run=collected)


def write_collected(sync: AccountSync, prepared: list[PreparedRun], way: Way) -> PassReport:
    """Write several runs in one transaction: a backfill would otherwise spend its time on commits."""
    if not prepared:
        return PassReport()
    now = sync.store.now()
    with sync.store.write() as tx:
        recorded = [write_run(tx, run, way, now) for run in prepared]
        count_fetched(tx, sync.account_key, len(recorded), now)
    return PassReport(
        runs_collected=len(recorded),
        artifacts_stored=sum(run.artifacts_stored for run in recorded),
        faults=tuple(fault for run in recorded for fault in run.faults),
    )


def _note_failure(sync: AccountSync, collected: Collected) -> PassReport:
    assert collected.error is not None  # noqa: S101  without a run there is an error
    now = sync.store.now()
    with sync.store.write() as tx:
        known = list_artifact_records(tx, sync.account_key, collected.run_id)
        attempts = next((record.attempts for record in known if record.path == DETAIL), 0)
        record = retry_detail(collected.error, attempts, now)
        save_artifact_records(tx, sync.account_key, collected.run_id, (record,))
        count_fetched(tx, sync.account_key, 0, now)
    return PassReport(faults=(f"Run {collected.run_id}: {collected.error}",))


def _list_older(sync: AccountSync, query: RunQuery) -> PassReport:
    return save_listed(sync, _each_run(sync, query))


def _list_newest(sync: AccountSync, query: RunQuery) -> PassReport:
    """List runs up to the newest, and keep the highest ids: the next discovery begins there."""
    listed: list[int] = []
    report = save_listed(sync, _noting_ids(_each_run(sync, query), listed))
    state = _read_state(sync)
    newest = max((*listed, *(() if state.newest_run_id is None else (state.newest_run_id,))), default=None)
    overlap = next_overlap(state.overlap_run_id, listed)
    if (newest, overlap) != (state.newest_run_id, state.overlap_run_id):
        _change_state(sync, lambda known: replace(known, newest_run_id=newest, overlap_run_id=overlap))
    return report


def _each_run(sync: AccountSync, query: RunQuery) -> Iterator[Run]:
    with sync.store.read() as tx:
        chosen = get_filter(tx, sync.account_key)
    return sync.client.each_run(narrow_query(query, chosen))


def _noting_ids(runs: Iterable[Run], listed: list[int]) -> Iterator[Run]:
    for run in runs:
        listed.append(run.run_id)
        yield run


def save_listed(sync: AccountSync, runs: Iterable[Run]) -> PassReport:
    """Save listed runs a page at a time, and mark those that are over as to be collected.

    A run that the filter does not admit is passed over; one that was stored before is read to its end and no further.
    """
    counts: Counter[str] = Counter()
    for page in _each_page(runs):
        now = sync.store.now()
        with sync.store.write() as tx:
            lock_account(tx, sync.account_key)
            for run, is_wanted in _admitted(tx, sync.account_key, page):
                saved = save_run(tx, sync.account_key, run, Way.POLL, now)
                counts["new"] += saved.is_new
                counts["updated"] += saved.changed and not saved.is_new
                if saved.finished_now or saved.is_amended:
                    reopen_artifact(tx, sync.account_key, run.run_id, _PENDING if is_wanted else _LEFT_OUT)
    return PassReport(runs_new=counts["new"], runs_updated=counts["updated"])


def _admitted(tx: Connection, account_key: int, page: list[Run]) -> list[tuple[Run, bool]]:
    """Give the runs of a page that are to be saved, each with whether the filter admits it."""
    following = get_following(tx, account_key)
    judged = [(run, following.wants(run)) for run in page]
    known = list_known_run_statuses(tx, account_key, [run.run_id for run, is_wanted in judged if not is_wanted])
    under_way = {run_id for run_id, (status, _) in known.items() if not status.is_finished}
    return [(run, is_wanted) for run, is_wanted in judged if is_wanted or run.run_id in under_way]


def _each_page(runs: Iterable[Run]) -> Iterator[list[Run]]:
    page: list[Run] = []
    for run in runs:
        page.append(run)
        if len(page) == _LISTED_AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _has_more(sync: AccountSync) -> bool:
    now = sync.store.now()
    with sync.store.read() as tx:
        due = list_due_artifacts(tx, sync.account_key, now, 1)
    return bool(due) or not _read_state(sync).is_backfilled


def _read_state(sync: AccountSync) -> SyncState:
    with sync.store.read() as tx:
        return get_sync_state(tx, sync.account_key)


def _change_state(sync: AccountSync, change: Callable[[SyncState], SyncState]) -> None:
    with sync.store.write() as tx:
        save_sync_state(tx, sync.account_key, change(get_sync_state(tx, sync.account_key)))
