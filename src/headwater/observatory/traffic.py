"""How often dbt Cloud was asked by this process, for metrics and reports."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from headwater.dbtcloud.asking import RequestReport


@dataclass(slots=True)
class Traffic:
    """Counts requests by account, endpoint and outcome; safe for several threads."""

    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, account: str, report: RequestReport) -> None:
        """Count one request; the outcome is the HTTP status or the kind of failure."""
        outcome = str(report.status) if report.status is not None else report.failure or "failed"
        with self._lock:
            self._counts[account, report.endpoint, outcome] += 1

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Give the counts by (account, endpoint, outcome)."""
        with self._lock:
            return dict(self._counts)

    def total(self, account: str) -> tuple[int, int]:
        """Give an account's requests, and how many of them were answered with 429."""
        counts = self.counts()
        mine = {key: count for key, count in counts.items() if key[0] == account}
        return sum(mine.values()), sum(count for key, count in mine.items() if key[2] == "429")
