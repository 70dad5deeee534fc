"""The page of a job, and starting runs from it and from the page of a run."""

import pytest
import web_reports
from web_windows import open_logged_in

from headwater.errors import NotAllowed
from headwater.observatory.access import Role

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_the_page_says_how_the_job_does(site, browser, observatory, width, scheme):
    """Verdict, pace, schedule, durations as chart and table, runs and builds stand on it, in any width."""
    with open_logged_in(browser, site, observatory, "/jobs/acme/12", width=width, color_scheme=scheme) as window:
        text = window.locator("main").inner_text()
        dots = window.locator(".run-dot")
        window.click("#durations-table summary")

        assert "It is getting slower." in text
        assert "1 of 30 runs that the schedule asked for did not begin within an hour." in text
        assert dots.count() == 7
        assert dots.locator(".cross").count() == 1
        assert dots.first.get_attribute("href") == "/runs/acme/300412900"
        assert window.locator("#durations-rows tbody tr").count() == 7
        assert window.locator("[aria-labelledby=builds] tbody tr").inner_text().split()[:2] == ["fct_orders", "model"]
        assert window.evaluate("document.documentElement.scrollWidth") <= width


def test_the_document_beside_the_page_is_that_of_the_api(site, tokens):
    """Page and API give one document; what is no id is not found."""
    beside, under = (site.ask(path, token=tokens["viewer"]) for path in ("/jobs/acme/12.json", "/api/v1/jobs/acme/12"))

    assert beside.json == under.json
    assert set(under.json) == set(web_reports.JobReport.__dataclass_fields__)
    assert site.ask("/jobs/acme/twelve", token=tokens["viewer"]).status == 404


@pytest.mark.parametrize(
    ("path", "name", "button"),
    [
        ("/runs/acme/300412980", "Retry…", "Retry from the failure"),
        ("/runs/acme/300412980", "Rerun…", "Start it again"),
        ("/jobs/acme/12", "Run now…", "Start it"),
    ],
)
@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_operator_starts_a_run_in_two_steps(site, browser, observatory, path, name, button, has_scripts):
    """What is asked for says what it does and is asked once more; then the run that began is shown."""
    options = {"role": Role.OPERATOR, "java_script_enabled": has_scripts}
    with open_logged_in(browser, site, observatory, path, **options) as window:
        assert not window.get_by_role("button", name=button).is_visible()
        window.locator("summary", has_text=name).click()
        window.get_by_role("button", name=button).click()
        window.get_by_text("dbt Cloud began this run.").wait_for()

        assert "/runs/acme/300412" in window.url


def test_a_viewer_is_not_offered_to_start_anything(site, browser, observatory):
    """Who may only read sees no form."""
    with open_logged_in(browser, site, observatory, "/runs/acme/300412980") as window:
        assert window.locator(".acts").count() == 0


def test_a_refusal_stands_on_the_page_it_was_asked_on(serve_door, tokens):
    """What dbt Cloud refuses is said where it was asked for; to a program as an error document."""

    def refuse(*_asked):
        raise NotAllowed("acme's token may not do this.", hint="Give it a permission set.")

    with serve_door(rerun=refuse, start_job=refuse) as site:
        pages = [
            site.ask(path, "POST", token=tokens["operator"], headers=SAME_SITE)
            for path in ("/runs/acme/7/rerun", "/jobs/acme/12/run")
        ]
        documents = [
            site.ask(f"/api/v1{path}", "POST", token=tokens["operator"])
            for path in ("/runs/acme/7/rerun", "/jobs/acme/12/run")
        ]

    assert [reply.status for reply in pages] == [400, 400]
    assert all("token may not do this. Give it a permission set." in reply.text for reply in pages)
    assert [reply.status for reply in documents] == [403, 403]
    assert documents[0].json["error"]["hint"] == "Give it a permission set."


def test_the_api_starts_runs(site, tokens):
    """A program of an operator's gets the run that began; an act that is none is a 404."""
    started = site.ask("/api/v1/runs/acme/7/retry", "POST", token=tokens["operator"])

    assert (started.status, started.json["run_id"], started.json["retrying_run_id"]) == (201, 8, 7)
    assert site.ask("/api/v1/jobs/acme/12/run", "POST", token=tokens["operator"]).json["run_id"] == 300_412_991
    assert site.ask("/api/v1/runs/acme/7/undo", "POST", token=tokens["operator"]).status == 404


@pytest.mark.parametrize("width", [360, 1280])
def test_the_list_marks_what_to_look_at_in_words(site, browser, observatory, tokens, width):
    """Slower, missed and not started stand in words beside a shape, with the numbers on it, as in the document."""
    with open_logged_in(browser, site, observatory, "/jobs", width=width) as window:
        marked = {
            row.locator(".lead a").inner_text(): row.locator(".marks .status")
            for row in window.locator("tbody tr").all()
        }
        words = {name: found.all_inner_texts() for name, found in marked.items()}
        said = window.locator("h1").inner_text()

        assert words == {"nightly": ["1 missed", "slower"], "hourly": ["not started"], "pull requests": []}
        assert marked["nightly"].locator("svg").count() == 2
        assert "28 % longer" in marked["nightly"].last.get_attribute("title")
        assert said.endswith("1 job gets slower, 1 job has not started, 1 job missed runs.")
        assert window.evaluate("document.documentElement.scrollWidth") <= width
    jobs = {job["job_name"]: job for job in site.ask("/jobs.json", token=tokens["viewer"]).json["jobs"]}
    assert (jobs["nightly"]["is_slowing"], jobs["nightly"]["runs_missed"], jobs["nightly"]["runs_due"]) == (True, 1, 7)
    assert (jobs["hourly"]["is_overdue"], jobs["pull requests"]["runs_missed"]) == (True, None)
