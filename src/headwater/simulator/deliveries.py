"""Delivers webhook events from a thread of its own: a slow receiver must not slow the API."""

import http.client
import queue
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from headwater.simulator.webhooks import Event

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TRIES = 6
_TIMEOUT_SECONDS = 10.0
_STOP_SECONDS = 2.0


class Deliveries:
    """A queue of events and the thread that posts them, each at most six times."""

    def __init__(self, failures_allowed: int, first_pause_seconds: float) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._failures_allowed = failures_allowed
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._given = 0
        self._done = 0
        self._thread = threading.Thread(target=self._run, name="simulator-webhooks", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._is_over.set()
        self._queue.put(None)
        self._thread.join(_STOP_SECONDS)

    def put(self, event: Event) -> None:
        """Deliver an event, after those that came before it."""
        self._given += 1
        self._queue.put(event)

    @property
    def waiting(self) -> int:
        """How many events are still to be delivered, the one under way included."""
        return self._given - self._done

    def _run(self) -> None:
        while (event := self._queue.get()) is not None and not self._is_over.is_set():
            self._deliver(event)
            self._done += 1

    def _deliver(self, event: Event) -> None:
        """Try until the receiver says yes (dbt Cloud webhooks: five retries)."""
        subscription = event.subscription
        for number in range(_TRIES):
            status, error = _post(event)
            subscription.dispatched_at = datetime.now(UTC)
            subscription.http_status_code = event.http_status_code = str(status)
            event.receipts.append(_receipt(event, number, status, error))
            if 200 <= status < 300:
                subscription.failures_in_a_row = 0
                return
            if number + 1 < _TRIES and self._is_over.wait(self._first_pause_seconds * 2**number):
                return
        subscription.failures_in_a_row += 1
        if subscription.failures_in_a_row >= self._failures_allowed:
            subscription.active = False
            subscription.deactivate_reason = "Too many failed deliveries"


def _post(event: Event) -> tuple[int, str]:
    """Post once; the status, 0 when there was no answer, and what went wrong."""
    address = urlsplit(event.subscription.client_url)
    if address.hostname not in _LOOPBACK:
        return 0, "the simulator delivers to this machine only"
    make = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = make(address.hostname, address.port, timeout=_TIMEOUT_SECONDS)
    path = f"{address.path or '/'}{'?' + address.query if address.query else ''}"
    headers = {"Content-Type": "application/json", "Authorization": event.signature, "User-Agent": "dbt-cloud-webhooks"}
    try:
        connection.request("POST", path, event.payload, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
    return answer.status, ""


def _receipt(event: Event, number: int, status: int, error: str) -> dict[str, str]:
    return {
        "id": f"{event.id.replace('wev', 'wer')}{number}",
        "event_id": event.id,
        "subscription_id": event.subscription.id,
        "dispatched_at": str(time.time_ns() // 1_000),
        "http_status_code": str(status),
        "error_info": error,
        "request_body": event.payload.decode(),
        "request_headers": "{}",
        "response_body": "",
    }
