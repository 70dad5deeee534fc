"""The geometry of the charts and the words of the pages, by table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import web_reports
from hypothesis import given
from hypothesis import strategies as st

from headwater.observatory.reports import RunBar
from headwater.observatory.sentences import say_span
from headwater.web.charts import (
    LANE_HEIGHT,
    MOST_BLOCKS,
    PLOT_HEIGHT,
    draw_bars,
    draw_gantts,
    draw_spark,
    draw_strip,
    fit,
    mark_times,
    say_bucket,
)
from headwater.web.words import (
    emphasise,
    look_of,
    say_bytes,
    say_count,
    say_nodes,
    say_share,
    time_tag,
    web_address,
)

START = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bars_of(*counts):
    return [RunBar(starts_at=START + HOUR * index, runs=runs) for index, runs in enumerate(counts)]


def test_errors_stand_at_the_foot_of_a_bar():
    """The pieces of a bar are stacked from errors up, each as high as its count."""
    (bar,) = draw_bars(bars_of({"success": 2, "error": 1}), 3600, START).bars

    assert [(piece.status, piece.y, piece.height) for piece in bar.pieces] == [
        ("error", PLOT_HEIGHT * 2 / 3, PLOT_HEIGHT / 3),
        ("success", 0.0, PLOT_HEIGHT * 2 / 3),
    ]


def test_an_empty_bucket_stays_empty_and_keeps_its_place():
    """A bucket without runs has a slot and no piece."""
    first, empty, last = draw_bars(bars_of({"success": 1}, {}, {"success": 1}), 3600, START).bars

    assert empty.pieces == ()
    assert (first.slot_x, empty.slot_x, last.slot_x) == (0, 33.333, 66.667)
    assert empty.title == "20 Nov 01:00–02:00: 0 runs"


def test_only_the_bucket_of_now_is_still_filling():
    """The bucket that holds the present is marked, in its title too."""
    bars = draw_bars(bars_of({"success": 1}, {"success": 2, "running": 1}), 3600, START + HOUR * 1.5).bars

    assert [bar.is_filling for bar in bars] == [False, True]
    assert bars[1].title == "20 Nov 01:00–02:00: 3 runs: 2 success, 1 running; still filling"


def test_one_failure_among_thousands_can_be_seen():
    """A piece is never thinner than what the eye finds."""
    (bar,) = draw_bars(bars_of({"success": 30_000, "error": 1}), 3600, START).bars

    assert bar.pieces[0].height == 2.0


def test_a_status_nobody_told_us_about_is_drawn():
    """Counts of an unknown status are not lost."""
    (bar,) = draw_bars(bars_of({"success": 1, "paused by moon": 2}), 3600, START).bars

    assert bar.pieces[-1].status == "paused by moon"
    assert bar.total == 3


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (4, ["0", "2", "4"]),
        (32, ["0", "20", "40"]),
        (150, ["0", "50", "100", "150"]),
        (1201, ["0", "500", "1,000", "1,500"]),
    ],
)
def test_levels_are_round(highest, labels):
    """The axis has at most three steps of 1, 2 or 5."""
    assert [level.label for level in draw_bars(bars_of({"success": highest}), 3600, START).levels] == labels


def test_nothing_at_all_is_drawn_without_buckets_or_runs():
    """No bucket draws nothing; buckets without runs draw an axis without levels."""
    assert draw_bars([], 3600, START).bars == ()
    assert draw_bars(bars_of({}, {}), 3600, START).levels == ()


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        (6, ["20 Nov", "01:00", "02:00", "03:00", "04:00", "05:00"]),
        (24, ["20 Nov", "06:00", "12:00", "18:00"]),
        (24 * 7, ["20 Nov", "21 Nov", "22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov"]),
        (24 * 30, ["23 Nov", "28 Nov", "3 Dec", "8 Dec", "13 Dec", "18 Dec"]),
    ],
)
def test_times_are_marked_at_whole_hours_and_days(hours, labels):
    """The marks of the time axis are few and round."""
    assert [mark.label for mark in mark_times(START, START + HOUR * hours)] == labels


@given(st.lists(st.dictionaries(st.sampled_from(["success", "error", "odd"]), st.integers(0, 10**9)), max_size=40))
def test_bars_stay_inside_their_slots(counts):
    """Whatever the counts, a bar is inside its slot and the slots fill the width."""
    drawn = draw_bars(bars_of(*counts), 3600, START)

    assert all(bar.slot_x <= bar.x and bar.x + bar.width <= bar.slot_x + bar.slot_width + 0.01 for bar in drawn.bars)
    assert not drawn.bars or abs(sum(bar.slot_width for bar in drawn.bars) - 100) < 0.1
    assert all(piece.y >= -2.0 * len(bar.pieces) for bar in drawn.bars for piece in bar.pieces)


@pytest.mark.parametrize(
    ("start", "hours", "said"),
    [
        (0, 1, "20 Nov 00:00–01:00"),
        (0, 24, "20 Nov"),
        (18, 6, "20 Nov 18:00–00:00"),
        (0, 48, "20 Nov 00:00–22 Nov 00:00"),
    ],
)
def test_a_bucket_is_said_shortly(start, hours, said):
    """A bucket of a day is a day; a shorter one has its hours."""
    assert say_bucket(START + HOUR * start, START + HOUR * (start + hours)) == said


def test_gantt_has_a_lane_for_each_thread_in_human_order():
    """Thread 10 comes after thread 2; blocks stand on their lane, in percent of the whole."""
    first = web_reports.make_executions(START)[0]
    threads = ("Thread-10", "Thread-2", "Thread-1")
    executions = [
        replace(
            first,
            thread=thread,
            started_at=START + timedelta(seconds=index * 10),
            executing_at=START + timedelta(seconds=index * 10 + 5),
            finished_at=START + timedelta(seconds=index * 10 + 10),
            is_critical=index == 1,
        )
        for index, thread in enumerate(threads)
    ]
    (drawn,) = draw_gantts(executions, (), START)

    assert [lane.label for lane in drawn.lanes] == ["Thread-1", "Thread-2", "Thread-10"]
    assert {(block.x, block.y, block.width, block.wait) for block in drawn.blocks} == {
        (0, LANE_HEIGHT * 2, 33.333, 50),
        (33.333, LANE_HEIGHT, 33.333, 50),
        (66.667, 0, 33.333, 50),
    }
    assert [block.is_critical for block in drawn.blocks] == [False, False, True]


def test_gantt_leaves_the_shortest_out_of_a_crowd():
    """Of thousands the longest and the critical path are drawn, and the rest is counted."""
    first = web_reports.make_executions(START)[0]
    crowd = [
        replace(
            first,
            started_at=START,
            finished_at=START + timedelta(seconds=index),
            is_critical=index == 3,
            is_failed=False,
        )
        for index in range(MOST_BLOCKS + 200)
    ]
    (drawn,) = draw_gantts(crowd, (), START)

    assert (len(drawn.blocks), drawn.hidden) == (MOST_BLOCKS, 200)
    assert any(block.is_critical for block in drawn.blocks)


def test_each_step_has_an_axis_of_its_own():
    """Executions of a step begin at the left edge, whatever came before; steps follow in the order of time."""
    first = web_reports.make_executions(START)[0]
    later = replace(first, step_index=2, started_at=START + HOUR, finished_at=START + HOUR * 2)
    drawn = draw_gantts([later, first], web_reports.make_run_report().steps, START)

    assert [chart.title for chart in drawn] == [
        "Step 3: Invoke dbt with `dbt build`",
        "Step 2: Invoke dbt with `dbt deps`",
    ]
    assert [chart.blocks[0].x for chart in drawn] == [0, 0]


def test_what_never_started_is_not_drawn():
    """Executions that were skipped have no place on a time axis."""
    skipped = replace(web_reports.make_executions(START)[0], started_at=None, finished_at=None)

    assert draw_gantts([skipped], (), START) == ()
    assert draw_gantts([], web_reports.make_run_report().steps, START) == ()


@pytest.mark.parametrize(("width", "said"), [(50, "fct_orders"), (8, "fct_orders"), (6, "fct_or…"), (2, "")])
def test_labels_are_cut_to_their_shape(width, said):
    """A name that does not fit is cut, and left out where nothing of it would be left."""
    assert fit("fct_orders", width) == said


def test_strips_and_sparks_say_it_by_height_too():
    """A failed run reaches the full height; an hour without runs draws nothing."""
    assert [(tick.x, tick.height, tick.look) for tick in draw_strip(["success", "error"])] == [
        (0, 12, "success"),
        (6, 20, "error"),
    ]
    assert [tick.height for tick in draw_spark([0, 5, 10])] == [0, 10, 20]
    assert draw_spark(()) == ()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (-1, "0 s"),
        (0, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (41.2, "41 s"),
        (59.7, "1 min"),
        (192, "3 min 12 s"),
        (21_600, "6 h"),
        (3900, "1 h 5 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_spans_are_said_with_two_units_at_most(seconds, said):
    """A span has the units a person would name."""
    assert say_span(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(None, "–"), (1, "100 %"), (0.9999, "> 99 %"), (0.0001, "< 1 %"), (0, "0 %"), (0.814, "81 %")]
)
def test_nearly_all_is_not_all(share, said):
    """Only what is whole is said to be 100 %."""
    assert say_share(share) == said


@pytest.mark.parametrize(
    ("size", "said"), [(None, "–"), (999, "999 B"), (1843, "1.8 kB"), (88_120, "88 kB"), (4e12, "4000.0 GB")]
)
def test_sizes_are_short(size, said):
    """A size has the unit that keeps it short."""
    assert say_bytes(size) == said


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/local",
        "http://",
        "http://[",
        " javascript:x",
    ],
)
def test_only_web_addresses_become_links(address):
    """What is not http or https with a host is not linked."""
    assert web_address(address) is None


def test_names_in_a_sentence_are_bold_and_the_rest_is_text():
    """Markup in a sentence or a name stays text."""
    assert emphasise("<i>nightly</i> failed", ["nightly"]) == "&lt;i&gt;<b>nightly</b>&lt;/i&gt; failed"
    assert emphasise("<b> failed", [None, "", "other"]) == "&lt;b&gt; failed"


def test_times_stand_in_utc_and_for_machines():
    """A time from elsewhere is shown in UTC, whole in its title."""
    elsewhere = datetime.fromisoformat("2026-11-20T14:03:12+02:00")

    assert time_tag(elsewhere) == (
        '<time datetime="2026-11-20T12:03:12Z" title="2026-11-20 12:03:12 UTC">20 Nov 12:03</time>'
    )
    assert "–" in time_tag(None)


def test_counts_are_said_with_the_bad_ones_first():
    """Errors come before warnings, those before successes; nothing is said of zero."""
    assert say_nodes({"success": 31, "skipped": 4, "warn": 1, "error": 2, "pass": 0}) == (
        "2 error, 1 warn, 31 success, 4 skipped"
    )
    assert (say_count(1, "run"), say_count(1204, "run")) == ("1 run", "1,204 runs")
    assert look_of("a status of tomorrow") == "unknown"


def test_the_gantt_says_how_busy_the_threads_were():
    """Two threads, of which one had nothing to do for half of the time, were busy for three quarters of it."""

    def execute(thread, seconds):
        return replace(
            web_reports.make_executions(START)[0],
            thread=thread,
            step_index=3,
            started_at=START,
            finished_at=START + timedelta(seconds=seconds),
        )

    (chart,) = draw_gantts([execute("Thread-1", 40), execute("Thread-2", 20)], (), START)

    assert chart.said == "2 threads, busy 75 % of 40 s"
