"""Query parameters as dbt Cloud's clients write them, and lists filtered, ordered and cut by them."""

import ast
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from headwater.simulator.answers import Page, bad_request
from headwater.simulator.times import read_moment

MAX_LIMIT = 100
_CONTROLS = frozenset({"limit", "offset", "order_by", "include_related", "state"})
_STATES = {"active": 1, "1": 1, "deleted": 2, "2": 2, "all": None}


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one request; a key may come more than once."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, raw: bytes) -> "Query":
        """Read the part of the address after the question mark."""
        return cls(tuple(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)))

    def last(self, name: str) -> str | None:
        """The value of a parameter; of several, the last."""
        return next((value for key, value in reversed(self.pairs) if key == name), None)

    def items(self, name: str) -> list[str]:
        """A list-valued parameter in any syntax that clients use (dbt Cloud API: list parameters)."""
        return [item for key, value in self.pairs if key == name for item in _items(value)]

    def names(self) -> list[str]:
        """The names of the parameters, each once."""
        return list(dict.fromkeys(key for key, _ in self.pairs))

    def related(self) -> frozenset[str]:
        """`include_related`, which some write with slashes."""
        return frozenset(part for item in self.items("include_related") for part in item.split("/") if part)


def _items(value: str) -> list[str]:
    """A JSON list, a Python list, or a bare list with commas."""
    text = value.strip()
    if text.startswith("["):
        for read in (json.loads, ast.literal_eval):
            try:
                return [str(item) for item in read(text)]
            except (ValueError, SyntaxError, TypeError):
                continue
        raise bad_request(f"{value!r} is not a list.")
    return [item.strip() for item in text.split(",") if item.strip()]


def whole(text: str) -> int:
    """A whole number."""
    return int(text)


def truth(text: str) -> bool:
    """A boolean in the spellings that clients use."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is not a boolean")
    return known[text.lower()]


def word(text: str) -> str:
    """Any text."""
    return text


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a list: how its value is read, and which objects it keeps."""

    read: Callable[[str], Any]
    keeps: Callable[[Any, Any], bool]
    many: bool = False

    def value(self, query: Query, name: str) -> Any:
        """The value asked for, read; 400 when it cannot be."""
        try:
            if self.many:
                return [self.read(item) for item in query.items(name)]
            return self.read(query.last(name) or "")
        except ValueError:
            raise bad_request(f"Invalid value for filter {name!r}: {query.last(name)!r}.") from None


def equals(read: Callable[[str], Any], of: Callable[[Any], Any]) -> Filter:
    """Keeps the objects with exactly this value."""
    return Filter(read, lambda item, value: bool(of(item) == value))


def among(read: Callable[[str], Any], of: Callable[[Any], Any]) -> Filter:
    """Keeps the objects with one of these values."""
    return Filter(read, lambda item, values: of(item) in values, many=True)


def above(of: Callable[[Any], int]) -> Filter:
    """Keeps the objects with a greater value."""
    return Filter(whole, lambda item, value: of(item) > value)


def between(of: Callable[[Any], datetime | None]) -> Filter:
    """Keeps the objects whose time lies in a closed range; a null lies in none."""

    def keeps(item: Any, limits: list[datetime]) -> bool:
        if len(limits) != 2:
            raise bad_request("A range has two ends.")
        moment = of(item)
        return moment is not None and limits[0] <= moment <= limits[1]

    return Filter(read_moment, keeps, many=True)


def contains(of: Callable[[Any], str]) -> Filter:
    """Keeps the objects with this text in them, in whatever case."""
    return Filter(word, lambda item, text: text.lower() in of(item).lower())


@dataclass(frozen=True, slots=True)
class ListRules:
    """What one list understands."""

    filters: Mapping[str, Filter]
    orders: Mapping[str, Callable[[Any], Any]]
    default_order: str = "id"
    default_state: str = "active"
    state_of: Callable[[Any], int] = lambda _item: 1


def select(query: Query, items: Iterable[Any], rules: ListRules, account_id: int, *, clamp: bool) -> Page:
    """Filter, order and cut a list as a request asks for it."""
    limit, offset = _window(query, clamp=clamp)
    echoed: dict[str, Any] = {"limit": limit, "offset": offset, "account_id": account_id}
    kept = _of_state(query, items, rules, echoed)
    for name in query.names():
        rule = rules.filters.get(name)
        if rule is None:
            if "__" in name and name not in _CONTROLS:
                raise bad_request(f"Invalid filter: {name}.")
            continue
        value = rule.value(query, name)
        kept = [item for item in kept if rule.keeps(item, value)]
        echoed[name] = _echo(value)
    ordered, order_by = _ordered(query, kept, rules)
    return Page(ordered[offset : offset + limit], len(ordered), echoed, order_by)


def _window(query: Query, *, clamp: bool) -> tuple[int, int]:
    try:
        limit = int(query.last("limit") or MAX_LIMIT)
        offset = int(query.last("offset") or 0)
    except ValueError:
        raise bad_request("limit and offset are whole numbers.") from None
    if limit > MAX_LIMIT and clamp:
        limit = MAX_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise bad_request(f"Limit must be between 1 and {MAX_LIMIT}.")
    if offset < 0:
        raise bad_request("Offset must not be negative.")
    return limit, offset


def _of_state(query: Query, items: Iterable[Any], rules: ListRules, echoed: dict[str, Any]) -> list[Any]:
    asked = query.last("state")
    if (asked or rules.default_state) not in _STATES:
        raise bad_request(f"Invalid state: {asked!r}.")
    state = _STATES[asked or rules.default_state]
    if asked:
        echoed["state"] = asked
    return [item for item in items if state is None or rules.state_of(item) == state]


def _ordered(query: Query, items: list[Any], rules: ListRules) -> tuple[list[Any], str]:
    order_by = query.last("order_by") or rules.default_order
    name = order_by.removeprefix("-")
    if name not in rules.orders:
        raise bad_request(f"Invalid order_by: {order_by}. Options are {', '.join(rules.orders)}.")
    of = rules.orders[name]
    # A null is greater than any value, as in PostgreSQL: last when ascending, first when descending.
    nulls = [item for item in items if of(item) is None]
    valued = sorted((item for item in items if of(item) is not None), key=of)
    if order_by.startswith("-"):
        return nulls[::-1] + valued[::-1], order_by
    return valued + nulls, order_by


def _echo(value: Any) -> Any:
    if isinstance(value, list):
        return [_echo(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
