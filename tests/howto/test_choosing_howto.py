"""The how-to page on choosing what is followed, tried from zero: an account that is connected, and nothing stored."""

from __future__ import annotations

import json
from pathlib import Path

from simulated import simulating

from pages import Command, Reader, read_commands, read_page
from program import Program

SETTINGS = {"HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE": "60000"}


def test_the_page_in_order(tmp_path: Path) -> None:
    """Each command says what the page says; the one that is wrong ends with 2; the longest history has all runs."""
    commands = read_commands(read_page("choose-what-is-followed"))
    (wrong,) = [command for command in commands if "Production" in command.line]
    with simulating("--days", 1) as simulated:
        reader = Reader(Program(tmp_path, SETTINGS))
        account = simulated.account()
        words = ("account", "add", "acme", "--account-id", account["id"], "--url", simulated.url, "--token-stdin")
        assert reader.program.run(*words, stdin=account["token"]).status == 0
        typed = {command: reader.type(command) for command in commands}
        end = json.loads(reader.follow(Command("headwater account show acme --json", ())).text)
        known = {name for _, name in simulated.jobs()}

    assert {command.line: each.status for command, each in typed.items()} == {
        command.line: 2 if command == wrong else 0 for command in commands
    }
    for command, each in typed.items():
        reader.compare(command, each.text)
    shown = {thing["name"]: thing["is_followed"] for kind in end["choices"] for thing in kind["things"]}
    assert end["account"]["runs"] > 0
    assert known <= set(shown)
    assert set(shown.values()) == {True}
