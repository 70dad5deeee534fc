"""Telling open pages that what is stored has changed: one task looks while anybody listens, and nobody looks else.

A stream waits in the event loop and takes no worker thread; all of them cost one look a second, and at intervals a
look at who still may listen.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Request, get
from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from headwater.errors import HeadwaterError, TooMany
from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.guard import find_caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from litestar.types import Scope

    from headwater.web.door import Door

LOOK_PERIOD = 1.0
CHECK_PERIOD = 10.0
HEARTBEAT = 15.0
MOST_STREAMS = 200
ENDING = "headwater.ending"
"""The extension of a request's scope that holds what is set when the server begins to end."""
_RETRY = "retry: 2000\n\n"
_HEARTBEAT = ": still here\n\n"
_logger = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Listener:
    """One open stream; only the newest revision is kept for it, however slowly it reads."""

    may_listen: Callable[[], bool]
    news: asyncio.Event = field(default_factory=asyncio.Event)
    revision: int | None = None
    is_over: bool = False

    def tell(self, revision: int) -> None:
        """Let the stream have this revision next."""
        self.revision = revision
        self.news.set()


class Broadcast:
    """What all open streams of one server hear; used from its event loop alone.

    `look` gives the revision of what is stored; periods are seconds. `prepare` is called behind each revision that two
    looks have seen, to work out what whoever listens may ask for next. A fault of the store ends the streams: browsers
    come back, and are told by the answer they get then.
    """

    def __init__(
        self,
        look: Callable[[], int],
        prepare: Callable[[], object] | None = None,
        *,
        period: float = LOOK_PERIOD,
        check_period: float = CHECK_PERIOD,
    ) -> None:
        self._look, self._prepare, self._period, self._check_period = look, prepare, period, check_period
        self._preparing: asyncio.Task[None] | None = None
        self._prepared: int | None = None
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._revision: int | None = None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    @property
    def is_looking(self) -> bool:
        """Whether the store is looked at."""
        return self._looking is not None

    async def stream(self, may_listen: Callable[[], bool], ending: asyncio.Event) -> AsyncIterator[str]:
        """Give what is sent to one stream, until nobody reads it, who reads it may not any more, or the server ends."""
        listener = Listener(may_listen)
        self._listeners.add(listener)
        if self._looking is None:
            self._looking = asyncio.create_task(self._tell(ending))
        elif self._revision is not None:
            listener.tell(self._revision)
        try:
            yield _RETRY
            while True:
                try:
                    await asyncio.wait_for(listener.news.wait(), HEARTBEAT)
                except TimeoutError:
                    yield _HEARTBEAT
                    continue
                listener.news.clear()
                if listener.is_over:
                    return
                yield f"event: revision\ndata: {listener.revision}\n\n"
        finally:
            self._listeners.discard(listener)

    async def _tell(self, ending: asyncio.Event) -> None:
        """Look as long as anybody listens, and tell what is new; at the end whoever still listens is sent away."""
        clock = asyncio.get_running_loop().time
        check_at = clock() + self._check_period
        try:
            while self._listeners and not ending.is_set():
                before, self._revision = self._revision, await sync_to_thread(self._look)
                revision = self._revision
                if revision == before:
                    self._prepare_pages(revision)
                if clock() >= check_at:
                    await sync_to_thread(_check, tuple(self._listeners))
                    check_at = clock() + self._check_period
                for listener in self._listeners:
                    if listener.is_over or listener.revision != revision:
                        listener.tell(revision)
                await _wait(ending, self._period)
        except HeadwaterError as error:
            _logger.warning("pages are not told what changes", reason=error.message)
        finally:
            self._looking = self._revision = None
            for listener in self._listeners:
                listener.is_over = True
                listener.news.set()

    def _prepare_pages(self, revision: int) -> None:
        if revision != self._prepared and (self._preparing is None or self._preparing.done()):
            self._prepared = revision
            self._preparing = asyncio.create_task(self._prepare_quietly())

    async def _prepare_quietly(self) -> None:
        if self._prepare is not None:
            with suppress(HeadwaterError):  # who asks for the page is told
                await sync_to_thread(self._prepare)


class Broadcasts:
    """The broadcasts of one server: one for whoever sees everything, and one for each limit of those who do not."""

    def __init__(self) -> None:
        self._broadcasts: dict[frozenset[int] | None, Broadcast] = {}

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(broadcast.streams for broadcast in self._broadcasts.values())

    def of(self, account_keys: frozenset[int] | None, door: Door) -> Broadcast:
        """Give the broadcast for a limit, None for no limit; where there are many, those nobody hears are forgotten."""
        if len(self._broadcasts) > MOST_STREAMS:
            self._broadcasts = {keys: one for keys, one in self._broadcasts.items() if one.streams}
        if account_keys not in self._broadcasts:
            self._broadcasts[account_keys] = Broadcast(door.get_revision, door.prepare_lineage)
        return self._broadcasts[account_keys]


@get("/api/v1/events", role=Role.VIEWER, sync_to_thread=False, media_type="text/event-stream")
def events_stream(request: Request[Any, Any, Any]) -> Stream:
    """Stream server-sent events: `revision`, now and whenever what is stored has changed; the rest is heartbeats."""
    broadcasts: Broadcasts = request.app.state.broadcasts
    if broadcasts.streams >= MOST_STREAMS:
        raise TooMany(f"{MOST_STREAMS} pages are told already what changes.", hint="Ask /api/v1/revision now and then.")
    broadcast = broadcasts.of(request.scope["user"].account_keys, door_of(request))
    messages = broadcast.stream(lambda: _may_listen(request), _ending_of(request.scope))
    headers = {"x-accel-buffering": "no"}
    return Stream(messages, media_type="text/event-stream", headers=headers)


def _may_listen(request: Request[Any, Any, Any]) -> bool:
    caller, before = find_caller(request), request.scope["user"]
    is_same = caller is not None and caller.account_keys == before.account_keys
    return is_same and caller is not None and caller.role.includes(Role.VIEWER)


def _ending_of(scope: Scope) -> asyncio.Event:
    ending = (scope.get("extensions") or {}).get(ENDING)
    return ending if isinstance(ending, asyncio.Event) else asyncio.Event()


def _check(listeners: tuple[Listener, ...]) -> None:
    for listener in listeners:
        listener.is_over = not listener.may_listen()


async def _wait(ending: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(ending.wait(), seconds)
    except TimeoutError:
        return
