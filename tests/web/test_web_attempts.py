"""Runs that try the same piece of work stand together on the page of runs."""

from dataclasses import replace

import pytest
import web_reports
from web_windows import open_logged_in

from headwater.observatory.reports import ChainSummary, RunsReport
from headwater.web.attempts import group_attempts


def make_attempts(*run_ids, outcome="success"):
    """Give the runs of one chain, first to last."""
    return [
        replace(
            web_reports.make_run(run_id, status="error" if run_id != run_ids[-1] else outcome),
            chain=ChainSummary(first_run_id=run_ids[0], run_ids=run_ids, attempt=place, outcome=outcome),
        )
        for place, run_id in enumerate(run_ids, 1)
    ]


def test_attempts_stand_where_the_newest_of_them_does():
    """Runs between two attempts do not part them; an attempt that is not on the page is counted."""
    first, second, third = make_attempts(1, 5, 9)
    alone = web_reports.make_run(7)
    groups = group_attempts([third, alone, second])

    assert [[run.run_id for run in group.runs] for group in groups] == [[9, 5], [7]]
    counted = [(group.attempts, group.elsewhere, group.outcome) for group in groups]
    assert counted == [(3, 1, "success"), (1, 0, "success")]
    assert group_attempts([first])[0].elsewhere == 2


def test_runs_of_two_accounts_are_never_one_group():
    """The same ids in two accounts are two runs."""
    run = web_reports.make_run(4)

    assert len(group_attempts([run, replace(run, account="acme-emea")])) == 2


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_shows_a_chain_as_one_group(serve_door, browser, observatory, width):
    """The newest attempt leads, the others follow in the same group; the filter can be taken away part by part."""
    runs = tuple(reversed(make_attempts(1, 5, 9)))
    listed = (runs[0], web_reports.make_run(7), *runs[1:])
    with (
        serve_door(list_runs=lambda *_: RunsReport(total=4, runs=listed, as_of=web_reports.NOW)) as site,
        open_logged_in(browser, site, observatory, "/runs?status=error&job=nightly", width=width) as window,
    ):
        chain = window.locator("tbody.chain tr")
        links = [link.get_attribute("href") for link in chain.locator("a.opens").all()]
        chips = {link.inner_text().split()[0]: link.get_attribute("href") for link in window.locator(".chosen a").all()}

        assert [href.rpartition("/")[2] for href in links] == ["9", "5", "1"]
        assert "attempt 3 of 3" in chain.first.inner_text()
        assert (chips["status"], chips["job"]) == ("/runs?job=nightly", "/runs?status=error")
        assert window.evaluate("document.documentElement.scrollWidth") <= width
