"""The how-to page on the monitor, tried from zero: following, settings, metrics, alert rules and the service."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
import yaml
from prometheus_client.parser import text_string_to_metric_families
from simulated import Simulated, simulating

from pages import Beside, Command, Reader, read_blocks, read_commands, read_page
from program import Program, wait_for
from servers import find_port, is_listening

PAGE = read_page("monitor")
MONITOR, SERVE, OPTIONS, METRICS, HEALTH, ADD, LOGIN = read_commands(PAGE)
SELECTOR = re.compile(r"(headwater_\w+)(?:\{(\w+)=\"(\w+)\"\})?")
BRISK = {"HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE": "60000"}


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    """A simulated dbt Cloud with a day of history."""
    with simulating("--days", 1) as running:
        yield running


def test_following_from_the_first_command_to_the_alert_rules(simulated: Simulated, tmp_path: Path) -> None:
    """Monitor and pages work on one store, further monitors end as told, and every alert rule finds its metric.

    The further monitors run beside the first, on the same store; the rule of passes that fail finds one that did.
    """
    port, web_port = find_port(), find_port()
    first = {"HEADWATER__DBT_MONITOR__PROMETHEUS_PORT": str(port), "HEADWATER__DBT_MONITOR__INTERVAL": "0.1"}
    brisk = {"interval = 30 ": "interval = 0.1", "prometheus_port = 8000": f"prometheus_port = {find_port()}"}
    own = {"127.0.0.1:8000": f"127.0.0.1:{port}"} | brisk
    reader = Reader(Program(tmp_path, BRISK | {"HEADWATER__WEB__PORT": str(web_port)}), own)
    account = simulated.account()
    connecting = ("account", "add", "acme", "--account-id", account["id"], "--url", simulated.url, "--token-stdin")
    assert reader.program.run(*connecting, stdin=account["token"]).status == 0

    with reader.beside(MONITOR, "monitor", **first) as monitor, reader.beside(SERVE, "serve") as serve:
        serve.wait_for(lambda: is_listening(web_port), "the pages")
        (block,) = read_blocks(PAGE, "toml")
        (tmp_path / "headwater.toml").write_text(reader.put_in(block))
        reader.follow(MONITOR)
        reader.follow(OPTIONS, HEADWATER__DBT_MONITOR__NUMBER_OF_ITERATIONS="1")
        wait_for(lambda: find_missing(ask(reader, METRICS)) == {FAILING}, "the metrics of all rules but one")
        reader.follow(HEALTH)
        simulated.control("POST", "faults", {"revoke_tokens": [account["token"]]})
        wait_for(lambda: ask(reader, HEALTH) != "ok\n", "an account that fails")
        assert "acme" in ask(reader, HEALTH)
        assert find_missing(ask(reader, METRICS)) == set()
        simulated.control("POST", "faults", {"clear": True})

        assert urllib3.request("GET", f"http://127.0.0.1:{web_port}/healthz").status == 200
        assert [monitor.end(), serve.end()] == [0, 0]
        assert_logged(monitor)


FAILING = ("headwater_passes_total", "outcome", "failure")


def ask(reader: Reader, command: Command) -> str:
    """Ask by the page's curl."""
    return reader.follow(Command(command.line, ())).text


def find_missing(metrics: str) -> set[tuple[str, str, str]]:
    """Find what the page's rules ask for, and no sample answers: name, and label with value where they name one."""
    (block,) = read_blocks(PAGE, "yaml")
    wanted = {found for rule in yaml.safe_load(block) for found in SELECTOR.findall(rule["expr"])}
    assert len(wanted) == 3
    samples = [one for family in text_string_to_metric_families(metrics) for one in family.samples]
    return {
        (name, label, value)
        for name, label, value in wanted
        if not any(one.name == name and one.labels.get(label, "") == value for one in samples)
    }


def assert_logged(beside: Beside) -> None:
    """See that logs are lines of key=value, and that there are some."""
    lines = beside.errors.splitlines()
    assert lines
    assert [line for line in lines if not re.match(r"timestamp=\S+ level=\w+ event=", line)] == []


def test_as_a_service(simulated: Simulated, tmp_path: Path) -> None:
    """The unit's command with the unit's environment, and both commands for its user, work on one data folder.

    There is no user of that name here: `env` stands in the place of `sudo -u headwater`.
    """
    state, programs = tmp_path / "state", tmp_path / "opt" / "bin"
    port = find_port()
    own = {"/var/lib/headwater": str(state), "/opt/headwater/bin": str(programs), "sudo -u headwater": "env"}
    settings = BRISK | {"HEADWATER__WEB__PORT": str(port), "HEADWATER__DBT_MONITOR__PROMETHEUS_PORT": "0"}
    reader = Reader(Program(tmp_path, settings), own | simulated.own())
    unit = read_unit(reader)
    state.mkdir(int(unit["StateDirectoryMode"], 8))
    programs.mkdir(parents=True)
    (programs / "headwater").symlink_to(Path(sys.executable).with_name("headwater"))
    environ = dict(pair.split("=", 1) for pair in shlex.split(unit["Environment"]))

    reader.follow(ADD, ("Token:", simulated.account()["token"]))
    with reader.beside(Command(unit["ExecStart"], ()), "up", **environ) as up:
        up.wait_for(lambda: is_listening(port), "the pages")
        (printed,) = re.findall(r"http://\S+/login#\S+", reader.follow(LOGIN).text)
        at_start = up.wait_for(lambda: re.findall(r"http://\S+/login#\S+", up.said), "the link of the start")
        entered = [enter(link) for link in (printed, *at_start, printed)]
        status = up.end()

    assert printed.startswith(f"http://127.0.0.1:{port}/")
    assert entered == [303, 303, 401]
    assert status == 0
    assert (state / "headwater.db").exists()
    assert not reader.program.data.exists()


def read_unit(reader: Reader) -> configparser.SectionProxy:
    """Read the service of the page's unit, with the folders of the test."""
    (block,) = read_blocks(PAGE, "ini")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(reader.put_in(block))
    return parser["Service"]


def enter(link: str) -> int:
    """Sign in with a link as its page does."""
    address = link.partition("#")[0]
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": address.removesuffix("/login")}
    body = urlencode({"link": link})
    return urllib3.request("POST", address, body=body, headers=headers, redirect=False).status
