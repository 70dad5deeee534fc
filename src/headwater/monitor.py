"""WHEN to sync: follows every account, each at its own pace, and tells Prometheus how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from headwater.config import MonitorSettings
from headwater.errors import HeadwaterError, Stopping, StoreError, WrongUse
from headwater.observatory.holder import Observatory
from headwater.observatory.keeping import delete_expired
from headwater.observatory.metrics import (
    FinishedRun,
    MetricsReport,
    list_finished_since,
    read_metrics,
    read_revisions_now,
)
from headwater.observatory.syncing import list_followed, make_pass, note_failure
from headwater.observatory.webhooks import answer, list_announced

_log = structlog.get_logger("headwater.monitor")

_LONGEST_PAUSE = 300.0
_MOST_DOUBLINGS = 16
_RETENTION_EVERY = 3_600.0
_GRACE = 8.0
_FAILURES_TOLD = 3
_TICK = 0.2
_SPANS = (1, 5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800)


@dataclass(slots=True)
class Pace:
    """When an account is due, in seconds of the monotonic clock, and how it went so far."""

    due_at: float = 0.0
    passes: int = 0
    failures: int = 0
    is_running: bool = False
    answer_at: float = 0.0
    answer_failures: int = 0
    is_answering: bool = False


def next_pause(interval: float, failures: int, *, has_more: bool) -> float:
    """Give the seconds until an account's next pass: none while a backlog waits, growing while it fails."""
    if failures:
        return max(interval, min(interval * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE))
    return 0.0 if has_more else interval


