"""The monitor: when it syncs, when it ends, what it tells Prometheus, and that no account delays another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from cloud import NOON, Cloud, open_watching, running_cloud, watching
from headwater.cli.serving import waiting_until
from headwater.collect import CollectedRun, encode
from headwater.config import MonitorSettings
from headwater.model.account import AccountAddress
from headwater.model.run import Run, RunStatus
from headwater.monitor import Monitor, next_pause, open_monitor
from headwater.observatory.accounts import get_account_summary
from headwater.observatory.collecting import receive
from headwater.observatory.holder import Observatory
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import make_pass, sync_accounts
from program import wait_for

SPANS = "headwater_run_duration_seconds_count"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True)
class Following:
    """A monitor that runs in a thread, and the port of its metrics."""

    monitor: Monitor
    port: int

    def ask(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", f"http://127.0.0.1:{self.port}{path}", retries=False)

    def passes(self, account: str) -> int:
        pace = self.monitor.paces.get(account)
        return pace.passes if pace is not None else 0

    def samples(self) -> Samples:
        """Scrape, and read what was scraped as Prometheus does."""
        families = text_string_to_metric_families(self.ask("/metrics").data.decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


@contextmanager
def following(observatory: Observatory, stop: threading.Event, **settings: float) -> Iterator[Following]:
    """Follow the observatory's accounts in a thread, many times a second."""
    chosen = MonitorSettings(**({"prometheus_port": 0, "interval": 0.02} | settings))
    with open_monitor(observatory, chosen, stop) as monitor:
        thread = threading.Thread(target=monitor.run)
        thread.start()
        try:
            yield Following(monitor, monitor.metrics_port)
        finally:
            stop.set()
            thread.join()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud with a day of history."""
    with running_cloud(days=1) as running:
        yield running


@pytest.mark.parametrize(
    ("failures", "has_more", "interval", "pause"),
    [
        (0, False, 5.0, 5.0),
        (0, True, 5.0, 0.0),
        (1, False, 5.0, 10.0),
        (1, True, 5.0, 10.0),
        (3, False, 5.0, 40.0),
        (9, False, 5.0, 300.0),
        (100_000, False, 5.0, 300.0),
        (1, False, 3_600.0, 3_600.0),
    ],
)
def test_the_pace_follows_how_it_goes(failures: int, has_more: bool, interval: float, pause: float) -> None:
    """No pause while a backlog waits, a growing one while passes fail, never one shorter than the interval then."""
    assert next_pause(interval, failures, has_more=has_more) == pause


def test_a_finished_run_is_stored_within_one_pass(tmp_path: Path) -> None:
    """The first pass after a run is over brings its end, its steps and its executions."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        sync_accounts(observatory)
        job_id = next(iter(cloud.truth(cloud.simulator.accounts[0].id).values()))["job_id"]
        order = {"job_id": job_id, "queue_seconds": 1, "duration_seconds": 60}
        run_id = cloud.simulator.control("POST", "runs", order)["id"]
        cloud.advance(30)
        make_pass(observatory, "first")
        before = get_run(observatory, "first", run_id)
        cloud.advance(60)

        make_pass(observatory, "first")

        after = get_run(observatory, "first", run_id)
        assert (before.status, after.status) == ("running", "success")
        assert after.executions
        assert all(artifact.state == "stored" for artifact in after.artifacts)


@pytest.mark.parametrize("accounts", [0, 2])
def test_it_ends_after_so_many_passes(cloud: Cloud, tmp_path: Path, accounts: int) -> None:
    """`number_of_iterations` counts the passes of each account; without an account there is nothing to wait for."""
    with watching(cloud, tmp_path, accounts=accounts, days=0) as observatory:
        settings = MonitorSettings(prometheus_port=0, interval=0.01, number_of_iterations=2)
        with open_monitor(observatory, settings, threading.Event()) as monitor:
            ended = monitor.run()

        assert ended
        assert [pace.passes for pace in monitor.paces.values()] == [2] * accounts


def test_it_ends_after_so_many_seconds(cloud: Cloud, tmp_path: Path) -> None:
    """`stop_after` ends it although passes could go on for ever."""
    with open_watching(cloud, tmp_path) as observatory:
        settings = MonitorSettings(prometheus_port=0, stop_after=0.01)
        with open_monitor(observatory, settings, threading.Event()) as monitor:
            assert monitor.run()


