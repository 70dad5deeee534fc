"""The how-to page on connecting an account, tried from zero; the tokens are typed on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated import Simulated, simulating

from pages import Command, Reader, read_blocks, read_commands, read_page
from program import Program
from servers import find_port, running_tinyproxy

PAGE = read_page("connect-an-account")
ADD, PIPED, REPLACE, ALIAS, REMOVE = read_commands(PAGE)
LIST = Command("headwater account list --json", ())
CHECK = Command("headwater account check acme", ADD.shown[1:-1])


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    """A simulated dbt Cloud with a day of history."""
    with simulating("--days", 1) as running:
        yield running


def make_reader(folder: Path, own: dict[str, str]) -> Reader:
    """Make a reader with an empty folder."""
    folder.mkdir(exist_ok=True)
    return Reader(Program(folder), own)


def test_the_page_in_order(simulated: Simulated, tmp_path: Path) -> None:
    """Each command says what the page says, the account is there and then gone, and no typed token stands open."""
    tokens = simulated.account()["tokens"]
    reader = make_reader(tmp_path, simulated.own())

    reader.follow(ADD, ("Token:", tokens["read_only"]))
    reader.follow(CHECK)
    everything = reader.follow(Command("headwater check", ()))
    reader.follow(REPLACE, ("Token:", tokens["service"]))
    (connected,) = json.loads(reader.follow(LIST).text)["accounts"]
    reader.follow(ALIAS)
    reader.follow(Command(f"{ALIAS.line} --remove", ("acme is https://ab123.us1.dbt.com.",)))
    reader.follow(REMOVE, ("[y/N]:", "y"))

    assert everything.text.endswith("● acme can be followed.\n")
    assert (connected["account"], connected["token_hint"]) == ("acme", tokens["service"][-4:])
    assert json.loads(reader.follow(LIST).text)["accounts"] == []
    assert [place for token in tokens.values() for place in reader.program.spilled(token)] == []


def test_a_script_pipes_the_token_in(simulated: Simulated, tmp_path: Path) -> None:
    """The same is said without the prompt; a token that lacks something is refused, and then nothing is saved."""
    tokens = simulated.account()["tokens"]
    reader = make_reader(tmp_path, simulated.own())
    (tmp_path / "token.txt").write_text(f"{tokens['no_runs']}\n")
    refused = reader.type(PIPED)
    before = json.loads(reader.follow(LIST).text)["accounts"]
    (tmp_path / "token.txt").write_text(f"{tokens['read_only']}\n")
    reader.follow(Command(PIPED.line, ADD.shown[1:]))

    assert (refused.status, before) == (2, [])
    assert "may not read runs" in refused.text


def test_through_a_proxy_and_with_certificates_of_ones_own(tmp_path: Path) -> None:
    """The block of headwater.toml, and the variables, lead through a real proxy to https with a private authority."""
    (block,) = read_blocks(PAGE, "toml")
    port = find_port()
    with simulating("--days", 1, "--tls") as simulated, running_tinyproxy(tmp_path, port) as log:
        proxy, ca_file = f"http://127.0.0.1:{port}", simulated.announced["ca_path"]
        own = {"http://proxy.example.com:3128": proxy, "/etc/ssl/certs/company.pem": ca_file}
        reader = make_reader(tmp_path / "home", simulated.own() | own)
        token = ("Token:", simulated.account()["tokens"]["read_only"])
        settings = tmp_path / "home" / "headwater.toml"

        untrusted = reader.type(ADD, token)
        settings.write_text(reader.put_in(block))
        reader.follow(ADD, token)
        by_file = log.read_text().count("CONNECT")
        settings.unlink()
        variables = {"HEADWATER__DBT_CLOUD__PROXY": proxy, "HEADWATER__DBT_CLOUD__CA_FILE": ca_file}
        reader.follow(CHECK, **variables)
        by_variables = log.read_text().count("CONNECT")
        reader.follow(CHECK, HTTPS_PROXY=proxy, https_proxy=proxy, HEADWATER__DBT_CLOUD__CA_FILE=ca_file)

        assert (untrusted.status, "is not trusted" in untrusted.text) == (2, True)
        assert all(f"`{name}`" in PAGE for name in variables)
        assert 0 < by_file < by_variables
        assert log.read_text().count("CONNECT") == by_variables
