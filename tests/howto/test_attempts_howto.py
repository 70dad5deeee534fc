"""The how-to page on attempts, tried from zero: dbt fails in a run, it is retried, and Headwater copies both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulated import simulating

from pages import Command, Reader, read_blocks, read_commands, read_page
from program import Program

PAGE = read_page("attempts")
RUNS, RUN = read_commands(PAGE)
FAILING = "roastery/nightly/warehouse_trouble"
"""A recording that has one of its retry, which went well; in the second account one job alone is nightly."""
SETTINGS = {"HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE": "60000"}


def choose_beginning(now: datetime) -> datetime:
    """Give a time some hours ago after which an hour passes without the run that is scheduled every night."""
    began = now - timedelta(hours=2)
    nightly = began.replace(hour=2, minute=15, second=0)
    return began - timedelta(hours=2) if began - timedelta(hours=1) < nightly < began + timedelta(hours=1) else began


def test_the_page_in_order(tmp_path: Path) -> None:
    """Lists, runs and documents show the two as one piece of work, and the job's share of chains is the better one."""
    began = choose_beginning(datetime.now(UTC)).isoformat()
    with simulating("--days", 1, "--clock", "manual", "--now", began) as simulated:
        account = simulated.account(1)
        ((job_id, job),) = [each for each in simulated.jobs(1) if "ightly" in each[1]]
        order = {"job_id": job_id, "recording_id": FAILING, "queue_seconds": 1, "duration_seconds": 60}
        failed = simulated.control("POST", "runs", order)["id"]
        simulated.control("POST", "clock", {"advance_seconds": 90})
        retry = f"/api/v2/accounts/{account['id']}/runs/{failed}/retry/"
        mended = simulated.ask(retry, "POST", {}, token=account["token"])["data"]["id"]
        simulated.control("POST", "clock", {"advance_seconds": 3_000})
        own = {"--job nightly": f"--job '{job}'", "nightly": job, "1002": str(failed), "1003": str(mended)}
        reader = Reader(Program(tmp_path, SETTINGS), own)
        words = ("account", "add", "acme", "--account-id", account["id"], "--url", simulated.url, "--token-stdin")
        assert reader.program.run(*words, stdin=account["token"]).status == 0
        assert reader.program.run("sync", "--days", 1).status == 0

    reader.follow(RUNS)
    reader.follow(RUN)
    run = json.loads(reader.follow(Command(f"{RUN.line} --json", ())).text)
    jobs = json.loads(reader.follow(Command("headwater jobs --json", ())).text)["jobs"]

    (block,) = read_blocks(PAGE, "json")
    assert {"chain": run["chain"]} == json.loads(f"{{{reader.put_in(block)}}}")
    assert [(one["run_id"], one["status"]) for one in run["attempts"]] == [(failed, "error"), (mended, "success")]
    (row,) = [row for row in jobs if row["job_name"] == job]
    assert row["chains"] < row["runs"]
    assert row["chain_success_share"] > row["success_share"]
