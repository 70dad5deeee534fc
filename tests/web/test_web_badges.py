"""Badges: a state as a picture that stands alone, in words, a shape and a colour."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import web_node_reports
import web_reports

from headwater.web.badges import draw_badge
from headwater.web.words import look_of_state

NODE = "/badges/nodes.svg?ref=fct_orders&account=acme"
JOB = "/badges/jobs/acme/12.svg"


@pytest.mark.parametrize(("path", "name"), [(NODE, "fct_orders"), (JOB, "hourly")])
def test_a_badge_says_name_and_state_in_words(site, tokens, path, name):
    """Both texts are there as text and for who cannot see; the shape of the state is drawn, nothing is loaded."""
    reply = site.ask(path, token=tokens["viewer"])
    picture = ET.fromstring(reply.text)
    texts = ["".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text")]

    assert reply.headers["content-type"].startswith("image/svg+xml")
    assert texts[0] == name
    assert picture.attrib["aria-label"] == ": ".join(texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}svg"))) == 3
    assert re.findall("href|style=|<script|url[(]", reply.text) == []


@pytest.mark.parametrize("path", [NODE, JOB])
def test_a_badge_is_sent_once_and_asked_for_each_time(site, tokens, path):
    """Who has it is told so by 304; a cache of others keeps none, since it is for whom may read."""
    first = site.ask(path, token=tokens["viewer"])
    again = site.ask(path, token=tokens["viewer"], headers={"If-None-Match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"
    assert site.ask(path).status == 303
    assert site.ask(path, token=tokens["ingest"]).status == 403


def test_names_from_outside_are_text_and_stay_short(serve_door, tokens):
    """Markup in a name is text; a long name is cut and the badge stays a badge."""
    verdict = replace(web_node_reports.make_verdict(), name=web_reports.HOSTILE * 3)
    with serve_door(get_verdict=lambda _: verdict) as site:
        reply = site.ask(NODE, token=tokens["viewer"])

    assert "<script" not in reply.text
    assert float(ET.fromstring(reply.text).attrib["width"]) < 500


def test_states_differ_by_more_than_colour():
    """The look, which has a shape of its own, differs between good and bad, and the word always."""
    badges = [draw_badge("x", state, look_of_state(state), None) for state in ("healthy", "failed", "stale", "warned")]

    assert len({badge.look for badge in badges}) == len({badge.state for badge in badges}) == 4


@pytest.mark.parametrize("path", ["/badges/jobs/acme/12", "/badges/jobs/acme/x.svg", "/badges/jobs/acme/-1.svg"])
def test_what_is_no_job_is_not_found(site, tokens, path):
    """Anything but a number with .svg is answered with 404."""
    assert site.ask(path, token=tokens["viewer"]).status == 404


def test_a_job_without_runs_says_so(serve_door, tokens):
    """No run is no badge, and a sentence."""
    with serve_door(list_runs=lambda *_: web_reports.RunsReport(total=0, runs=(), as_of=web_reports.NOW)) as site:
        reply = site.ask(JOB, token=tokens["viewer"])

    assert (reply.status, reply.json["error"]["message"]) == (404, "No run of job 12 of acme is stored.")
