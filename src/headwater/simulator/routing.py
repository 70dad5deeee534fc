"""Paths to handlers: a trailing slash makes no difference, a doubled one is not found."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from headwater.simulator.answers import Answer
from headwater.simulator.query import Query

if TYPE_CHECKING:
    from headwater.simulator.cloud import Cloud
    from headwater.simulator.world import Account, Token

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in."""

    method: str
    path: str
    query: Query
    body: bytes
    params: Params
    account: "Account"
    token: "Token"
    now: datetime
    """The simulated time; where a fault serves a stale copy, an earlier one."""

    def number(self, name: str) -> int:
        """A numeric part of the path."""
        return int(self.params[name])


Handler = Callable[["Cloud", Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, its handlers by method, and the permission it asks for."""

    pattern: str
    handlers: Mapping[str, Handler]
    permission: str | None = None
    parts: tuple[str, ...] = field(default=())


class Router:
    """Finds the route of a path; `{id}` takes digits, `{name:}` any part, `{rest*}` what is left."""

    def __init__(self, routes: list[Route]) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = defaultdict(list)
        self._open: list[tuple[tuple[str, ...], Route]] = []
        for route in routes:
            parts = tuple(route.pattern.strip("/").split("/"))
            if parts[-1].endswith("*}"):
                self._open.append((parts, route))
            else:
                self._by_length[len(parts)].append((parts, route))

    def find(self, path: str) -> tuple[Route, Params] | None:
        """The route for a path, with what the path says."""
        parts = path.removeprefix("/").removesuffix("/").split("/")
        if "" in parts:
            return None
        for pattern, route in self._by_length.get(len(parts), ()):
            params = _match(pattern, parts)
            if params is not None:
                return route, params
        for pattern, route in self._open:
            head = len(pattern) - 1
            if len(parts) > head and (params := _match(pattern[:head], parts[:head])) is not None:
                return route, {**params, pattern[head].strip("{*}"): "/".join(parts[head:])}
        return None


def _match(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    params = {}
    for want, have in zip(pattern, parts, strict=True):
        if want[0] != "{":
            if want != have:
                return None
        elif want.endswith(":}"):
            params[want[1:-2]] = have
        elif have.isdecimal():
            params[want[1:-1]] = have
        else:
            return None
    return params
