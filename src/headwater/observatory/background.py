"""Work that goes on in a thread of a process that serves or follows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headwater.errors import StoreError

_LOOK_SECONDS = 1.0
_ENDING_SECONDS = 8.0


@contextmanager
def repeating(name: str, work: Callable[[], object], wake: threading.Event, *, looks: bool) -> Iterator[None]:
    """Do work in a thread: at once, whenever `wake` is set and, where it `looks`, each second.

    A StoreError only puts it off. At the end of the context what is being done is waited for, for 8 seconds; the rest
    is left to the next process.
    """
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            wake.clear()
            try:
                work()
            except StoreError:
                stop.wait(_LOOK_SECONDS)
                wake.set()
            wake.wait(_LOOK_SECONDS if looks else None)

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wake.set()
        thread.join(_ENDING_SECONDS)
