"""What was worked out from something that never changes, and need not be worked out again while the process lives."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class _Turn:
    """What those wait for who want a value that is being worked out, and how many they are."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted_by: int = 0


@dataclass(frozen=True, slots=True)
class Remembered(Generic[Value]):
    """The values used last, by key; of several threads that want one, the first works it out and the others wait."""

    most: int
    _values: OrderedDict[Hashable, Value] = field(default_factory=OrderedDict)
    _turns: dict[Hashable, _Turn] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """Give the value of a key, worked out where it is not remembered; whoever waits tries it where that failed."""
        known = self.find(key)
        if known is not None:
            return known
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted_by += 1
        try:
            with turn.lock:
                known = self.find(key)
                if known is None:
                    known = work_out()
                    self.keep(key, known)
                return known
        finally:
            with self._lock:
                turn.wanted_by -= 1
                if not turn.wanted_by:
                    del self._turns[key]

    def find(self, key: Hashable) -> Value | None:
        """Find the value of a key; None where it is not remembered."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def keep(self, key: Hashable, value: Value) -> None:
        """Remember a value, and forget the one that was used the longest ago where there are too many."""
        with self._lock:
            self._values[key] = value
            while len(self._values) > self.most:
                self._values.popitem(last=False)
