"""Whether a job takes longer than it did."""

from datetime import timedelta

import pytest

from headwater.analysis.pace import find_pace, find_quantile


def seconds(*numbers):
    return [timedelta(seconds=number) for number in numbers]


def test_a_job_whose_newest_runs_take_well_longer_is_slowing():
    """Nine runs of 40 s and five of 97 s: both medians are given, and it is getting slower."""
    pace = find_pace(seconds(*[40] * 9, *[97] * 5))

    assert (pace.recent, pace.recent_runs) == (timedelta(seconds=97), 5)
    assert (pace.earlier, pace.earlier_runs) == (timedelta(seconds=40), 9)
    assert pace.is_slowing


@pytest.mark.parametrize(
    ("earlier", "recent"),
    [
        ([40] * 9, [49] * 5),  # less than a quarter above
        ([10] * 9, [19] * 5),  # less than ten seconds above
        ([40, 97] * 6, [97] * 5),  # it took that long before, every other time
        ([40] * 7, [97] * 5),  # too few to compare with
        ([97] * 9, [40] * 5),  # quicker
        ([40] * 9, [40, 40, 40, 500, 500]),  # two slow runs of five do not move the median
    ],
)
def test_what_is_not_slowing(earlier, recent):
    """A small, usual, unproven or short change is none."""
    assert not find_pace(seconds(*earlier, *recent)).is_slowing


def test_of_many_runs_the_newest_fifth_is_recent():
    """Of a hundred runs twenty are held against the eighty before, so that one night does not decide."""
    pace = find_pace(seconds(*[60] * 80, *[60] * 9, *[120] * 11))

    assert (pace.recent_runs, pace.earlier_runs) == (20, 80)
    assert pace.is_slowing


def test_without_runs_there_is_no_pace():
    """Nothing is said of a job that never succeeded, and little of one that hardly ran."""
    assert find_pace([]) is None
    assert find_pace(seconds(5)).earlier is None


def test_a_quantile_is_one_of_the_spans():
    """The span that nine of ten do not exceed is one that was measured."""
    spans = seconds(*range(1, 11))

    assert find_quantile(spans, 0.9) == timedelta(seconds=10)
    assert find_quantile(spans, 0.5) == timedelta(seconds=6)
    assert find_quantile([], 0.5) is None
