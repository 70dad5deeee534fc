"""The decisions of a sync, by table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headwater.collect import CollectedArtifact
from headwater.errors import NotVisible, ServerFault
from headwater.model.artifact import ArtifactState
from headwater.model.run import Run, RunStatus, RunStep
from headwater.model.sync import SyncState
from headwater.sync.plan import next_backfill_window, retry_detail, settle, widen_backfill

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEP = RunStep(index=4, name="build", status=RunStatus.SUCCESS, command="dbt build", started_at=NOW)
RUN = Run(run_id=1, status=RunStatus.SUCCESS, finished_at=NOW - timedelta(minutes=1), steps=(STEP,))
MISSING = CollectedArtifact(step_index=4, path="run_results.json", state=ArtifactState.ABSENT, reason="none")
FAILING = CollectedArtifact(step_index=4, path="run_results.json", state=ArtifactState.FAILED, reason="502")


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.ERROR])
def test_a_missing_artifact_of_a_fresh_run_is_late_at_first(status: RunStatus) -> None:
    """It is looked for again after growing waits, and absent in the end; a step that failed may have written it too."""
    run = replace(RUN, status=status, steps=(replace(STEP, status=status),))
    waits = []
    for attempts in range(4):
        record = settle(MISSING, run, attempts, NOW)
        waits.append(record.next_attempt_at - NOW if record.next_attempt_at else None)

    assert waits == [timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), None]
    assert settle(MISSING, run, 3, NOW).state is ArtifactState.ABSENT


@pytest.mark.parametrize(
    "run",
    [
        replace(RUN, finished_at=NOW - timedelta(hours=2)),
        replace(RUN, steps=(replace(STEP, status=RunStatus.CANCELLED),)),
    ],
    ids=["an old run", "a cancelled step"],
)
def test_a_missing_artifact_is_absent_where_nothing_says_it_should_be_there(run: Run) -> None:
    """Of an old run or a cancelled step the artifact is absent at once, with its reason."""
    record = settle(MISSING, run, 0, NOW)

    assert (record.state, record.reason, record.next_attempt_at) == (ArtifactState.ABSENT, "none", None)


def test_a_failing_request_is_repeated_and_given_up_in_the_end() -> None:
    """Waits double up to an hour; after eight attempts the reason stays and nobody asks again."""
    waits = [settle(FAILING, RUN, attempts, NOW).next_attempt_at for attempts in range(7)]
    last = settle(FAILING, RUN, 7, NOW)

    assert [wait - NOW for wait in waits if wait] == [timedelta(seconds=15 * 2**n) for n in range(7)]
    assert last.state is ArtifactState.UNREADABLE
    assert "502" in last.reason


def test_backfill_windows_meet_and_end() -> None:
    """Windows go backwards without a gap until history reaches far enough."""
    state = SyncState(backfill_from=NOW - timedelta(days=12))
    windows = []
    while (window := next_backfill_window(state, NOW)) is not None:
        windows.append(window)
        state = replace(state, backfilled_to=window[0])

    assert windows[0][1] == NOW
    assert [later[0] for later in windows[:-1]] == [earlier[1] for earlier in windows[1:]]
    assert windows[-1][0] == NOW - timedelta(days=12)


def test_a_wish_for_history_never_shortens_an_earlier_one() -> None:
    """Asking for fewer days keeps what was asked for before."""
    far = SyncState(backfill_from=NOW - timedelta(days=90))

    assert widen_backfill(far, NOW - timedelta(days=7)) == NOW - timedelta(days=90)
    assert widen_backfill(far, NOW - timedelta(days=365)) == NOW - timedelta(days=365)


def test_a_run_that_is_gone_is_not_asked_for_again() -> None:
    """404 for a run's detail is an absence with a reason; a server fault is tried again."""
    assert retry_detail(NotVisible("gone", status=404), 0, NOW).state is ArtifactState.ABSENT
    assert retry_detail(ServerFault("502", status=502), 0, NOW).next_attempt_at == NOW + timedelta(seconds=15)
