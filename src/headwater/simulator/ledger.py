"""What was asked: counts, the last request lines, and who asks too often."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_KEPT_LINES = 2_000
_WINDOW_SECONDS = 60.0


@dataclass(slots=True)
class Ledger:
    """Counts requests by account, route and status; knows the accounts that must wait."""

    limit: int
    cooldown_seconds: float
    now: Callable[[], datetime]
    """The clock that clients wait by."""
    counts: Counter[tuple[int | None, str, int]] = field(default_factory=Counter)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    in_flight: int = 0
    max_in_flight: int = 0
    too_early: int = 0
    """Requests that came while the account had been told to wait."""
    _window_began: dict[int, float] = field(default_factory=dict)
    _in_window: Counter[int] = field(default_factory=Counter)
    _waits_until: dict[int, float] = field(default_factory=dict)
    _limited_until: dict[int, float] = field(default_factory=dict)

    def begin(self) -> None:
        """A request has come in."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def end(self, account_id: int | None, route: str, status: int, line: str) -> None:
        """Its answer has gone out."""
        self.in_flight -= 1
        self.counts[account_id, route, status] += 1
        self.lines.append(line)

    def wait(self, account_id: int, seconds: float) -> None:
        """An account has been told to come back later."""
        self._waits_until[account_id] = self.now().timestamp() + seconds

    def admit(self, account_id: int) -> float:
        """Count a request of an account; how many seconds it must wait, 0 when it may pass."""
        now = self.now().timestamp()
        if now < self._waits_until.get(account_id, 0.0):
            self.too_early += 1
        if now < self._limited_until.get(account_id, 0.0):
            return self._limited_until[account_id] - now
        if now - self._window_began.get(account_id, 0.0) >= _WINDOW_SECONDS:
            self._window_began[account_id] = now
            self._in_window[account_id] = 0
        self._in_window[account_id] += 1
        if self._in_window[account_id] <= self.limit:
            return 0.0
        self._limited_until[account_id] = now + self.cooldown_seconds
        return self.cooldown_seconds

    def summary(self, last: int) -> dict[str, Any]:
        """All that was counted, and the last request lines."""
        counts = [
            {"account_id": account_id, "route": route, "status": status, "count": count}
            for (account_id, route, status), count in sorted(self.counts.items(), key=str)
        ]
        return {
            "total": self.counts.total(),
            "counts": counts,
            "lines": list(self.lines)[-last:] if last else [],
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "before_retry_after": self.too_early,
        }

    def reset(self) -> None:
        """Forget all counts."""
        self.counts.clear()
        self.lines.clear()
        self.max_in_flight = self.in_flight
        self.too_early = 0
