"""Deadlines of requests: one thread watches them all."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from headwater.dbtcloud.deadline import Deadline, DeadlineWatch


class Noted(Deadline):
    """A deadline that says when it is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, allow_private=True)
        self.over = threading.Event()

    def expire(self) -> None:
        super().expire()
        self.over.set()


def count_threads() -> int:
    return sum(thread.name == "deadlines" for thread in threading.enumerate())


def test_the_first_to_be_over_ends_first() -> None:
    """A short deadline that begins while a long one runs ends in its time, and leaves the long one alone."""
    long, short, watch = Noted(3600), Noted(0.02), DeadlineWatch()

    with long.running(watch), short.running(watch):
        assert short.over.wait(30)

    assert (short.has_expired, long.has_expired) == (True, False)


def test_many_requests_share_a_thread() -> None:
    """However many run at once, one thread watches, and it ends with its last deadline."""
    before = count_threads()
    watch = DeadlineWatch()
    deadlines = [Noted(0.5) for _ in range(20)]
    with ExitStack() as running:
        for deadline in deadlines:
            running.enter_context(deadline.running(watch))
        assert count_threads() == before + 1
        assert all(deadline.over.wait(30) for deadline in deadlines)
    until = time.monotonic() + 30
    while count_threads() > before:
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_what_ended_in_time_is_not_watched_any_more() -> None:
    """A deadline that is left before its time never ends anything."""
    ended, after, watch = Noted(0.5), Noted(0.6), DeadlineWatch()
    with ended.running(watch):
        pass

    with after.running(watch):
        assert after.over.wait(30)

    assert not ended.has_expired
