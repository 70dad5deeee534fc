"""How soon the lineage of 5,000 and of 50,000 nodes is drawn in chromium, how it moves, and what others take for it.

Run with `uv run python bench/explorer.py [NODES …]`. The same project is stored in Headwater, served as `dbt docs
generate` leaves it, and written as a page by dbt-colibri; each is opened in a real browser. Headwater is the command
`headwater serve` in a process of its own. `first` is a server that nobody has asked for lineage yet, in a browser that
has shown that of a small project, right after its start and after its jobs were open for a while, each time a server of
its own; `again` the same once more. The peers are fetched by uv; each page of theirs is given
up after a time, since a browser that computes a picture answers to nothing else.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from headwater.config import read_settings  # noqa: E402
from headwater.model.account import Environment, Project  # noqa: E402
from headwater.model.run import Way  # noqa: E402
from headwater.observatory.evaluating import evaluate_stored  # noqa: E402
from headwater.observatory.holder import open_observatory  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.inventory import save_environments, save_projects  # noqa: E402
from headwater.sync.record import record_run  # noqa: E402
from ingest import ADDRESS, BEGAN, collected  # noqa: E402
from program import Program, wait_for  # noqa: E402
from projects import make_manifest, make_results  # noqa: E402
from read_artifacts import recorded  # noqa: E402

SIZES = (5_000, 50_000)
SMALL = 60
ROUNDS = 5
FIRST_ROUNDS = 3
FORMS = {"node by node": "?collapse=none", "as folders": ""}
MOMENTS = {"right after the start": 0, "after the jobs were open for 5 s": 5}
"""Seconds for which another page is open before the first click."""
PATIENCE = 60
"""Seconds to wait for a picture."""
WRITING = 120
"""Seconds to wait for a page that is written before it is opened."""
WINDOW = {"width": 1400, "height": 900}
CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PAN = """async () => {
  const stage = document.getElementById('stage'), frames = [];
  const turn = {bubbles: true, cancelable: true};
  let before = performance.now();
  for (let step = 0; step < 90; step += 1) {
    const way = step < 45 ? 1 : -1;
    stage.dispatchEvent(new WheelEvent('wheel', {...turn, deltaX: 12 * way, deltaY: 30 * way}));
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - before);
    before = performance.now();
  }
  return frames;
}"""


FETCHED = "performance.getEntriesByType('resource').map((one) => [one.name, one.encodedBodySize])"
"""What the page loaded, each with the bytes of its body as sent."""


DOCS_DRAWN = """() => [...document.querySelectorAll('canvas')].some(one => one.width > 300 && one.getContext('2d')
    .getImageData(0, 0, one.width, one.height).data.some(byte => byte))"""
"""Whether dbt docs has painted its canvas."""
COLIBRI_DRAWN = "() => document.querySelectorAll('.react-flow__node').length >= {least}"
"""Whether dbt-colibri shows so many nodes."""


def store(folder: Path, size: int) -> dict[str, Any]:
    """Store one run of a project of so many nodes; gives its manifest."""
    template, results = recorded()
    manifest = make_manifest(template, size)
    settings = read_settings(data_folder=folder)
    with open_observatory(settings, clock=lambda: BEGAN + timedelta(days=1, hours=5)) as observatory:
        with observatory.store.write() as tx:
            key = save_account(tx, "bench", ADDRESS, BEGAN).account_key
            save_projects(tx, key, [Project(project_id=1, name="bench")])
            place = Environment(environment_id=1, project_id=1, name="Production", deployment_type="production")
            save_environments(tx, key, [place])
        run = collected(1, json.dumps(manifest).encode(), make_results(results, manifest))
        record_run(observatory.store, key, run, Way.POLL, BEGAN)
        observatory.store.update_statistics()
        evaluate_stored(observatory)
    return manifest


@contextmanager
def served(program: Program) -> Iterator[str]:
    """Run `headwater serve` over what is stored; gives the link that signs in."""
    with program.running("serve", "--port", 0):
        yield wait_for(lambda: next((word for word in program.output().split() if "/login#" in word), None), "a link")


def open_signed_in(browser: Browser, link: str) -> tuple[Page, str]:
    """Open a window that is signed in; gives it and the address of the application."""
    window = browser.new_context(viewport=WINDOW).new_page()
    window.goto(link)
    url = link.partition("/login")[0]
    window.wait_for_url(f"{url}/")
    return window, url


def measure_ours(browser: Browser, program: Program) -> dict[str, Any]:
    """Click from the jobs to the whole lineage, then drag it, drawn node by node."""
    figures: dict[str, Any] = {"drawn first, ms": measure_first(browser, program)}
    with served(program) as link:
        window, url = open_signed_in(browser, link)
        figures["drawn again, ms"] = {
            form: statistics.median([click(window, f"{url}/lineage{query}") for _ in range(ROUNDS + 1)][1:])
            for form, query in FORMS.items()
        }
        window.goto(f"{url}/lineage?collapse=none")
        wait_until(window, "document.documentElement.dataset.view !== undefined")
        frames = window.evaluate(PAN)
        figures["frame, ms"] = round(statistics.median(frames), 1)
        figures["slowest of twenty frames, ms"] = round(statistics.quantiles(frames, n=20)[-1], 1)
        figures["elements"] = window.evaluate("document.querySelectorAll('#stage *').length")
        fetched = window.evaluate(FETCHED)
        figures["data, kB"] = round(sum(size for name, size in fetched if "/api/v1/lineage" in name) / 1000)
        files = [window.request.get(name).body() for name, _ in fetched if "/static/" in name]
        files.append(window.request.get(f"{url}/lineage?collapse=none").body())
        figures["page, kB compressed"] = round(sum(len(gzip.compress(body)) for body in files) / 1000, 1)
        window.context.close()
    return figures


def measure_first(browser: Browser, program: Program) -> dict[str, float]:
    """Click to the lineage of servers that were never asked for it; gives the median for each form and moment."""
    return {
        f"{form}, {when}": statistics.median(
            [click_first(browser, program, query, seconds) for _ in range(FIRST_ROUNDS)]
        )
        for form, query in FORMS.items()
        for when, seconds in MOMENTS.items()
    }


def click_first(browser: Browser, program: Program, query: str, seconds: float) -> float:
    """Start a server, sign in, leave the jobs open for so many seconds, and click."""
    with served(program) as link:
        window, url = open_signed_in(browser, link)
        window.goto(f"{url}/jobs")
        window.wait_for_timeout(seconds * 1000)
        drawn = click(window, f"{url}/lineage{query}")
        window.context.close()
    return drawn


def click(window: Page, address: str) -> float:
    """Give the milliseconds from a click on a link to the picture, as the page's clock has it."""
    window.goto(address.partition("/lineage")[0] + "/jobs")
    window.evaluate(
        "to => document.body.append(Object.assign(document.createElement('a'), {href: to, id: 'go'}))",
        address,
    )
    window.evaluate("sessionStorage.setItem('clicked', performance.timeOrigin + performance.now())")
    window.evaluate("document.getElementById('go').click()")
    window.wait_for_url(address + "**")
    wait_until(window, "performance.getEntriesByName('lineage-drawn').length > 0")
    return round(
        window.evaluate(
            "performance.timeOrigin + performance.getEntriesByName('lineage-drawn')[0].startTime"
            " - Number(sessionStorage.getItem('clicked'))"
        )
    )


