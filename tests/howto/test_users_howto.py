"""The how-to page on who may come in: its part on limiting people to accounts, typed from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulated import simulating

from pages import Command, Reader, read_commands, read_section
from program import Program

SETTINGS = {"HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE": "60000"}


def test_people_are_limited_to_accounts_as_the_page_says(tmp_path: Path) -> None:
    """Each command says what the page says, the lists say who sees what, and whoever is removed is gone."""
    add, limit, create, lift, remove = read_commands(read_section("users", "Limit people to accounts"))
    with simulating("--days", 1) as simulated:
        reader = Reader(Program(tmp_path, SETTINGS))
        for index, name in enumerate(("acme", "finance")):
            account = simulated.account(index)
            words = ("account", "add", name, "--account-id", account["id"], "--url", simulated.url, "--token-stdin")
            assert reader.program.run(*words, stdin=account["token"]).status == 0
    seen = []
    for command in (add, limit, create, lift):
        reader.follow(command)
        seen.append(read(reader, "user list", "users")[0]["accounts"])
    (token,) = read(reader, "token list", "tokens")
    unclear = reader.type(Command("headwater user set-accounts carl@example.com --account acme --all", ()))
    unknown = reader.type(Command("headwater user set-accounts carl@example.com --account nobody", ()))
    unasked = reader.program.run("user", "remove", "carl@example.com")
    reader.follow(remove)

    assert seen == [["acme"], ["acme", "finance"], ["acme", "finance"], None]
    assert (token["name"], token["role"], token["accounts"]) == ("grafana", "viewer", ["acme"])
    assert (unclear.status, unknown.status, unasked.status) == (2, 2, 2)
    assert "There are: acme, finance." in unknown.text
    assert "--yes" in unasked.err
    assert read(reader, "user list", "users") == []


def read(reader: Reader, command: str, name: str) -> list[dict[str, Any]]:
    """Read a document that the program prints."""
    found: list[dict[str, Any]] = json.loads(reader.follow(Command(f"headwater {command} --json", ())).text)[name]
    return found
