"""The how-to page on webhooks, tried from zero: first without dbt Cloud, then through the page's nginx and Caddy."""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from simulated import Simulated

from pages import Command, Reader, read_blocks, read_commands, read_page, read_section
from program import Program, wait_for
from servers import find_port, is_listening, running_server

PAGE = read_page("webhooks")
(SUBSCRIBE,) = read_commands(read_section("webhooks", "Subscribe"))
(REMOVE,) = read_commands(read_section("webhooks", "Remove"))
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    server {{
        listen 127.0.0.1:{port};
        {block}
    }}
}}
"""
ELSEWHERE = (
    "/", "/healthz", "/login", "/api/v1/runs", "/hooks", "/hooks/other",
    "/hooks/dbt/../../healthz", "/hooks/dbt/%2e%2e/%2e%2e/healthz", "/hooks/dbt/..%2f..%2fhealthz", "//healthz",
)  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """The page's trial without dbt Cloud under way: the simulator and `headwater up` run on."""

    reader: Reader
    simulated: Simulated
    port: int
    subscribed: str


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """The four commands of "Try it without dbt Cloud", in order, as they stand but for free ports and the number."""
    simulator, add, up, subscribe = read_commands(read_section("webhooks", "Try it without dbt Cloud"))
    dbt_port, port = find_port(), find_port()
    settings = {"HEADWATER__WEB__PORT": str(port), "HEADWATER__DBT_MONITOR__PROMETHEUS_PORT": "0"}
    own = {"8900": str(dbt_port), "8787": str(port)}
    reader = Reader(Program(tmp_path_factory.mktemp("webhooks"), settings), own)
    with reader.beside(simulator, "simulator") as cloud:
        line = cloud.wait_for(lambda: cloud.said if cloud.said.endswith("\n") else None, "the simulator")
        simulated = Simulated(json.loads(line))
        assert str(simulated.account()["id"]) in add.line
        reader.follow(add, ("Token:", simulated.account()["token"]))
        with reader.beside(up, "up") as following:
            following.wait_for(lambda: is_listening(port), "the web application")
            typed = reader.follow(subscribe)
            yield Tried(reader, simulated, port, typed.text)


def test_the_trial_without_dbt_cloud(tried: Tried) -> None:
    """Subscribing says what the page shows of it; an ordered run is announced, and `webhook` stands in observed_by."""
    at_home = Reader(tried.reader.program, {"https://headwater.example.com": f"http://127.0.0.1:{tried.port}"})
    at_home.compare(SUBSCRIBE, tried.subscribed)
    body = {"job_id": min(tried.simulated.jobs())[0], "queue_seconds": 1, "duration_seconds": 3}
    run_id = tried.simulated.control("POST", "runs", body)["id"]

    wait_for(lambda: "webhook" in ways(tried, run_id), "the announced run")
    shown = tried.reader.follow(Command(f"headwater run {run_id} --json", ()))

    assert "webhook" in json.loads(shown.text)["observed_by"]


def ways(tried: Tried, run_id: int) -> list[str]:
    """Give the ways that a run was seen by, from the database."""
    with closing(sqlite3.connect(f"file:{tried.reader.program.data / 'headwater.db'}?mode=ro", uri=True)) as database:
        return [way for (way,) in database.execute("SELECT way FROM observations WHERE run_id = ?", (run_id,))]


@contextmanager
def nginx(folder: Path, port: int, app_port: int) -> Iterator[None]:
    """Run nginx with the page's location in a server of this machine."""
    (block,) = read_blocks(PAGE, "nginx")
    (folder / "nginx.conf").write_text(NGINX.format(port=port, block=block.replace("8787", str(app_port))))
    words = ("-p", folder, "-c", "nginx.conf", "-e", "stderr")
    with running_server("nginx", *words, folder=folder, port=port):
        yield


@contextmanager
def caddy(folder: Path, port: int, app_port: int) -> Iterator[None]:
    """Run Caddy with the page's site at an address of this machine."""
    (site,) = [block for block in read_blocks(PAGE) if "reverse_proxy" in block]
    own = {"headwater.example.com {": f"http://127.0.0.1:{port} {{\n    bind 127.0.0.1", "8787": str(app_port)}
    text = "{\n    admin off\n}\n" + Reader(Program(folder), own).put_in(site)
    (folder / "Caddyfile").write_text(text)
    with running_server("caddy", "run", "--config", "Caddyfile", folder=folder, port=port):
        yield


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_behind_a_proxy_as_the_page_has_it(tried: Tried, proxy: object, tmp_path: Path) -> None:
    """A trial of dbt Cloud arrives through it, and no other path of the application does, however it is written."""
    port = find_port()
    outside = Reader(tried.reader.program, {"https://headwater.example.com": f"http://127.0.0.1:{port}"})
    with proxy(tmp_path, port, tried.port):
        outside.follow(SUBSCRIBE)
        answers = {path: get(port, path) for path in ELSEWHERE}
        unsigned = get(port, "/hooks/dbt/nobody", "POST")
        own = get(tried.port, "/healthz")

    assert unsigned == (401, b'{"status":"refused"}')
    assert own[0] == 200
    assert own[1]
    assert {path: body for path, (_, body) in answers.items() if b"404 Not Found" not in body and body} == {}


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask for a path exactly as it is written."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_how_it_stands_and_its_end(tried: Tried) -> None:
    """Without an option the command says how it stands, also as a document; the end of it is as the page says."""
    stands = tried.reader.follow(Command("headwater account webhook acme", ()))
    document = tried.reader.follow(Command("headwater account webhook acme --json", ()))
    tried.reader.follow(REMOVE)
    after = tried.reader.follow(Command("headwater account webhook acme", ()))

    assert stands.text.startswith("Subscribed; last heard ")
    assert json.loads(document.text)["url"] in stands.text
    tried.reader.compare(REMOVE, after.text)