def wait_until(window: Page, told: str) -> None:
    """Wait until a line of script is true; the pages forbid the browser's own way to wait for one."""
    end = time.monotonic() + PATIENCE
    while not window.evaluate(told):
        if time.monotonic() > end:
            raise TimeoutError(f"{window.url}: not within {PATIENCE} s: {told}")
        window.wait_for_timeout(50)


def measure_page(folder: Path, address: str, drawn: str) -> dict[str, Any]:
    """Open a page of files in a browser of its own; the time is from the call to the picture, None if it never came."""
    answers: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=open_page, args=(folder, address, drawn, answers))
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    milliseconds = answers.get(timeout=1) if process.exitcode == 0 else None
    return {"drawn, ms": milliseconds if milliseconds is not None else f"not within {PATIENCE} s"}


def open_page(folder: Path, address: str, drawn: str, answers: multiprocessing.Queue[int]) -> None:
    """Put the milliseconds until a page has drawn what it has to draw; in a group of processes that can be ended."""
    os.setsid()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM.split())
        window = browser.new_context(viewport=WINDOW).new_page()
        began = time.perf_counter()
        window.goto(f"http://127.0.0.1:{server.server_port}/{address}", timeout=0, wait_until="commit")
        window.wait_for_function(drawn, timeout=0, polling=100)
        answers.put(round((time.perf_counter() - began) * 1000))
        browser.close()
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def run_with(package: str, *command: str) -> str:
    """Run a command where a package is installed; gives what it printed."""
    uv = ["uv", "run", "--no-project", "--python", "3.11", "--with", package]
    return subprocess.run([*uv, *command], capture_output=True, text=True, check=True, timeout=WRITING).stdout


