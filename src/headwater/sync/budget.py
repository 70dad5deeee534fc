"""The request budget of an account: one bucket in the store for all processes of an installation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headwater.store.budgets import block_requests_until, claim_requests
from headwater.store.database import Store

_CLAIM_LASTS = timedelta(seconds=5)
_LONGEST_SLEEP = 5.0


@dataclass(slots=True)
class StoreBudget:
    """Claims requests a few at a time, so that not every request is a transaction; safe for several threads."""

    store: Store
    account_key: int
    per_minute: int
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]
    _left: int = 0
    _valid_until: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> None:
        """Claim one request, waiting until there is one to claim."""
        wanted = max(1, min(self.per_minute // 100, 100))
        with self._lock:
            while not self._take():
                now = self.store.now()
                with self.store.write() as tx:
                    claim = claim_requests(tx, self.account_key, wanted, per_minute=self.per_minute, now=now)
                self._left, self._valid_until = claim.granted, now + _CLAIM_LASTS
                if claim.granted == 0:
                    seconds = min(claim.wait.total_seconds(), _LONGEST_SLEEP)
                    self.sleep(max(seconds, 0.05))

    def block_until(self, moment: datetime) -> None:
        """Let no process claim a request before a moment of our own clock: dbt Cloud asked to be left alone.

        The bucket lives by the database's clock, so the span counts and not the moment.
        """
        span = moment - self.clock()
        with self._lock:
            self._left = 0
            until = self.store.now() + span
            with self.store.write() as tx:
                block_requests_until(tx, self.account_key, until)

    def _take(self) -> bool:
        if self._left <= 0 or self._valid_until is None or self.store.now() >= self._valid_until:
            self._left = 0
            return False
        self._left -= 1
        return True
