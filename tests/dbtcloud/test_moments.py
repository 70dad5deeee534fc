"""Points in time in every form that dbt Cloud writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.dbtcloud.moments import read_moment, write_moment

MOMENT = datetime(2021, 12, 7, 10, 32, 24, 326116, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-12-07 10:32:24.326116+00:00", MOMENT),
        ("2021-12-07T10:32:24.326116+00:00", MOMENT),
        ("2021-12-07T10:32:24.326116Z", MOMENT),
        ("2021-12-07T10:32:24.326116999Z", MOMENT),
        ("2021-12-07 10:32:24.326116", MOMENT),
        ("2021-12-07 12:32:24.326116+02:00", MOMENT),
        ("2021-12-07 05:02:24.326116-0530", MOMENT),
        ("2021-12-07 12:32:24.326116+02", MOMENT),
        ("2021-12-07T10:32:24.3Z", MOMENT.replace(microsecond=300000)),
        ("2023-01-31T19:28:07Z", datetime(2023, 1, 31, 19, 28, 7, tzinfo=UTC)),
        ("2021-12-07 10:32:24+00:00", MOMENT.replace(microsecond=0)),
        (1642377765, datetime(2022, 1, 17, 0, 2, 45, tzinfo=UTC)),
        (1642377765.5, datetime(2022, 1, 17, 0, 2, 45, 500000, tzinfo=UTC)),
        ("1642377765", datetime(2022, 1, 17, 0, 2, 45, tzinfo=UTC)),
        (1642377765000, datetime(2022, 1, 17, 0, 2, 45, tzinfo=UTC)),
        ("1642377765000000", datetime(2022, 1, 17, 0, 2, 45, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_each_form_is_read_as_utc(text: str | float | None, moment: datetime | None) -> None:
    """Each form is read as utc."""
    assert read_moment(text) == moment
    assert moment is None or read_moment(text).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["soon", "2021-13-07 10:32:24Z", "2021-12-07", "2021-12-07 25:00:00Z", "9" * 30, "9" * 6000, "nan", "inf", 1e300,
     "9999-12-31 23:59:59-23:59", "2021-12-07T10:32:24+99:00", "٢٠٢١-12-07T10:32:24Z"],
)  # fmt: skip
def test_anything_else_is_a_value_error_that_repeats_nothing(text: str | float) -> None:
    """Anything else is a value error that repeats nothing."""
    with pytest.raises(ValueError, match=r"^not a point in time$"):
        read_moment(text)


EARLIEST, LATEST = (
    datetime(2, 1, 2, tzinfo=UTC).replace(tzinfo=None),
    datetime(9999, 12, 30, tzinfo=UTC).replace(tzinfo=None),
)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(EARLIEST, LATEST, timezones=zones), st.sampled_from(" T"))
def test_what_is_written_is_read_again(moment: datetime, separator: str) -> None:
    """What is written is read again."""
    assert read_moment(moment.isoformat(separator)) == moment
    assert read_moment(write_moment(moment)) == moment


@given(st.text(max_size=40) | st.floats() | st.integers(-(2**63), 2**63 - 1))
def test_any_value_gives_a_moment_nothing_or_a_value_error(value: str | float) -> None:
    """Any value gives a moment nothing or a value error."""
    try:
        moment = read_moment(value)
    except ValueError:
        return
    assert moment is None or moment.utcoffset() == timedelta(0)
