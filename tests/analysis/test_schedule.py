"""Whether a job ran when its schedule says so."""

from datetime import UTC, datetime, timedelta

import pytest

from headwater.analysis.schedule import find_kept

START = datetime(2026, 11, 20, tzinfo=UTC)


def at(hours, minutes=0):
    return START + timedelta(hours=hours, minutes=minutes)


def test_a_moment_without_a_run_is_missed():
    """Of six hours with five runs the one without is named; a run a moment early or some minutes late is in time."""
    kept = find_kept("0 * * * *", [at(0, -1), at(1, 7), at(2), at(4), at(5)], START, at(7))

    assert (kept.since, kept.moments, kept.missed) == (START, 7, (at(3), at(6)))


def test_one_run_does_not_stand_for_two_moments():
    """What came late for one moment was not there for the next."""
    kept = find_kept("0 * * * *", [at(0, 59)], START, at(2))

    assert kept.missed == (at(1),)


def test_a_run_started_by_hand_in_between_stands_for_none():
    """A run long after the moment is no kept schedule."""
    assert find_kept("0 3 * * *", [at(9)], START, at(12)).missed == (at(3),)


def test_what_may_still_come_is_not_missed():
    """The newest moment waits as long as a run may be late."""
    assert find_kept("0 * * * *", [at(0), at(1)], START, at(2, 20)).missed == ()


def test_a_schedule_of_every_minute_is_looked_at_for_a_thousand_moments():
    """However long the window is, the newest thousand moments are held against the runs."""
    kept = find_kept("* * * * *", [], START - timedelta(days=30), START)

    assert kept.moments == len(kept.missed) == 1_000
    assert START - kept.since == timedelta(minutes=1_000)


@pytest.mark.parametrize("cron", [None, "", "not a cron", "0 0 31 2 *"])
def test_without_a_schedule_nothing_is_kept_or_missed(cron):
    """No schedule, none that can be read, and one that never comes."""
    assert find_kept(cron, [], START, at(24)) is None