@dataclass(slots=True)
class Monitor:
    """Follows the accounts of an observatory until it is stopped; each in a thread, so that none delays another."""

    observatory: Observatory
    settings: MonitorSettings
    stop: threading.Event
    metrics: MonitorMetrics
    paces: dict[str, Pace] = field(default_factory=dict)
    metrics_port: int = 0
    _has_listed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> bool:
        """Follow until stopped, `stop_after` or `number_of_iterations`; False where a pass would not end in time."""
        began = time.monotonic()
        expire_at = began
        while not self._is_over(began):
            for name in self._list_due():
                threading.Thread(target=self._pass, args=(name,), name=f"sync {name}", daemon=True).start()
            for name in self._list_announced():
                threading.Thread(target=self._answer, args=(name,), name=f"announced {name}", daemon=True).start()
            if time.monotonic() >= expire_at:
                expire_at = time.monotonic() + _RETENTION_EVERY
                self._delete_expired()
            self.stop.wait(_TICK)
        self.stop.set()
        return self._wait_for_passes()

    def _is_over(self, began: float) -> bool:
        if self.stop.is_set():
            return True
        if self.settings.stop_after is not None and time.monotonic() - began >= self.settings.stop_after:
            return True
        wanted = self.settings.number_of_iterations
        return wanted is not None and self._has_listed and all(pace.passes >= wanted for pace in self.paces.values())

    def _delete_expired(self) -> None:
        try:
            delete_expired(self.observatory)
        except HeadwaterError as error:
            _log.warning("old runs could not be deleted", reason=str(error))

    def _list_due(self) -> list[str]:
        now = time.monotonic()
        try:
            followed = list_followed(self.observatory)
        except HeadwaterError as error:
            _log.warning("accounts cannot be listed", reason=str(error))
            return []
        with self._lock:
            self.paces = {name: self.paces.get(name, Pace()) for name in followed}
            self._has_listed = True
            wanted = self.settings.number_of_iterations
            due = [
                name
                for name, pace in self.paces.items()
                if not pace.is_running and pace.due_at <= now and (wanted is None or pace.passes < wanted)
            ]
            for name in due:
                self.paces[name].is_running = True
        return due

    def _pass(self, name: str) -> None:
        """Make one pass; whatever happens in it is noted and never ends the monitor."""
        has_more, failed = False, False
        try:
            report = make_pass(self.observatory, name)
            has_more = report.has_more
            self.metrics.count_pass(name, "success")
            self.metrics.observe_finished(self.observatory)
            for fault in report.faults:
                _log.warning("not everything could be read", account=name, reason=fault)
        except Stopping:
            failed = True
        except WrongUse as error:
            _log.info("not synced", account=name, reason=str(error))
        except HeadwaterError as error:
            failed = True
            self.metrics.count_pass(name, "failure")
            _log.warning("not synced", account=name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - one of the three places
            failed = True
            self.metrics.count_pass(name, "failure")
            note_failure(self.observatory, name, f"The pass broke off ({type(error).__name__}); see the log.")
            _log.exception("the pass broke off", account=name)
        finally:
            self._plan(name, has_more=has_more, failed=failed)

    def _list_announced(self) -> list[str]:
        """List the accounts whose announced runs are to be read now; they do not wait for a pass."""
        now = time.monotonic()
        try:
            announced = list_announced(self.observatory)
        except HeadwaterError as error:
            _log.warning("announcements cannot be listed", reason=str(error))
            return []
        with self._lock:
            paces = {name: self.paces[name] for name in announced if name in self.paces}
            due = [name for name, pace in paces.items() if not pace.is_answering and pace.answer_at <= now]
            for name in due:
                self.paces[name].is_answering = True
        return due

    def _answer(self, name: str) -> None:
        """Read what was announced; a failure only makes the announcements wait, and passes go on beside it."""
        has_failed = True
        try:
            for fault in answer(self.observatory, name).faults:
                _log.warning("an announced run could not be read", account=name, reason=fault)
            has_failed = False
            self.metrics.observe_finished(self.observatory)
        except Stopping:
            pass
        except HeadwaterError as error:
            _log.info("announced runs were not read", account=name, reason=str(error))
        finally:
            self._plan_answer(name, has_failed=has_failed)

    def _plan_answer(self, name: str, *, has_failed: bool) -> None:
        with self._lock:
            pace = self.paces.get(name)
            if pace is None:
                return
            pace.answer_failures = pace.answer_failures + 1 if has_failed else 0
            wait = next_pause(self.settings.interval, pace.answer_failures, has_more=True)
            pace.answer_at = time.monotonic() + wait
            pace.is_answering = False

    def _plan(self, name: str, *, has_more: bool, failed: bool) -> None:
        with self._lock:
            pace = self.paces.get(name)
            if pace is None:
                return
            pace.failures = pace.failures + 1 if failed else 0
            pace.passes += 1
            pace.due_at = time.monotonic() + next_pause(self.settings.interval, pace.failures, has_more=has_more)
            pace.is_running = False

    def _wait_for_passes(self) -> bool:
        until = time.monotonic() + _GRACE
        while time.monotonic() < until:
            with self._lock:
                if not any(pace.is_running or pace.is_answering for pace in self.paces.values()):
                    return True
            time.sleep(_TICK / 4)
        return False


class MonitorMetrics:
    """The metrics of one monitor, in a registry of their own."""

    def __init__(self, started_at: datetime, revisions: Mapping[int, int] | None = None) -> None:
        self.registry = CollectorRegistry()
        self._started_at = started_at
        self._seen = revisions or {}
        self._observed: dict[tuple[str, int], datetime] = {}
        self._lock = threading.Lock()
        job = ("account", "project", "job")
        self._passes = Counter(
            "headwater_passes", "Passes over an account.", ("account", "outcome"), registry=self.registry
        )
        self._elapsed = Histogram(
            "headwater_run_duration_seconds",
            "How long runs took that finished since the monitor started.",
            job,
            buckets=_SPANS,
            registry=self.registry,
        )
        self._queued = Histogram(
            "headwater_run_queue_seconds",
            "How long runs waited that finished since the monitor started.",
            job,
            buckets=_SPANS,
            registry=self.registry,
        )

    def count_pass(self, account: str, outcome: str) -> None:
        """Count a pass."""
        self._passes.labels(account, outcome).inc()

    def observe_finished(self, observatory: Observatory) -> None:
        """Put the runs that finished since the monitor started into the histograms, each once."""
        with self._lock:
            revisions = read_revisions_now(observatory)
            since = {key: self._seen.get(key, 0) for key in revisions}
            finished = [run for run in list_finished_since(observatory, since) if self._is_new(run)]
            self._seen = revisions
        for run in finished:
            labels = (run.place.account, run.place.project, run.place.job)
            if run.elapsed_seconds is not None:
                self._elapsed.labels(*labels).observe(run.elapsed_seconds)
            if run.queued_seconds is not None:
                self._queued.labels(*labels).observe(run.queued_seconds)

    def _is_new(self, run: FinishedRun) -> bool:
        """Whether a run is to be counted: a finished run changes once more when another way sees it too."""
        key = (run.place.account, run.run_id)
        if run.finished_at < self._started_at or key in self._observed:
            return False
        self._observed[key] = run.finished_at
        return True

    def add_reader(self, read: Callable[[], MetricsReport]) -> None:
        """Let every scrape read what is stored at that moment."""
        self.registry.register(_StoredMetrics(read))


class _StoredMetrics(Collector):
    def __init__(self, read: Callable[[], MetricsReport]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        report = self._read()
        yield from _account_metrics(report)
        runs = GaugeMetricFamily("headwater_runs", "Stored runs.", labels=("account", "project", "job", "status"))
        for (place, status), count in report.runs.items():
            runs.add_metric([place.account, place.project, place.job, status], count)
        yield runs
        artifacts = GaugeMetricFamily(
            "headwater_artifacts", "Artifacts by how it stands with them.", labels=("account", "state")
        )
        for (account, state), count in report.artifacts.items():
            artifacts.add_metric([account, state], count)
        yield artifacts
        incidents = GaugeMetricFamily("headwater_open_incidents", "Incidents that go on.", labels=("account", "state"))
        for (account, state), count in report.incidents.items():
            incidents.add_metric([account, state], count)
        yield incidents
        yield GaugeMetricFamily("headwater_inbox", "What was accepted and is not stored yet.", report.inbox.waiting)
        requests = CounterMetricFamily(
            "headwater_dbt_requests",
            "Requests to dbt Cloud by this process.",
            labels=("account", "endpoint", "outcome"),
        )
        for labels, count in report.requests.items():
            requests.add_metric(list(labels), count)
        yield requests


def _account_metrics(report: MetricsReport) -> Iterator[Metric]:
    up = GaugeMetricFamily("headwater_account_up", "1 where the last pass went well.", labels=("account",))
    lag = GaugeMetricFamily("headwater_sync_lag_seconds", "Time since the last good pass.", labels=("account",))
    success = GaugeMetricFamily(
        "headwater_sync_last_success_timestamp_seconds", "When the last pass went well.", labels=("account",)
    )
    limited = CounterMetricFamily(
        "headwater_dbt_rate_limited", "Requests that dbt Cloud answered with 429.", labels=("account",)
    )
    waiting = GaugeMetricFamily("headwater_open_runs", "Runs that are not over.", labels=("account",))
    for account in (account for account in report.accounts if account.token_hint is not None):
        up.add_metric([account.account], float(account.status == "connected"))
        if account.lag_seconds is not None:
            lag.add_metric([account.account], account.lag_seconds)
        if account.last_success_at is not None:
            success.add_metric([account.account], account.last_success_at.timestamp())
        limited.add_metric([account.account], account.rate_limited)
        waiting.add_metric([account.account], account.open_runs)
    yield from (up, lag, success, limited, waiting)


class _MetricsServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Write no line for each scrape."""


@contextmanager
def serving_metrics(metrics: MonitorMetrics, port: int, list_failing: Callable[[], list[str]]) -> Iterator[int]:
    """Serve /metrics and /healthz on loopback in a thread; gives the port.

    Raises:
        WrongUse: the port is in use.
    """
    scrape = make_wsgi_app(metrics.registry)

    def answer(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/healthz":
            failing = list_failing()
            start_response("503 Service Unavailable" if failing else "200 OK", [("Content-Type", "text/plain")])
            said = f"These accounts failed several passes in a row: {', '.join(failing)}." if failing else "ok"
            return [f"{said}\n".encode()]
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Only /metrics and /healthz are here.\n"]
        try:
            return scrape(environ, start_response)
        except StoreError as error:
            start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{error}\n".encode()]

    try:
        server = make_server("127.0.0.1", port, answer, server_class=_MetricsServer, handler_class=_Quiet)
    except OSError as error:
        raise WrongUse(
            f"Port {port} is in use, so /metrics cannot be served ({error.strerror}).",
            hint="Set another with HEADWATER__DBT_MONITOR__PROMETHEUS_PORT.",
        ) from None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def open_monitor(observatory: Observatory, settings: MonitorSettings, stop: threading.Event) -> Iterator[Monitor]:
    """Open a monitor with its /metrics and /healthz; `run` follows every account until it is stopped.

    Raises:
        WrongUse: the port of /metrics is in use.
    """
    metrics = MonitorMetrics(observatory.store.now(), read_revisions_now(observatory))
    metrics.add_reader(lambda: read_metrics(observatory))
    monitor = Monitor(observatory, settings, stop, metrics)
    with serving_metrics(metrics, settings.prometheus_port, lambda: list_failing(monitor)) as port:
        monitor.metrics_port = port
        _log.info("following", metrics=f"http://127.0.0.1:{port}/metrics", interval=settings.interval)
        yield monitor


def list_failing(monitor: Monitor) -> list[str]:
    """List the accounts that failed several passes in a row."""
    return [name for name, pace in monitor.paces.items() if pace.failures >= _FAILURES_TOLD]
