"""`headwater incidents` and `headwater incident …`: the document, the acts, the exit status, and oddities."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from program import Program


def test_incidents_are_listed_shown_and_acted_on(synced: Program, tmp_path: Path) -> None:
    """What goes on is listed with its sentence; acknowledged, annotated and resolved it says by whom."""
    program = Program(tmp_path, synced.settings)
    shutil.copytree(synced.data, program.data)
    listed = program.run("incidents", "--json").json
    checked = program.run("incidents", "--check")

    assert {"total", "open", "acknowledged", "incidents"} <= listed.keys()
    assert listed["open"] == listed["total"] == len(listed["incidents"])
    assert checked.status == (1 if listed["incidents"] else 0)
    assert all(one["sentence"] in checked.out for one in listed["incidents"])
    assert listed["incidents"], "the history of seed 1 ends with a fault"
    name = listed["incidents"][0]["id"]
    taken = program.run("incident", "acknowledge", name, "--note", "On it.", "--json").json
    program.run("incident", "note", name, "Asked the shop.")
    shown = program.run("incident", "show", name)
    ended = program.run("incident", "resolve", name, "--reason", "It can wait.", "--json").json
    twice = program.run("incident", "resolve", name, "--reason", "It can wait.")
    resolved = program.run("incidents", "--state", "resolved", "--json").json

    assert taken["incident"]["state"] == "acknowledged"
    assert taken["incident"]["acknowledged_by"] == taken["timeline"][-1]["by"] != ""
    assert "On it." in shown.out
    assert "Asked the shop." in shown.out
    assert shown.out.startswith(taken["incident"]["sentence"])
    assert ended["incident"]["state"] == "resolved"
    assert (twice.status, twice.out) == (2, "")
    assert name in [one["id"] for one in resolved["incidents"]]


@pytest.mark.parametrize(
    "words",
    [
        ("incident", "show", "nowhere"),
        ("incident", "show", "1-9999"),
        ("incident", "note", "9-9", "text"),
        ("incidents", "--state", "burning"),
        ("incidents", "--account", "nobody"),
        ("incidents", "--since", "yesterday"),
    ],
)
def test_what_cannot_be_is_one_sentence(synced: Program, words: tuple[str, ...]) -> None:
    """Exit status 2, nothing on standard output, no traceback."""
    ended = synced.run(*words)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err
    assert "Traceback" not in ended.err
