"""What a message says of the values that a query could not work with: the column, the function, the operator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headwater.analysis.column_tracing import Item, is_name, list_items
from headwater.model.code import words_of

_READ_CHARACTERS = 4_000
_COLUMN = re.compile(r"""(?:source column|for column|in column)\s+["'`\[]?([\w$]+)""", re.IGNORECASE)
_EXPRESSION = re.compile(r"""cannot resolve ["'`](.{1,500}?)["'`] due to""", re.IGNORECASE | re.DOTALL)
_OPERATIONS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        r"argument types '(?P<name>[^\s('\"]{1,60})\((?P<types>[^)]{1,300})\)",  # DuckDB
        r"function (?:\w+\.)?(?P<name>[\w$]{1,60})\([^)]{0,300}\) does not exist",  # PostgreSQL, Redshift
        r"operator does not exist: [\w ]{1,60}? (?P<name>[^\w\s]{1,3}) ",
        r"argument types for function '(?P<name>[^']{1,60})': \((?P<types>.{1,300}?)\)$",  # Snowflake
        r"no matching signature for .{0,20}(?:function|operator) (?P<name>[^\s(]{1,60})(?:.{1,30}: (?P<types>[^.]*))?",
        r"for function (?P<name>[\w$]{1,60})",  # Trino
        r"cannot apply operator: [\w() ,]{1,60}? (?P<name>[^\w\s(),]{1,3}) ",
        r"invalid for (?P<name>\w{1,60}) operator",  # SQL Server
    )
)
_TEXT = re.compile(r"\b(varchar|text|string|char|nvarchar|bpchar)", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)")
_LINE = re.compile(r"^\s*LINE \d+:(.*)$", re.MULTILINE)


def find_in_doubt(message: str | None, code: str | None) -> frozenset[str]:
    """Find the names in a query's code whose values it could not work with; empty where the message does not tell.

    A column that is named goes before the select items in which the function or operator stands that is, and of
    these that on the line the message quotes goes before the others.
    """
    told = (message or "")[:_READ_CHARACTERS]
    known = words_of(code)
    named = {found[1].lower() for found in _COLUMN.finditer(told)} & known
    for expression in _EXPRESSION.finditer(told):
        named |= words_of(expression[1]) & known
    if named:
        return frozenset(named)
    operation = next((found for one in _OPERATIONS if (found := one.search(told))), None)
    if operation is None:
        return frozenset()
    items = _doing(operation["name"].lower(), list_items(code))
    quoted = words_of("\n".join(_LINE.findall(told)))
    side = _find_side(operation.groupdict().get("types"))
    on_line = [item for item in items if item.output in quoted] or items
    return frozenset(name for item in on_line for name in _operands(item, operation["name"], side))


def _doing(operation: str, items: Sequence[Item]) -> list[Item]:
    """Give the items in which a function is called or an operator, whose signs code has one by one, stands."""
    wanted = {operation} if is_name(operation) else set(operation)
    return [item for item in items if wanted <= set(item.tokens)]


def _find_side(types: str | None) -> int:
    """Tell on which side of an operator the one text stands: 1 behind it, -1 before it, 0 where that is not said."""
    told = [bool(_TEXT.search(one)) for one in _BRACKETS.sub("", types or "").split(",")]
    return 0 if len(told) != 2 or all(told) else told[1] - told[0]


def _operands(item: Item, operation: str, side: int) -> frozenset[str]:
    """Give the names next to an operator on one side, or all of the item where that is no name."""
    places = [place for place, token in enumerate(item.tokens) if token == operation]
    if side == 0 or is_name(operation):
        return item.names
    beside = [_read_name(item.tokens, place, side) for place in places]
    return frozenset(name for name in beside if name) if all(beside) and beside else item.names


def _read_name(tokens: Sequence[str], place: int, side: int) -> str | None:
    """Read the column next to a place: behind a table's name and a dot where it has one."""
    at = place + side
    while side > 0 and at + 2 < len(tokens) and tokens[at + 1] == ".":
        at += 2
    found = tokens[at] if 0 <= at < len(tokens) else ""
    is_call = at + 1 < len(tokens) and tokens[at + 1] == "("
    return found if is_name(found) and not is_call else None
