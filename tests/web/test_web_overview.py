"""The first page in a real browser: what it says at a glance, and choosing a span of the bars."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import web_reports
from web_windows import open_logged_in


@pytest.fixture
def window(site, browser, observatory):
    """The overview, open to somebody who is logged in."""
    with open_logged_in(browser, site, observatory) as opened:
        yield opened


def asked_of(window):
    """Give what the address of the runs asks for."""
    window.wait_for_url("**/runs?*")
    return {name: values[0] for name, values in parse_qs(urlsplit(window.url).query).items()}


def span_of(first, last):
    """Give the span of some bars as the address has it."""
    bars = web_reports.make_bars()
    until = bars[last].starts_at + (bars[1].starts_at - bars[0].starts_at)
    return {"created_from": bars[first].starts_at.isoformat(), "created_to": until.isoformat()}


def test_the_glance_says_what_is_wrong(window):
    """The numbers at the top count incidents, failures, late sources, jobs that did not start and slow ones."""
    told = {
        name: " ".join(number.split())
        for name, number in zip(
            window.locator(".pulse dt").all_inner_texts(), window.locator(".pulse dd").all_inner_texts(), strict=True
        )
    }

    assert told["Failed in 24 h"] == "3 of 108"
    assert told["Sources late"] == "1 of 27"
    assert (told["Not started"], told["Getting slower"], told["In progress"]) == ("1", "1", "2")


def test_what_comes_next_and_what_gets_slower(window):
    """What did not start says so before what starts next; a slow job says its two medians; a source its age."""

    def rows(name):
        return window.locator(f"[aria-labelledby={name}] tbody tr").all_inner_texts()

    assert [re.split(r"\s", row)[0] for row in rows("next")] == ["hourly", "nightly"]
    assert "not started" in rows("next")[0]
    assert "getting slower" in rows("slow")[0]
    assert "1 min 37 s" in rows("slow")[0]
    assert "1 d 1 h" in rows("sources")[0]
    assert window.locator("[aria-labelledby=in-progress] progress").get_attribute("max") == "540.0"


def test_dragging_over_bars_opens_the_runs_of_their_span(window):
    """From the third bar to the sixth, in either direction: the runs page is asked for that span."""
    bars = window.locator("a.column rect.slot")
    here, there = bars.nth(5).bounding_box(), bars.nth(2).bounding_box()
    window.mouse.move(here["x"] + 4, here["y"] + 20)
    window.mouse.down()
    window.mouse.move(there["x"] + 4, there["y"] + 20, steps=4)

    assert window.locator("a.column.chosen").count() == 4
    window.mouse.up()
    assert asked_of(window) == span_of(2, 5)


def test_the_keyboard_chooses_a_span_too(window):
    """One tab stop leads to the newest bar; Shift and an arrow widen the span, what is chosen is said, Enter opens."""
    bars = window.locator("a.column")
    last = bars.count() - 1
    assert window.locator('a.column[tabindex="0"]').count() == 1
    bars.nth(last).focus()
    for _ in range(2):
        window.keyboard.press("Shift+ArrowLeft")

    runs = sum(sum(bar.runs.values()) for bar in web_reports.make_bars()[last - 2 :])
    assert window.locator(".brush-said").inner_text().endswith(f": {runs} runs.")
    window.keyboard.press("Enter")
    assert asked_of(window) == span_of(last - 2, last)


def test_an_arrow_alone_moves_and_enter_opens_one_bar(window):
    """Without Shift nothing is widened: Enter opens the bar that has the focus."""
    bars = window.locator("a.column")
    last = bars.count() - 1
    bars.nth(last).focus()
    window.keyboard.press("Shift+ArrowLeft")
    window.keyboard.press("Escape")
    window.keyboard.press("ArrowLeft")
    window.keyboard.press("Enter")

    assert asked_of(window) == span_of(last - 2, last - 2)
