"""What the SDK sends is safe once it is accepted, and stored once, by whichever process comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from cloud import make_settings, wait_until_stored
from headwater.collect import CollectedRun, CollectedTarget, TargetFile, encode
from headwater.errors import ArtifactUnreadable, NotAllowed, NotKnown, StoreBusy
from headwater.model.account import ANY_ORIGIN, AccountAddress
from headwater.model.run import Run, RunStatus
from headwater.observatory.accounts import list_accounts
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.inbox import MOST_WAITING, accept, describe_inbox, store_accepted, storing_accepted
from headwater.observatory.inbox_reports import InboxReport
from headwater.observatory.keeping import delete_expired
from headwater.observatory.metrics import read_metrics
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.store import inbox as stored
from headwater.store.schema import inbox

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADDRESS = AccountAddress("https://ab123.us1.dbt.com", 42)
NAME = "account-42"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of every process of a test."""
    return Clock()


@pytest.fixture
def processes(store_url: str, tmp_path: Path, clock: Clock) -> Iterator[tuple[Observatory, Observatory]]:
    """Two processes on one database; neither stores anything by itself."""
    with ExitStack() as stack:
        settings = make_settings(tmp_path, store_url=store_url)
        first, second = (stack.enter_context(open_observatory(settings, clock=clock)) for _ in range(2))
        yield first, second


def pack(run_id: int) -> bytes:
    """Pack a run as the SDK does."""
    run = Run(run_id=run_id, status=RunStatus.SUCCESS, created_at=NOW, updated_at=NOW, finished_at=NOW)
    return encode(CollectedRun(address=ADDRESS, run=run, artifacts=(), collected_at=NOW))


UNREADABLE = encode(CollectedTarget(files=(TargetFile(name="manifest.json", body=b"{"),), collected_at=NOW))
"""Packed well; but of what is in it nothing can be read."""


EMPTY = {"body": b"", "what": "nothing", "accepted_at": NOW, "due_at": NOW}


def inbox_of(observatory: Observatory) -> InboxReport:
    """Give what waits."""
    with observatory.store.read() as tx:
        return describe_inbox(tx)


@pytest.mark.parametrize("body", [pack(7), UNREADABLE], ids=["a run of another account", "a target folder"])
def test_a_token_of_one_account_hands_in_nothing_else(processes: tuple[Observatory, Observatory], body: bytes) -> None:
    """What is of another account, or says of none, is refused in a sentence and not kept; its own is taken."""
    with pytest.raises(NotAllowed, match="runs of account 41 only"):
        accept(processes[0], body, only=(AccountAddress(ANY_ORIGIN, 41),))
    waiting = inbox_of(processes[0]).waiting

    assert waiting == 0
    assert accept(processes[0], pack(7), only=(AccountAddress(ANY_ORIGIN, 42),)).is_new


def test_what_is_accepted_survives_the_process_that_took_it(
    processes: tuple[Observatory, Observatory], clock: Clock
) -> None:
    """It is in no report yet and safe; another process stores it, as seen when it was accepted, and takes it out."""
    first, second = processes

    accepted = accept(first, pack(7))
    with pytest.raises(NotKnown):
        get_run(first, NAME, 7)
    waiting = inbox_of(second).waiting
    clock.now += timedelta(hours=1)
    count = store_accepted(second)

    assert (accepted.run_id, accepted.is_new, accepted.accepted_at) == (7, True, NOW)
    assert (waiting, count, inbox_of(first)) == (1, 1, InboxReport())
    (seen,) = get_run(first, NAME, 7).observations
    assert (seen.way, seen.first_seen_at) == ("sdk", NOW)


def test_the_same_waits_once_and_is_stored_once(processes: tuple[Observatory, Observatory]) -> None:
    """Sent again while it waits it is no second one, and sent again afterwards it changes nothing."""
    first, second = processes

    answers = [accept(first, pack(7)).is_new, accept(second, pack(7)).is_new]
    counts = [store_accepted(first), store_accepted(first)]
    accept(second, pack(7))

    assert (answers, counts) == ([True, False], [1, 0])
    before = get_run(first, NAME, 7)
    assert store_accepted(second) == 1
    assert get_run(first, NAME, 7).observations == before.observations
    assert list_runs(first, RunFilter()).total == 1


