"""The pure pieces: times, re-timing, lists of parameters, paths, the clock."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from headwater.simulator.clock import Clock
from headwater.simulator.query import Query
from headwater.simulator.retime import Fill, cut_artifact, cut_log
from headwater.simulator.routing import Route, Router
from headwater.simulator.times import clock_span, humanized_ago, humanized_span, iso, micros, read_moment, spaced, zulu

MOMENT = datetime(2021, 12, 7, 10, 32, 24, 326116, UTC)
moments = some.datetimes(datetime(2001, 1, 2), datetime(2100, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001


def test_forms_of_a_time():
    """The three forms of dbt Cloud, with and without fraction, and null."""
    assert spaced(MOMENT) == "2021-12-07 10:32:24.326116+00:00"
    assert iso(MOMENT) == "2021-12-07T10:32:24.326116+00:00"
    assert zulu(MOMENT) == "2021-12-07T10:32:24Z"
    assert zulu(MOMENT, 9) == "2021-12-07T10:32:24.326116000Z"
    assert spaced(None) is iso(None) is zulu(None) is None


@given(moments)
def test_times_are_read_as_they_are_written(moment):
    """Whatever is written can be read back."""
    for text in (spaced(moment), iso(moment), zulu(moment, 9)):
        assert read_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01 00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01 01:00:00+0100",
        "2026-01-01T00:00:00.000000000Z",
    ],
)
def test_times_of_clients(text):
    """Dates, minutes, offsets and nanoseconds are all that moment."""
    assert read_moment(text) == datetime(2026, 1, 1, tzinfo=UTC)


def test_spans_in_words():
    """As dbt Cloud says them."""
    assert clock_span(timedelta(seconds=110)) == "00:01:50"
    assert humanized_span(timedelta(seconds=110)) == "1 minute, 50 seconds"
    assert humanized_span(timedelta(0)) == "0 minutes"
    assert humanized_ago(MOMENT, MOMENT + timedelta(days=15)) == "2 weeks, 1 day ago"


def fill(began_at, stretch=2.0, shift=None):
    words = {b"__RUN_ID__": b"42"}
    return Fill(micros(MOMENT), micros(began_at), stretch, b"11111111-1111-4111-8111-111111111111", words, shift)


@given(moments, some.floats(0.5, 100), some.floats(0, 5000))
def test_retiming_is_affine(began_at, stretch, after):
    """A time so long after the step's begin comes out so much longer after the run's."""
    recorded = MOMENT + timedelta(seconds=after)
    document = {"started_at": recorded.isoformat(timespec="microseconds"), "execution_time": after}
    made = json.loads(cut_artifact(memoryview(json.dumps(document).encode())).fill(fill(began_at, stretch)))
    expected = began_at + (recorded - MOMENT) * stretch
    assert abs(read_moment(made["started_at"]) - expected) <= timedelta(microseconds=2)
    assert made["execution_time"] == pytest.approx(after * stretch)


@pytest.mark.parametrize("text", [
    "2021-12-07T10:32:25.326116Z", "2021-12-07T10:32:25Z", "2021-12-07T10:32:25.326116+00:00",
    "2021-12-07 10:32:25.326", "2021-12-07T10:32:25.326116000Z",
])  # fmt: skip
def test_retiming_keeps_the_form(text):
    """Separator, digits and zone stay as they were."""
    data = json.dumps({"generated_at": text}).encode()
    began_at = datetime(2026, 1, 1, tzinfo=UTC)
    made = json.loads(cut_artifact(memoryview(data)).fill(fill(began_at)))["generated_at"]
    assert len(made) == len(text)
    assert [c for c in made if not c.isdigit()] == [c for c in text if not c.isdigit()]


@given(some.text(max_size=60))
def test_other_text_is_left_alone(text):
    """Whatever stands in a string, only dbt's own keys change."""
    document = {
        "raw_code": text,
        "description": f'"started_at": "2021-12-07T10:32:25Z" {text}',
        "metadata": {"env": {"X": "__RUN_ID__"}},
    }
    made = json.loads(cut_artifact(memoryview(json.dumps(document).encode())).fill(fill(MOMENT)))
    expected = json.loads(json.dumps(document).replace("__RUN_ID__", "42"))
    assert made == expected


def test_freshness_may_stand_still():
    """With a shift of its own the time of late data does not follow the run; that of fresh data does."""
    loaded, snapshotted = MOMENT - timedelta(hours=5), MOMENT + timedelta(seconds=1)
    document = {
        "max_loaded_at": loaded.isoformat(),
        "snapshotted_at": snapshotted.isoformat(),
        "max_loaded_at_time_ago_in_s": 18001.0,
        "status": "error",
    }
    template = cut_artifact(memoryview(json.dumps(document).encode()))
    following = json.loads(template.fill(fill(MOMENT + timedelta(days=3))))
    assert following["max_loaded_at_time_ago_in_s"] == 18001.0
    still = json.loads(template.fill(fill(MOMENT + timedelta(days=3), shift=0)))
    assert still["max_loaded_at"] == loaded.isoformat()
    assert still["max_loaded_at_time_ago_in_s"] == 18002.0 + 3 * 86_400
    fresh = cut_artifact(memoryview(json.dumps({**document, "status": "pass"}).encode()))
    assert json.loads(fresh.fill(fill(MOMENT + timedelta(days=3), shift=0)))["max_loaded_at_time_ago_in_s"] == 18001.0


def test_logs_are_retimed():
    """Times of day at the head of lines move, over midnight too; others stay."""
    began = datetime(2026, 1, 1, 23, 59, 58, 500_000, UTC)
    log = b"23:59:58  begin\n\x1b[0m00:00:02  after midnight at 12:00:00\nno time\n"
    template = cut_log(memoryview(log), began)
    made = template.fill(Fill(micros(began), micros(MOMENT), 10.0, b"", {}))
    assert made == b"10:32:24  begin\n\x1b[0m10:32:59  after midnight at 12:00:00\nno time\n"


@pytest.mark.parametrize(
    "raw", [b"x=[1,2]", b"x=[1, 2]", b"x=1,2", b"x=1&x=2", b"x=['1','2']", b"x=%5B%221%22%2C%222%22%5D"]
)
def test_lists_in_any_syntax(raw):
    """Every way to write a list gives the same."""
    assert Query.read(raw).items("x") == ["1", "2"]


def test_paths():
    """Digits for ids, any part for names, the rest for files; nothing for a doubled slash."""
    routes = [Route("/a/{id}/", {}), Route("/a/{id}/b/{name:}", {}), Route("/a/{id}/files/{path*}", {})]
    router = Router(routes)
    assert router.find("/a/5") == router.find("/a/5/") == (routes[0], {"id": "5"})
    assert router.find("/a/5/b/x-1") == (routes[1], {"id": "5", "name": "x-1"})
    assert router.find("/a/5/files/x/y.sql") == (routes[2], {"id": "5", "path": "x/y.sql"})
    for path in ("/a/x", "/a//5", "//a/5", "/a/5//", "/a/5/files", "/"):
        assert router.find(path) is None


def test_a_clock_runs_at_its_speed_or_not_at_all():
    """A manual clock stands; a real one only goes forward."""
    still = Clock(MOMENT, speed=1000, manual=True)
    assert still.now() == still.now() == MOMENT
    assert still.advance(timedelta(seconds=5)) == MOMENT + timedelta(seconds=5)
    with pytest.raises(ValueError, match="cannot go back"):
        still.advance(timedelta(seconds=-1))
    fast = Clock(MOMENT, speed=1e6, manual=False)
    assert MOMENT < fast.now() < fast.now()
