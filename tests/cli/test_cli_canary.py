"""Secrets go in and never come out: what was given or made is looked for in all that Headwater says and keeps."""

from __future__ import annotations

import base64
import json
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import urllib3

from headwater.simulator import RunningSimulator
from program import Program, wait_for

_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)
PASSWORD = "canary password 7f3a91c2 & more"
PAGES = (
    "/", "/incidents", "/incidents/1-1", "/incidents.json", "/api/v1/incidents?state=all",
    "/runs", "/jobs", "/catalog", "/accounts", "/accounts/first", "/nodes?ref=fct_orders", "/confirm",
    "/settings", "/settings/users", "/settings/tokens", "/settings/webhooks", "/settings/retention",
    "/settings/audit", "/settings/about", "/overview.json", "/runs.json", "/jobs.json", "/accounts.json",
    "/catalog.json", "/nodes.json?ref=fct_orders", "/impact.json?ref=fct_orders", "/why.json?ref=fct_orders",
    "/api/v1/accounts/first", "/api/v1/match?table=fct_orders", "/api/v1/revision",
    "/api/v1/openapi/openapi.json", "/healthz", "/login", "/login/provider", "/login/callback?code=1&state=2",
    "/nowhere", "/runs/first/1", "/runs?limit=x", "/api/v1/runs?limit=x", "/accounts/nobody",
    "/settings/audit?before=x",
)  # fmt: skip
COMMANDS = (
    ("account", "list", "--json"), ("account", "show", "first", "--json"), ("check", "--json"), ("audit", "--json"),
    ("audit", "--verify"), ("user", "list", "--json"), ("token", "list", "--json"), ("account", "check", "first"),
    ("incidents", "--json"),
)  # fmt: skip


def forms_of(secret: str) -> set[bytes]:
    """Give the ways in which a secret could stand somewhere."""
    raw = secret.encode()
    plain = {raw, json.dumps(secret)[1:-1].encode(), urlencode({"": secret})[1:].encode(), quote(secret).encode()}
    packed = (code(b"\0" * before + raw)[4:-4] for before in range(3) for code in _BASE64)
    return plain | {raw.hex().encode(), *packed}


def list_processes() -> bytes:
    """Give the command lines of all processes, as every user of the machine may see them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            lines.append(path.read_bytes())
    return b"\0".join(lines)


@pytest.mark.parametrize("before", range(3))
def test_a_secret_is_found_in_whatever_way_it_is_written(before: int) -> None:
    """The search is not blind: plain, in JSON, in an address, in hexadecimal, and anywhere in what base64 packs."""
    within = f"{'x' * before}{PASSWORD}yz"
    written = (within, json.dumps(within), quote(within), urlencode({"q": within}), within.encode().hex())
    packed = (base64.b64encode(within.encode()), base64.urlsafe_b64encode(within.encode()))

    for text in (*(one.encode() for one in written), *packed):
        assert any(form in text for form in forms_of(PASSWORD)), text


@pytest.fixture
def house(program: Program, simulator: RunningSimulator) -> tuple[Program, dict[str, str]]:
    """A Headwater with an admin, an account and an API token; and the secrets that were used."""
    account = simulator.accounts[0]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        program.settings["HEADWATER__DBT_MONITOR__PROMETHEUS_PORT"] = str(probe.getsockname()[1])
    adding = ("account", "add", "first", "--account-id", account.id, "--url", simulator.url, "--token-stdin")
    assert program.run("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=PASSWORD).status == 0
    assert program.run(*adding, stdin=account.token).status == 0
    program.said.clear()
    made = program.run("token", "create", "canary", "--role", "admin")
    link = program.run("login")
    program.said.clear()  # these two say a secret, this once
    secrets = {"password": PASSWORD, "account token": account.token, "api token": made.out.strip()}
    secrets["client secret"] = "canary of the client 5b1c & more"
    provider = f'issuer = "http://127.0.0.1:9"\nclient_id = "headwater"\nclient_secret = "{secrets["client secret"]}"'
    (program.folder / "headwater.toml").write_text(f'[oidc]\n{provider}\nviewer_groups = ["all"]\n')
    return program, secrets | {"link": link.out.strip().rpartition("#")[2]}


def test_no_secret_comes_out_again(house: tuple[Program, dict[str, str]]) -> None:
    """Every page, document, fault, command, metric, log, process and file is searched for each secret in each form."""
    program, secrets = house
    answers: list[tuple[str, bytes]] = []
    with program.running("up", "--port", "0") as process, urllib3.PoolManager() as pool:
        url = wait_for(lambda: program.output().partition("Headwater is on ")[2].partition("\n")[0], "the address")

        def ask(what: str, method: str, path: str, fields: object = None, **headers: str) -> urllib3.BaseHTTPResponse:
            body = None if fields is None else urlencode(fields)
            sent = {"Sec-Fetch-Site": "same-origin", **headers}
            reply = pool.request(method, url + path, headers=sent, body=body, redirect=False, retries=False)
            answers.append((f"{reply.status} {what} {path}", reply.data + str(reply.headers).encode()))
            return reply

        entered = ask("login", "POST", "/login", {"name": "ada", "password": PASSWORD})
        answers.clear()  # its cookie is the one place where a session may stand
        cookie = entered.headers["set-cookie"].partition(";")[0]
        secrets["session"] = cookie.partition("=")[2]
        for path in PAGES:
            ask("page", "GET", path, Cookie=cookie)
            ask("with a token", "GET", path, Authorization=f"Bearer {secrets['api token']}")
        wrong = {"name": "second", "account_id": "7", "url": "https://127.0.0.1:9"}
        ask("wrong account", "POST", "/accounts", wrong | {"token": secrets["account token"]}, Cookie=cookie)
        broken = {"token": secrets["account token"] + "\x00"}
        ask("broken token", "POST", "/accounts/first/token", broken, Cookie=cookie)
        ask("wrong login", "POST", "/login", {"name": "bob", "password": PASSWORD})
        ask("wrong link", "POST", "/login", {"link": secrets["api token"]})
        short = {"password": PASSWORD, "new": secrets["link"], "again": "other"}
        ask("wrong change", "POST", "/settings/password", short, Cookie=cookie)
        ask("wrong bearer", "GET", "/api/v1/runs", Authorization=f"Bearer {secrets['api token']}x")
        ask("basic", "GET", "/api/v1/runs", Authorization=f"Basic {secrets['password']}")
        port = program.settings["HEADWATER__DBT_MONITOR__PROMETHEUS_PORT"]
        metrics = pool.request("GET", f"http://127.0.0.1:{port}/metrics", retries=False)
        answers.append(("metrics", metrics.data))
        lists = list_processes()
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        for words in COMMANDS:
            said = program.run(*words)
            answers.append((" ".join(words), (said.out + said.err).encode()))

    looked_for = {name: forms_of(secret) for name, secret in secrets.items()}
    places = [*answers, ("process list", lists), ("environment", environment)]
    places += [("output", program.output().encode()), ("log", program.errors().encode())]
    places += [(path.name, path.read_bytes()) for path in program.data.rglob("*") if path.is_file()]
    found = {
        (name, place)
        for place, text in places
        for name, forms in looked_for.items()
        if any(form in text for form in forms)
    }

    assert found == set()
    assert sum(name.startswith(("200 page", "200 with a token")) for name, _ in answers) > 1.5 * len(PAGES)
    assert any(form in str(entered.headers).encode() for form in looked_for["session"])
    assert all(len(secret) >= 16 for secret in secrets.values())
