"""The simulated time: real time that may run faster, or time that only a request moves."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the simulated time; it never goes back."""

    def __init__(self, start: datetime, *, speed: float, manual: bool) -> None:
        self._base = start
        self._began = time.monotonic()
        self._speed = 0.0 if manual else speed

    def now(self) -> datetime:
        """The simulated time."""
        if not self._speed:
            return self._base
        return self._base + timedelta(seconds=(time.monotonic() - self._began) * self._speed)

    def client_now(self) -> datetime:
        """The time on the clock of a client: its own, except where a test moves both."""
        return self._base if not self._speed else datetime.now(UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move forward and tell the new time."""
        if by < timedelta(0):
            raise ValueError("the simulated clock cannot go back")
        self._base += by
        return self.now()