@pytest.mark.parametrize(
    ("trouble", "most"),
    [
        ({"next": [{"kind": "slow_body", "count": 1_000_000, "seconds": 600}]}, 0),
        ({"next": [{"kind": "error_500", "count": 1_000_000}]}, 0),
        ({"next": [{"kind": "rate_limited", "count": 1_000_000, "seconds": 600}]}, 1),
        ({"revoke": True}, 1_000),
    ],
    ids=["hangs", "500", "429", "revoked"],
)
def test_an_account_in_trouble_delays_no_other(tmp_path: Path, trouble: dict, most: int) -> None:
    """While the first account hangs, fails or waits, the second makes pass after pass."""
    stop = threading.Event()
    with (
        running_cloud(days=1) as cloud,
        watching(cloud, tmp_path, days=0, sleep=lambda _: waiting_until(stop)(600.0)) as observatory,
    ):
        first = cloud.simulator.accounts[0]
        told = {"next": [fault | {"account_id": first.id} for fault in trouble.get("next", ())]}
        told |= {"revoke_tokens": [first.token]} if "revoke" in trouble else {}
        cloud.simulator.control("POST", "faults", told)
        with following(observatory, stop) as seen:
            wait_for(lambda: seen.passes("second") >= 5, "five passes of the second account")
            passes = seen.passes("first")
            cloud.simulator.control("POST", "faults", {"clear": True})

        assert passes <= most
        assert get_account_summary(observatory, "second").status == "connected"
        assert list_runs(observatory, RunFilter(account="second"), limit=1).total > 0


def test_health_turns_bad_after_repeated_failures_and_good_again(cloud: Cloud, tmp_path: Path) -> None:
    """/healthz names the account that keeps failing with 503, and says ok once it goes well again."""
    stop = threading.Event()
    with watching(cloud, tmp_path, accounts=1, days=0) as observatory, following(observatory, stop) as seen:
        wait_for(lambda: seen.passes("first"), "a pass")
        well = seen.ask("/healthz")
        token = cloud.simulator.accounts[0].token
        cloud.simulator.control("POST", "faults", {"revoke_tokens": [token]})
        bad = wait_for(lambda: (answer := seen.ask("/healthz")).status == 503 and answer, "503")
        rejected = get_account_summary(observatory, "first")
        cloud.simulator.control("POST", "faults", {"clear": True})
        again = wait_for(lambda: (answer := seen.ask("/healthz")).status == 200 and answer, "200")

        assert (well.data, again.data) == (b"ok\n", b"ok\n")
        assert b"first" in bad.data
        assert (rejected.status, "does not accept the token" in rejected.sentence) == ("rejected", True)
        assert get_account_summary(observatory, "first").status == "connected"


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    """/metrics parses, and its numbers are those of the store: lag, requests, 429s, runs, artifacts, spans."""
    stop = threading.Event()
    with (
        running_cloud(days=1) as cloud,
        watching(cloud, tmp_path, accounts=1, days=1) as observatory,
        following(observatory, stop) as seen,
    ):
        wait_for(lambda: get_account_summary(observatory, "first").backfill is None, "the history")
        at_first = seen.samples()
        cloud.fault("rate_limited", seconds=1)
        run_id = order_run(cloud)
        cloud.advance(300)
        wait_for(lambda: list_runs(observatory, RunFilter(text=str(run_id), status="success")).total, "the ordered run")
        wait_for(lambda: count(seen.samples(), SPANS) > 0, "its span")
        see_again(cloud, observatory, run_id)
        passes = seen.passes("first")
        wait_for(lambda: seen.passes("first") > passes + 2, "further passes")
        samples = seen.samples()

        assert seen.ask("/else").status == 404
        account = (("account", "first"),)
        assert samples["headwater_account_up", account] == 1.0
        assert samples["headwater_sync_lag_seconds", account] >= 0.0
        assert samples["headwater_sync_last_success_timestamp_seconds", account] <= cloud.now.timestamp()
        assert samples["headwater_dbt_rate_limited_total", account] == 1.0
        assert count(samples, "headwater_dbt_requests_total") > count(at_first, "headwater_dbt_requests_total") > 50
        stored = list_runs(observatory, limit=None)
        assert count(samples, "headwater_runs") == stored.total
        failed = [run for run in stored.runs if run.status == "error"]
        assert count(samples, "headwater_runs", status="error") == len(failed) > 0
        assert count(samples, "headwater_artifacts", state="stored") > stored.total
        ended = [run for run in stored.runs if run.finished_at is not None and run.finished_at >= NOON]
        assert get_run(observatory, "first", run_id).observed_by == ("poll", "sdk")
        assert (count(at_first, SPANS), count(samples, SPANS)) == (0, len(ended))
        assert count(samples, "headwater_run_queue_seconds_count") == len(ended)
        spans = sum(run.elapsed_seconds or 0.0 for run in ended)
        assert count(samples, "headwater_run_duration_seconds_sum") == pytest.approx(spans)


def order_run(cloud: Cloud) -> int:
    """Let a run of a minute begin in the first account."""
    job_id = next(iter(cloud.truth(cloud.simulator.accounts[0].id).values()))["job_id"]
    order = {"job_id": job_id, "queue_seconds": 1, "duration_seconds": 60}
    return int(cloud.simulator.control("POST", "runs", order)["id"])


def see_again(cloud: Cloud, observatory: Observatory, run_id: int) -> None:
    """Let the SDK see a run that the poll saw, so that it changes once more after its end."""
    address = AccountAddress(cloud.simulator.url, cloud.simulator.accounts[0].id)
    seen = Run(run_id=run_id, status=RunStatus.SUCCESS)
    collected = CollectedRun(address=address, run=seen, artifacts=(), collected_at=cloud.now)
    receive(observatory, encode(collected), cloud.now)


def count(samples: Samples, name: str, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in samples.items() if found == name and wanted <= set(has))
