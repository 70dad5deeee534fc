"""How a test of a node did over time, and what changed of its code."""

import pytest

from headwater.analysis.code_diff import MOST_LINES, diff_code
from headwater.analysis.flakiness import find_flakiness


@pytest.mark.parametrize(
    ("results", "turns", "is_flaky"),
    [
        ("pass pass fail pass pass", 2, False),  # broken and mended
        ("pass fail fail fail", 1, False),  # broken
        ("pass fail pass fail pass", 4, True),
        ("pass fail skipped fail pass error pass", 4, True),  # a skip between failures is no turn
        ("pass warn pass warn pass", 0, False),  # a warning is for people
        ("", 0, False),
    ],
)
def test_a_test_that_fails_and_passes_in_turn_is_flaky(results, turns, is_flaky):
    """Being broken and mended is not flaky; turning four times is."""
    found = find_flakiness(results.split())

    assert (found.turns, found.is_flaky) == (turns, is_flaky)


def test_lines_that_went_and_came_are_told():
    """The changed line stands with what is around it; a file head is left out."""
    before, after = "select\n  a,\n  b\nfrom t", "select\n  a,\n  c\nfrom t"

    assert diff_code(before, after) == ("@@ -1,4 +1,4 @@", " select", "   a,", "-  b", "+  c", " from t")
    assert diff_code(before, before) == ()
    assert diff_code(None, "select 1") == ("@@ -0,0 +1 @@", "+select 1")


def test_a_long_difference_is_cut():
    """No more than two hundred lines are given, and none of code that is too long to compare."""
    assert len(diff_code("", "\n".join(map(str, range(1_000))))) == MOST_LINES
    assert diff_code("", "\n" * 3_000) == ()
