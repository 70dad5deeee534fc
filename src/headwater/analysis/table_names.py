"""A table's name as a warehouse or a person writes it → its parts, and how warehouses tell names apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

LONGEST = 3_000
"""Characters of a name that is still read; three identifiers of the longest warehouse have fewer."""

_QUOTED = re.compile(r'"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|\[((?:[^\]]|\]\])+)\]')
_BARE = re.compile(r"[^.]*")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)/(.*)", re.DOTALL)
_PROJECT = re.compile(r"([^:.\s]+(?:\.[^:.\s]+)*):([^:/].*)", re.DOTALL)
_UPPER = frozenset({"snowflake", "oracle", "exasol"})
_LOWER = frozenset({"postgres", "greenplum", "materialize", "risingwave"})
_EXACT = frozenset({"bigquery", "clickhouse"})
_SCHEMES = {
    "postgresql": frozenset({"postgres", "redshift"}),
    "postgres": frozenset({"postgres", "redshift"}),
    "databricks": frozenset({"databricks", "spark"}),
    "spark": frozenset({"databricks", "spark"}),
    "awsathena": frozenset({"athena"}),
    **{name: frozenset({name}) for name in ("snowflake", "bigquery", "redshift", "duckdb", "trino", "clickhouse")},
}
"""The adapters that the beginning of an address speaks of."""

_QUOTES = {"snowflake": False, "oracle": False}
"""Whether dbt quotes names for an adapter where a manifest does not show it; the others do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a name, without its quotes; an empty one was left out, as in `db..orders`."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName:
    """One way to read what was written: up to three parts, the table last.

    `note` says what was read into it; `adapters` is of which it speaks, empty for any.
    """

    parts: tuple[Part, ...]
    note: str = ""
    adapters: frozenset[str] = frozenset()

    @property
    def table(self) -> Part:
        """Give the last part."""
        return self.parts[-1]


def read_table_name(text: str) -> tuple[TableName, ...]:
    """Read a name in every way it can be meant, the plain one first; empty where it names no table.

    Quotes are double quotes, backticks or brackets, doubled inside to mean themselves. Backticks may stand around the
    whole. Read are also BigQuery's `project:dataset.table`, and addresses as `snowflake://account/db/schema/table`.
    """
    stripped = _unwrap(text)
    if not stripped or len(stripped) > LONGEST:
        return ()
    readings = dict.fromkeys(reading for reading in _each_reading(stripped) if reading.parts and reading.table.text)
    return tuple(readings)


def split_relation(relation_name: str) -> tuple[Part, ...]:
    """Split a relation as dbt writes it into a manifest; empty where it is none."""
    readings = read_table_name(relation_name)
    return readings[0].parts if readings else ()


def real_name(part: Part, adapter: str | None) -> str:
    """Give the name as the warehouse keeps it: without quotes Snowflake writes it upper and PostgreSQL lower case."""
    if adapter in _EXACT or (part.is_quoted and adapter in _UPPER | _LOWER):
        return part.text
    return part.text.upper() if adapter in _UPPER else part.text.lower() if adapter in _LOWER else part.text.casefold()


def is_quoted_by_default(adapter: str | None) -> bool:
    """Tell whether dbt quotes relations for an adapter unless a project says otherwise."""
    return _QUOTES.get(adapter or "", True)


def _unwrap(text: str) -> str:
    stripped = text.strip().rstrip(";").strip()
    is_wrapped = len(stripped) > 2 and stripped[0] == stripped[-1] == "'" and "'" not in stripped[1:-1]
    return stripped[1:-1].strip() if is_wrapped else stripped


def _each_reading(text: str) -> Iterator[TableName]:
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        segments = [part for segment in address[3].split("/") for part in _split(unquote(segment))]
        scheme = address[1].lower()
        read = _last_three(segments, f"It was read as an address of {scheme}; its host was not compared.")
        yield replace(read, adapters=_SCHEMES.get(scheme, frozenset()))
        return
    parts = _split(text)
    inner = parts[0].text if len(parts) == 1 and parts[0].is_quoted else ""
    is_whole = "." in inner and (text[0] == "`" or _PROJECT.fullmatch(inner) is not None)
    if is_whole:
        yield _read_bare(inner, "")
    elif not inner:
        yield _read_bare(text, "") if _PROJECT.fullmatch(text) and not parts[0].is_quoted else _last_three(parts, "")
    if inner:
        yield TableName(parts=tuple(parts))
    if any(part.is_quoted and "." in part.text for part in parts) and not is_whole:
        opened = [Part(piece, True) for part in parts for piece in part.text.split(".")]
        yield _last_three(opened, "The dots inside the quotes were read as those between the parts.")


def _read_bare(text: str, note: str) -> TableName:
    """Read a name that may begin with `project:`, where the project may hold dots: `example.com:project.…`."""
    found = _PROJECT.fullmatch(text)
    if found is None:
        return _last_three(_split(text), note)
    rest = _split(found[2])
    if len(rest) == 3:
        return TableName(parts=(Part(f"{found[1]}:{rest[0].text}", True), *rest[1:]), note=note)
    return _last_three([Part(found[1], True), *rest], note)


def _last_three(parts: list[Part], note: str) -> TableName:
    if len(parts) > 3:
        left_out = ".".join(part.text for part in parts[:-3])[:80]
        note = f"{note} Only the last three parts were compared, without {left_out}.".strip()
    while len(parts) > 1 and not parts[0].text:
        parts = parts[1:]
    return TableName(parts=tuple(parts[-3:]), note=note)


def _split(text: str) -> list[Part]:
    """Split at the dots outside of quotes; what stands around or after quotes makes a part that is taken as it is."""
    parts = []
    at = 0
    last = {opening: text.rfind(closing) for opening, closing in ('""', "``", "[]")}
    while at <= len(text):
        while at < len(text) and text[at].isspace():
            at += 1
        is_closed = last.get(text[at : at + 1], -1) > at
        quoted = _QUOTED.match(text, at) if is_closed else None
        end = quoted.end() if quoted is not None else at
        while end < len(text) and text[end].isspace():
            end += 1
        if quoted is not None and text[end : end + 1] in {"", "."}:
            parts.append(Part(_unescape(quoted), True))
        else:
            bare = _BARE.match(text, at)
            end = bare.end() if bare is not None else at
            parts.append(Part(text[at:end].strip()))
        at = end + 1
    return parts


def _unescape(found: re.Match[str]) -> str:
    double, backtick, bracket = found.groups()
    if double is not None:
        return double.replace('""', '"')
    return backtick.replace("``", "`") if backtick is not None else bracket.replace("]]", "]")
