"""Write pictures of every page in light, dark and narrow to docs/images/: `make screenshots`.

A simulated dbt Cloud that stands at one moment, so that the same code draws the same pictures. They have few colours,
and are kept as PNGs with a palette.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from cloud import Cloud, running_cloud, serving, watching
from headwater.observatory.evaluating import evaluate_stored
from headwater.observatory.holder import Observatory
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.runs import RunFilter, list_runs
from headwater.observatory.sessions import create_login_link
from headwater.observatory.syncing import sync_accounts

IMAGES = Path(__file__).parent / "images"
LOOKS = {"light": (1280, 860, "light"), "dark": (1280, 860, "dark"), "narrow": (360, 740, "light")}
DAYS = 8
COLOURS = 160


def main() -> None:
    """Fill a store from the simulator, and take a picture of each page in each look."""
    wanted = set(sys.argv[1:])
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cloud(days=DAYS) as cloud,
        watching(cloud, Path(folder), days=DAYS) as observatory,
    ):
        sync_accounts(observatory)
        begin_run(cloud, observatory)
        evaluate_stored(observatory)
        with serving(observatory) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"]
            )
            for look, (width, height, scheme) in LOOKS.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                window = context.new_page()
                window.clock.set_fixed_time(observatory.store.now())
                window.goto(f"{url}/login")
                save(window, f"login-{look}", wanted)
                window.goto(f"{url}/login#{create_login_link(observatory).reveal()}")
                window.reload()
                window.wait_for_url(f"{url}/")
                for name, path in list_pages(observatory):
                    if not wanted or name in wanted:
                        window.goto(url + path)
                        window.wait_for_load_state("load")
                        window.wait_for_timeout(600)
                        save(window, f"{name}-{look}", wanted)
                if not wanted or "palette" in wanted:
                    take_palette(window, look)
                context.close()
    sizes = [file.stat().st_size for file in IMAGES.glob("*.png")]
    sys.stdout.write(f"{len(sizes)} pictures, {sum(sizes) / 1000:.0f} kB\n")


def begin_run(cloud: Cloud, observatory: Observatory) -> None:
    """Let a run be under way."""
    run = list_runs(observatory, RunFilter(account="first", status="success"), limit=1).runs[0]
    order = {"job_id": run.job_id, "recording_id": "storefront/hourly/healthy-a", "duration_seconds": 900}
    cloud.simulator.control("POST", "runs", order)
    cloud.advance(240)
    sync_accounts(observatory)


def list_pages(observatory: Observatory) -> Iterator[tuple[str, str]]:
    """Give the pages by name, with an address that shows something on each."""
    for name in ("runs", "jobs", "catalog", "incidents", "accounts", "settings"):
        yield name, f"/{name}"
    yield "overview", "/"
    failed = list_runs(observatory, RunFilter(account="first", status="error"), limit=1).runs[0]
    yield "run", f"/runs/first/{failed.run_id}"
    yield "job", f"/jobs/first/{failed.job_id}"
    incident = list_incidents(observatory, IncidentQuestion(states=()), limit=1).incidents[0]
    yield "incident", f"/incidents/{incident.id}"
    place = {"account": "first", "project": incident.project_id, "environment": incident.environment_id}
    cause = incident.cause.unique_id or "fct_orders"
    yield "node", f"/nodes?{urlencode({'ref': cause} | place)}"
    yield "lineage", f"/lineage?{urlencode({'ref': cause, 'reach': 'yes'} | place)}"
    yield "account", "/accounts/first"
    for name in ("users", "tokens", "webhooks", "retention", "audit", "about"):
        yield f"settings-{name}", f"/settings/{name}"


def take_palette(window: Page, look: str) -> None:
    """Take a picture of the palette over the overview."""
    window.goto(window.url.split("/settings")[0] + "/")
    window.keyboard.press("Control+k")
    window.keyboard.insert_text("orders")
    window.locator("dialog.palette li", has_text="fct_orders").first.wait_for()
    save(window, f"palette-{look}", set())


def save(window: Page, name: str, wanted: set[str]) -> None:
    """Save a picture of the window with a palette of few colours."""
    if wanted and name.rpartition("-")[0] not in wanted:
        return
    picture = Image.open(io.BytesIO(window.screenshot())).convert("RGB")
    few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
