"""How long each page takes in a project of more than 10,000 nodes with 90 days of runs and a million executions.

Run with `uv run python bench/pages.py`. The application answers over HTTP on loopback, from a thread of this process.
`first` is the first answer of all, in milliseconds; then each page is asked for thirty times. Bytes are those of the
page and of all files it loads, compressed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import urllib3
from sqlalchemy import func, select, text

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from headwater.collect import CollectedRun  # noqa: E402
from headwater.config import read_settings  # noqa: E402
from headwater.model.account import Environment, Job, Project  # noqa: E402
from headwater.model.run import Run, RunStatus, Way  # noqa: E402
from headwater.observatory.access import Role, create_token  # noqa: E402
from headwater.observatory.evaluating import evaluate_stored  # noqa: E402
from headwater.observatory.holder import Observatory, open_observatory  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.inventory import save_environments, save_jobs, save_projects  # noqa: E402
from headwater.store.schema import executions, runs  # noqa: E402
from headwater.sync.record import record_run  # noqa: E402
from headwater.web.app import create_app  # noqa: E402
from headwater.web.serve import calm_collector, listen, make_server  # noqa: E402
from ingest import ADDRESS, BEGAN, collected, databases, numbered  # noqa: E402
from projects import make_manifest, make_results  # noqa: E402
from read_artifacts import recorded  # noqa: E402
from verdicts import DAYS, repeat  # noqa: E402

TIMES = 30
HOURS = 24 * 30
SIZE = 12_700
"""Nodes, of which 10,900 are models: a million executions in 91 nights."""
NOW = BEGAN + timedelta(days=2, hours=2)
_LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_IMPORTED = re.compile(r'(?:from|import) "(\./[^"]+)"')


def fill(observatory: Observatory) -> None:
    """Store a nightly job over all nodes for 90 days, of which the last failed here and there, and an hourly one."""
    manifest, results = recorded()
    large = make_manifest(manifest, SIZE)
    body = json.dumps(large).encode()
    with observatory.store.write() as tx:
        account_key = save_account(tx, "bench", ADDRESS, BEGAN).account_key
        save_projects(tx, account_key, [Project(project_id=1, name="estate")])
        production = Environment(environment_id=1, project_id=1, name="Production", deployment_type="production")
        save_environments(tx, account_key, [production])
        nightly = Job(job_id=1, project_id=1, environment_id=1, name="Nightly", cron="0 3 * * *")
        save_jobs(tx, account_key, [nightly, replace(nightly, job_id=2, name="Hourly", cron="30 * * * *")])
    good = {name: node for name, node in large["nodes"].items() if name.startswith("model.")}
    whole = {"results": [one | {"status": "success"} for one in json.loads(make_results(results, large))["results"]]}
    record_run(observatory.store, account_key, collected(1, body, numbered(results | whole, 1)), Way.POLL, BEGAN)
    repeat(observatory, account_key, DAYS)
    last = collected(2, body, make_results(results, large, 2))
    record_run(
        observatory.store, account_key, replace(last, run=replace(last.run, status=RunStatus.ERROR)), Way.POLL, BEGAN
    )
    for hour in range(HOURS):
        at = NOW - timedelta(hours=hour)
        run = Run(
            run_id=10_000_000 - hour, status=RunStatus.SUCCESS, project_id=1, environment_id=1, job_id=2, created_at=at,
            updated_at=at, started_at=at, finished_at=at + timedelta(minutes=3),
        )  # fmt: skip
        record_run(
            observatory.store,
            account_key,
            CollectedRun(address=ADDRESS, run=run, artifacts=(), collected_at=at),
            Way.POLL,
            at,
        )
    observatory.store.update_statistics()
    if not observatory.store.is_sqlite:  # as its autovacuum does a minute after so many new rows
        with observatory.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    evaluate_stored(observatory)
    assert len(good) > SIZE // 2


@contextmanager
def answering(observatory: Observatory) -> Iterator[str]:
    """Serve in a thread; gives the address."""
    with listen("127.0.0.1", 0) as listener:
        calm_collector()
        server = make_server(create_app(observatory))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def find_pages(ask: urllib3.PoolManager, url: str) -> dict[str, str]:
    """Give the addresses to time, by what they are called."""

    def get(path: str) -> dict[str, object]:
        found: dict[str, object] = ask.request("GET", url + path).json()
        return found

    failed = json.loads(json.dumps(get("/catalog.json?state=failed&limit=1")))["nodes"][0]["unique_id"]
    node = quote(failed)
    incident = json.loads(json.dumps(get("/incidents.json")))["incidents"][0]["id"]
    return {
        "overview": "/",
        "runs": "/runs",
        "runs, filtered": "/runs?status=error&text=night",
        "run of 10,000 nodes": "/runs/bench/2",
        "run without results": "/runs/bench/10000000",
        "jobs": "/jobs",
        "accounts": "/accounts",
        "account": "/accounts/bench",
        "catalogue": "/catalog",
        "catalogue, searched": "/catalog?text=orders",
        "catalogue, searched, document": "/catalog.json?text=fct_sales",
        "node": f"/nodes?ref={node}",
        "lineage of a node": f"/lineage?ref={node}",
        "incidents": "/incidents",
        "incident": f"/incidents/{incident}",
        "settings": "/settings/about",
    }


def time_page(ask: urllib3.PoolManager, address: str) -> dict[str, float]:
    """Ask for a page again and again; milliseconds and bytes."""
    began = time.perf_counter()
    reply = ask.request("GET", address)
    first = (time.perf_counter() - began) * 1000
    assert reply.status == 200, (address, reply.status, reply.data[:500])
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        ask.request("GET", address)
        taken.append((time.perf_counter() - began) * 1000)
    return {
        "first": round(first, 1),
        "median": round(statistics.median(taken), 1),
        "p95": round(statistics.quantiles(taken, n=20, method="inclusive")[-1], 1),
        "kilobytes": round(len(gzip.compress(reply.data)) / 1000, 1),
    }


def count_loaded(ask: urllib3.PoolManager, url: str, page: str) -> float:
    """Give the kilobytes, compressed, of the files that a page loads, those included that its modules import."""
    waiting = _LOADED.findall(ask.request("GET", url + page).data.decode())
    seen: dict[str, int] = {}
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        body = ask.request("GET", url + path).data
        seen[path] = len(gzip.compress(body))
        if path.endswith(".js"):
            folder = path.rsplit("/", 1)[0]
            waiting += [f"{folder}/{name.removeprefix('./')}" for name in _IMPORTED.findall(body.decode())]
    return round(sum(seen.values()) / 1000, 1)


def main() -> None:
    """Print a line for each page and database, then one JSON line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--database", choices=("SQLite", "PostgreSQL"), help="leave the other out")
    only = options.parse_args().database
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with databases() as urls, tempfile.TemporaryDirectory() as folder:
        for database, address in urls.items():
            if only not in {None, database}:
                continue
            settings = read_settings(data_folder=Path(folder), database_url=address)
            with open_observatory(settings, clock=lambda: NOW) as observatory:
                fill(observatory)
                with observatory.store.read() as tx:
                    stored = [
                        tx.execute(select(func.count()).select_from(one)).scalar_one() for one in (runs, executions)
                    ]
                print(f"{database}: {stored[0]:,} runs, {stored[1]:,} executions")
                _, token = create_token(observatory, "bench", Role.VIEWER)
                headers = {"Authorization": f"Bearer {token.reveal()}"}
                with answering(observatory) as url, urllib3.PoolManager(headers=headers) as ask:
                    figures[database] = {}
                    for name, path in find_pages(ask, url).items():
                        row = time_page(ask, url + path) | {"loads": count_loaded(ask, url, path)}
                        figures[database][name] = row
                        print(f"{database:11} {name:30} {row}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
