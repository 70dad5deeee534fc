"""When to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.dbtcloud.retry import (
    COOL_DOWN,
    LONGEST_RETRY_AFTER,
    NO_RETRY,
    Attempt,
    Failure,
    RetryPolicy,
    earliest_return,
    next_wait,
    read_retry_after,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDLESS = RetryPolicy(patience=float("inf"))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_tried_again(status: int) -> None:
    """A passing trouble is tried again."""
    assert next_wait(Attempt(number=1, elapsed=0, status=status), ENDLESS, 0.5) is not None


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 410, 418, 501, 505])
def test_a_verdict_is_not_asked_for_twice(status: int) -> None:
    """A verdict is not asked for twice."""
    assert next_wait(Attempt(number=1, elapsed=0, status=status), ENDLESS, 0.5) is None


@pytest.mark.parametrize(
    ("failure", "reads_again", "writes_again"),
    [
        (Failure.NAME, False, False),
        (Failure.ADDRESS, False, False),
        (Failure.TLS, False, False),
        (Failure.CONNECT, True, True),
        (Failure.TIMEOUT, True, False),
        (Failure.RESET, True, False),
    ],
)
def test_a_request_with_an_effect_is_repeated_only_if_it_was_never_sent(
    failure: Failure, reads_again: bool, writes_again: bool
) -> None:
    """A request with an effect is repeated only if it was never sent."""
    for has_effect, again in ((False, reads_again), (True, writes_again)):
        attempt = Attempt(number=1, elapsed=0, failure=failure, has_effect=has_effect)
        assert (next_wait(attempt, ENDLESS, 0.5) is not None) is again


@pytest.mark.parametrize(("status", "again"), [(429, True), (500, False), (503, False), (408, False)])
def test_of_the_answers_to_a_request_with_an_effect_only_429_says_that_nothing_happened(
    status: int, again: bool
) -> None:
    """Of the answers to a request with an effect only 429 says that nothing happened."""
    attempt = Attempt(number=1, elapsed=0, status=status, has_effect=True)
    assert (next_wait(attempt, ENDLESS, 0.5) is not None) is again


attempts = st.builds(
    Attempt,
    number=st.integers(1, 10_000),
    elapsed=st.floats(0, 1e6),
    status=st.sampled_from([200, 404, 408, 429, 500, 503]),
    retry_after=st.none() | st.floats(0, LONGEST_RETRY_AFTER),
    has_effect=st.booleans(),
)
chances = st.floats(0, 1, exclude_max=True)


@given(attempts, chances, st.floats(0, 1e6))
def test_a_wait_is_never_shorter_than_retry_after_and_never_ends_past_the_deadline(
    attempt: Attempt, chance: float, patience: float
) -> None:
    """A wait is never shorter than retry after and never ends past the deadline."""
    wait = next_wait(attempt, RetryPolicy(patience=patience), chance)
    if wait is None:
        return
    assert wait > 0
    assert wait >= (earliest_return(attempt) or 0.0)
    assert attempt.elapsed + wait <= patience


@given(attempts, chances)
def test_without_patience_there_is_one_try(attempt: Attempt, chance: float) -> None:
    """Without patience there is one try."""
    assert next_wait(attempt, NO_RETRY, chance) is None


def test_waits_double_up_to_the_longest_and_are_spread_by_chance() -> None:
    """Waits double up to the longest and are spread by chance."""
    most = [next_wait(Attempt(number=n, elapsed=0, status=500), RetryPolicy(), 1.0) for n in range(1, 9)]
    least = [next_wait(Attempt(number=n, elapsed=0, status=500), RetryPolicy(), 0.0) for n in range(1, 9)]
    assert most == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])
    assert least == pytest.approx([wait / 10 for wait in most if wait])


def test_a_429_without_a_word_keeps_everybody_out_for_as_long_as_dbt_cloud_says_a_limit_lasts() -> None:
    """A 429 without a word keeps everybody out for as long as dbt cloud says a limit lasts."""
    attempt = Attempt(number=1, elapsed=0, status=429)
    assert earliest_return(attempt) == COOL_DOWN
    assert next_wait(attempt, RetryPolicy(patience=COOL_DOWN), 0.5) is None
    assert earliest_return(Attempt(number=1, elapsed=0, status=503)) is None
    assert earliest_return(Attempt(number=1, elapsed=0, status=503, retry_after=7)) == 7


def date(seconds: float) -> str:
    return format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "1000000000"}, 900),
        ({"retry-after": "9" * 6000}, 900),
        ({"retry-after": date(90)}, 90),
        ({"retry-after": date(-90)}, 0),
        ({"retry-after": date(1e8)}, 900),
        ({"retry-after": date(30), "date": date(-60)}, 90),
        ({"retry-after": date(30), "date": date(20)}, 30),
        ({"retry-after": date(30), "date": "yesterday"}, 30),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:00 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 12:01:00"}, 60),
        ({"x-rate-limit-retry-after-seconds": "45"}, 45),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Retry after is read in each of its forms."""
    assert read_retry_after(headers, NOON) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_survived(value: str) -> None:
    """Any retry after is survived."""
    seconds = read_retry_after({"retry-after": value}, NOON)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