def measure_docs(folder: Path) -> dict[str, Any]:
    """Open dbt docs' graph of the whole project, with the page that dbt-core has."""
    say = "import dbt.task.docs, pathlib; print(pathlib.Path(dbt.task.docs.__file__).parent / 'index.html')"
    page = Path(run_with("dbt-core<1.12", "python", "-c", say).strip())
    (folder / "index.html").write_bytes(page.read_bytes())
    sizes = [len(gzip.compress(path.read_bytes(), 6)) for path in folder.iterdir() if path.is_file()]
    figures = measure_page(folder, "index.html#!/overview?g_v=1", DOCS_DRAWN)
    return figures | {"page and data, kB compressed": round(sum(sizes) / 1000)}


def measure_colibri(folder: Path, last: str) -> dict[str, Any]:
    """Open dbt-colibri's page as it begins, at one model, and with all that the last model is made from."""
    written = folder / "colibri"
    files = ("--manifest", str(folder / "manifest.json"), "--catalog", str(folder / "catalog.json"))
    began = time.perf_counter()
    try:
        run_with(
            "dbt-colibri", "colibri", "generate", *files, "--output-dir", str(written), "--light", "--disable-telemetry"
        )
    except subprocess.TimeoutExpired:
        return {"written, s": f"not within {WRITING} s"}
    figures: dict[str, Any] = {"written, s": round(time.perf_counter() - began, 1)}
    page = (written / "index.html").read_bytes()
    figures["page and data, kB compressed"] = round(len(gzip.compress(page, 6)) / 1000)
    figures["one model"] = measure_page(written, "index.html", COLIBRI_DRAWN.format(least=1))
    all_levels = f"index.html?model={last}&parents=999&children=0"
    figures["all above one model"] = measure_page(written, all_levels, COLIBRI_DRAWN.format(least=2))
    return figures


def write_artifacts(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, and a catalog in which every table has one column."""
    schema = "https://schemas.getdbt.com/dbt/catalog/v1.json"
    catalog: dict[str, Any] = {"metadata": {"dbt_schema_version": schema}, "errors": None}
    for part in ("nodes", "sources"):
        catalog[part] = {
            unique_id: {
                "unique_id": unique_id,
                "metadata": {"type": "table", **{name: node[name] for name in ("database", "schema", "name")}},
                "columns": {"id": {"type": "text", "index": 1, "name": "id"}},
                "stats": {},
            }
            for unique_id, node in manifest[part].items()
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "catalog.json").write_text(json.dumps(catalog))


@contextmanager
def stored(size: int) -> Iterator[tuple[Program, dict[str, Any]]]:
    """Give a program over a store with a project of so many nodes, and its manifest."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder))
        yield program, store(program.data, size)


def main(arguments: list[str]) -> None:
    """Print the figures of each size, then one JSON line."""
    figures: dict[str, Any] = {}
    for size in [int(given) for given in arguments] or SIZES:
        with stored(size) as (program, manifest), tempfile.TemporaryDirectory() as name:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM.split())
                with stored(SMALL) as (small, _), served(small) as link:
                    window, url = open_signed_in(browser, link)
                    click(window, f"{url}/lineage?collapse=none")
                found: dict[str, Any] = {"headwater": measure_ours(browser, program)}
                browser.close()
            folder = Path(name)
            write_artifacts(folder, manifest)
            last = [unique_id for unique_id in manifest["nodes"] if ".rpt_" in unique_id][-1]
            found |= {"dbt docs": measure_docs(folder), "dbt-colibri": measure_colibri(folder, last)}
        figures[str(size)] = found
        print(f"{size:,} nodes", *(f"  {who}: {what}" for who, what in found.items()), sep="\n", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
