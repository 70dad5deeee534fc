"""Incidents in the web application: who may act, what a form says back, and what a program gets."""

import json

import pytest

JSON = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


def test_an_operator_acts_and_is_named(site, tokens):
    """What a program does is noted under the name of its token; the answer is the incident as it is then."""
    body = json.dumps({"note": "Asked the shop."})
    reply = site.ask("/api/v1/incidents/1-1/acknowledge", "POST", token=tokens["operator"], headers=JSON, body=body)

    assert reply.status == 200
    assert reply.json["incident"]["state"] == "acknowledged"
    assert (reply.json["timeline"][-1]["by"], reply.json["timeline"][-1]["note"]) == ("operator", "Asked the shop.")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/incidents/1-1/burn", 404), ("/api/v1/incidents/1-1/note", 400)],
)
def test_what_cannot_be_done_is_said(site, tokens, path, status):
    """An act that does not exist and an empty note are refused with a sentence and a hint."""
    reply = site.ask(path, "POST", token=tokens["operator"], headers=JSON, body="{}")

    assert reply.status == status
    assert reply.json["error"]["message"]
    assert reply.json["error"]["hint"]


def test_a_form_leads_back_to_the_page(site, tokens):
    """After an act the page is opened anew; an empty note is refused beside the form."""
    done = site.ask("/incidents/1-1/resolve", "POST", token=tokens["operator"], headers=FORM, body="note=so")
    empty = site.ask("/incidents/1-1/note", "POST", token=tokens["operator"], headers=FORM, body="note=")

    assert (done.status, done.headers["location"]) == (303, "/incidents/1-3?done=resolve")
    assert empty.status == 400
    assert "The note is empty." in empty.text


def test_the_list_is_filtered_by_state(site, tokens):
    """open, acknowledged, resolved and all are states; anything else is said to be none."""
    counts = {
        state: len(site.ask(f"/incidents.json?state={state}", token=tokens["viewer"]).json["incidents"])
        for state in ("", "open", "acknowledged", "resolved", "all")
    }
    wrong = site.ask("/api/v1/incidents?state=burning", token=tokens["viewer"])

    assert counts == {"": 2, "open": 1, "acknowledged": 1, "resolved": 1, "all": 3}
    assert wrong.status == 400


def test_words_of_others_stay_text(site, tokens):
    """A note and evidence with markup are shown as they were written."""
    shown = site.ask("/incidents/1-1", token=tokens["viewer"]).text

    assert "<script>1" not in shown
    assert "&lt;script&gt;1&lt;/script&gt;" in shown
    assert "<b>ordered_at" not in shown


def test_a_viewer_finds_no_form(site, tokens):
    """Who may not act is not offered to."""
    shown = {role: site.ask("/incidents/1-1", token=tokens[role]).text for role in ("viewer", "operator")}

    assert "Acknowledge</button>" in shown["operator"]
    assert "<textarea" not in shown["viewer"]