def test_two_processes_share_the_work(processes: tuple[Observatory, Observatory]) -> None:
    """At the same time they store each body once between them."""
    for run_id in range(1, 13):
        accept(processes[0], pack(run_id))

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(store_accepted, processes))

    assert sum(counts) == 12
    assert inbox_of(processes[0]) == InboxReport()
    assert list_runs(processes[1], RunFilter()).total == 12


def test_what_a_dead_process_had_claimed_is_taken_up_later(
    processes: tuple[Observatory, Observatory], clock: Clock
) -> None:
    """Nobody touches it for a minute; then it is stored. One that dies each time is told and waits ever longer."""
    first, second = processes
    accept(first, pack(7))
    counts, spans = [], []
    for _ in range(12):
        with first.store.write() as tx:
            assert stored.claim_body(tx, clock.now) is not None
        counts.append(store_accepted(second))
        with first.store.read() as tx:
            (left,) = stored.list_failing_bodies(tx, 1) or [None]
        spans.append(None if left is None else left.due_at - clock.now)
        clock.now += timedelta(minutes=1) if left is None else spans[-1]
    (fault,) = inbox_of(second).faults

    assert counts == [0] * 12
    assert spans[:3] == [None, timedelta(minutes=2), timedelta(minutes=4)]
    assert spans[-1] == timedelta(hours=6)
    assert (fault.attempts, "ended on the way" in fault.error) == (12, True)
    assert store_accepted(second) == 1
    assert inbox_of(first) == InboxReport()


@pytest.mark.parametrize("body", [b"", b"\x00", b"headwater-collected-9\n", b"headwater-collected-1\nno", pack(1)[:-9]])
def test_what_cannot_be_read_is_refused_at_once(processes: tuple[Observatory, Observatory], body: bytes) -> None:
    """Something else, another version, cut off: a sentence says so and nothing is kept."""
    with pytest.raises(ArtifactUnreadable) as refused:
        accept(processes[0], body)

    assert refused.value.hint
    assert inbox_of(processes[0]) == InboxReport()


def test_a_fault_that_is_only_seen_later_is_kept_and_shown(
    processes: tuple[Observatory, Observatory], clock: Clock
) -> None:
    """It does not stop what is behind it, stands in the reports with its reason, is tried again, and given up late."""
    first, _ = processes
    accept(first, UNREADABLE)
    clock.now += timedelta(seconds=1)
    accept(first, pack(7))

    assert store_accepted(first) == 1
    (fault,) = list_accounts(first).inbox.faults
    assert (fault.what, fault.accepted_at, fault.attempts) == ("a dbt target folder", NOW, 1)
    assert "None of the artifacts can be read" in fault.error
    assert read_metrics(first).inbox.waiting == 1

    clock.now = fault.due_at
    assert store_accepted(first) == 0
    assert inbox_of(first).faults[0].attempts == 2
    clock.now = NOW + timedelta(days=30)
    delete_expired(first)
    assert inbox_of(first).waiting == 1
    clock.now += timedelta(seconds=1)
    delete_expired(first)
    assert inbox_of(first) == InboxReport()


def test_too_much_is_refused_for_now(processes: tuple[Observatory, Observatory]) -> None:
    """Where so much waits that something must be wrong, the sender keeps it; what was accepted stays."""
    first, _ = processes
    with first.store.write() as tx:
        rows = [{"body_hash": b"%d" % number} | EMPTY for number in range(MOST_WAITING)]
        tx.execute(insert(inbox), rows)

    with pytest.raises(StoreBusy, match="wait to be stored"):
        accept(first, pack(7))

    assert inbox_of(first).waiting == MOST_WAITING


def test_a_thread_stores_what_any_process_accepts(processes: tuple[Observatory, Observatory]) -> None:
    """What this one accepts and what another did, also before, is stored while the context lasts, and not after."""
    first, second = processes
    accept(second, pack(1))
    with storing_accepted(first):
        accept(first, pack(2))
        wait_until_stored(first)
        accept(second, pack(3))
        wait_until_stored(first)
    accept(first, pack(4))

    assert list_runs(first, RunFilter()).total == 3
    assert inbox_of(first).waiting == 1
