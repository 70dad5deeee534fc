"""How soon the lineage of 5,000 and of 50,000 nodes is drawn in chromium, how it moves, and what dbt docs takes for it.

Run with `uv run python bench/explorer.py [NODES …]`. The same project is stored in Headwater and served as `dbt docs
generate` leaves it; both are opened by a click in a real browser. `first` is a server that has not been asked yet,
`again` the same once more. The page of dbt docs is that of dbt-core, fetched by uv.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import json
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

from cloud import serving  # noqa: E402
from headwater.config import read_settings  # noqa: E402
from headwater.model.account import Environment, Project  # noqa: E402
from headwater.model.run import Way  # noqa: E402
from headwater.observatory.holder import Observatory, open_observatory  # noqa: E402
from headwater.observatory.sessions import create_login_link  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.inventory import save_environments, save_projects  # noqa: E402
from headwater.sync.record import record_run  # noqa: E402
from ingest import ADDRESS, BEGAN, collected  # noqa: E402
from projects import make_manifest, make_results  # noqa: E402
from read_artifacts import recorded  # noqa: E402

SIZES = (5_000, 50_000)
ROUNDS = 5
PATIENCE = 120
"""Seconds to wait for a picture of ours."""
DOCS_PATIENCE = 60_000
"""Milliseconds to wait for the graph of dbt docs."""
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


@contextmanager
def stored(manifest: dict[str, Any], results: bytes) -> Iterator[Observatory]:
    """Give an observatory that holds one run of the project."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_observatory(
            read_settings(data_folder=Path(folder), database_url=f"sqlite:///{folder}/bench.db"),
            clock=lambda: BEGAN + timedelta(days=1, hours=5),
        ) as observatory,
    ):
        with observatory.store.write() as tx:
            key = save_account(tx, "bench", ADDRESS, BEGAN).account_key
            save_projects(tx, key, [Project(project_id=1, name="bench")])
            place = Environment(environment_id=1, project_id=1, name="Production", deployment_type="production")
            save_environments(tx, key, [place])
        record_run(observatory.store, key, collected(1, json.dumps(manifest).encode(), results), Way.POLL, BEGAN)
        observatory.store.update_statistics()
        yield observatory


def measure_ours(browser: Browser, observatory: Observatory) -> dict[str, Any]:
    """Click from the overview to the whole lineage, drawn node by node, then drag it."""
    figures: dict[str, Any] = {}
    with serving(observatory) as url:
        window = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        window.goto(f"{url}/login#{create_login_link(observatory).reveal()}")
        window.wait_for_url(f"{url}/")
        drawn = [click(window, f"{url}/lineage?collapse=none") for _ in range(ROUNDS + 1)]
        figures["drawn first, ms"], figures["drawn again, ms"] = drawn[0], statistics.median(drawn[1:])
        figures["drawn as folders, ms"] = click(window, f"{url}/lineage")
        window.goto(f"{url}/lineage?collapse=none")
        wait_until(window, "document.documentElement.dataset.view !== undefined")
        frames = window.evaluate(PAN)
        figures["frame, ms"] = round(statistics.median(frames), 1)
        figures["slowest of twenty frames, ms"] = round(statistics.quantiles(frames, n=20)[-1], 1)
        figures["elements"] = window.evaluate("document.querySelectorAll('#stage *').length")
        fetched = window.evaluate(FETCHED)
        figures["data, kB"] = round(sum(size for name, size in fetched if "/api/v1/lineage" in name) / 1000)
        served = [window.request.get(name).body() for name, _ in fetched if "/static/" in name]
        served.append(window.request.get(f"{url}/lineage?collapse=none").body())
        figures["page, kB compressed"] = round(sum(len(gzip.compress(body)) for body in served) / 1000, 1)
    return figures


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


def measure_docs(browser: Browser, folder: Path) -> dict[str, Any]:
    """Open dbt docs' graph of the whole project; the picture is there when its canvas has been painted."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        window = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        began = time.perf_counter()
        try:
            window.goto(f"http://127.0.0.1:{server.server_port}/index.html#!/overview?g_v=1", timeout=DOCS_PATIENCE)
            window.wait_for_function(
                """() => [...document.querySelectorAll('canvas')].some(one => one.width > 300 && one.getContext('2d')
                .getImageData(0, 0, one.width, one.height).data.some(byte => byte))""",
                timeout=DOCS_PATIENCE,
                polling=200,
            )
            seconds: float | None = round((time.perf_counter() - began) * 1000)
        except Exception as failure:  # noqa: BLE001 - told as a figure
            print(f"dbt docs: {str(failure).splitlines()[0]}")
            seconds = None
        server.shutdown()
    whole = sum(len(gzip.compress(path.read_bytes(), 6)) for path in folder.iterdir())
    return {"drawn, ms": seconds, "page and data, kB compressed": round(whole / 1000)}


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def find_docs_page() -> bytes:
    """Give the page of dbt docs as dbt-core has it."""
    command = ["uv", "run", "--no-project", "--python", "3.11", "--with", "dbt-core<1.12", "python", "-c"]
    say = "import dbt.task.docs, pathlib; print(pathlib.Path(dbt.task.docs.__file__).parent / 'index.html')"
    found = subprocess.run([*command, say], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).read_bytes()


def main(arguments: list[str]) -> None:
    """Print the figures of each size, then one JSON line."""
    template, results = recorded()
    docs_page = find_docs_page()
    figures: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM.split())
        for size in [int(given) for given in arguments] or SIZES:
            manifest = make_manifest(template, size)
            with stored(manifest, make_results(results, manifest)) as observatory:
                ours = measure_ours(browser, observatory)
            with tempfile.TemporaryDirectory() as folder:
                metadata = {"metadata": manifest["metadata"], "nodes": {}, "sources": {}, "errors": None}
                (Path(folder) / "index.html").write_bytes(docs_page)
                (Path(folder) / "manifest.json").write_text(json.dumps(manifest))
                (Path(folder) / "catalog.json").write_text(json.dumps(metadata))
                docs = measure_docs(browser, Path(folder))
            figures[str(size)] = {"headwater": ours, "dbt docs": docs}
            print(f"{size:,} nodes\n  Headwater {ours}\n  dbt docs  {docs}", flush=True)
        browser.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
