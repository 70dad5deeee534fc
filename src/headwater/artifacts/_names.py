"""Names that dbt wrote as text: quoted relations, and the ref() or source() a test or unit test speaks of."""

from __future__ import annotations

import re

from headwater.model.node import Relation

_PART = re.compile(r'"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[((?:[^\]]|\]\])*)\]|([^."`\[\]\s]+)')
_CALL = re.compile(
    r"\b(ref|source)\(\s*(['\"])(.+?)\2\s*(?:,\s*(['\"])(.+?)\4\s*)?(?:,\s*v(?:ersion)?\s*=\s*['\"]?(\w+))?"
)


def parse_relation(relation_name: str) -> Relation | None:
    """Read a relation as an adapter quotes it: "d"."s"."t", `d`.`s`.`t`, `d.s.t`, [d].[s].[t] or d.s.t."""
    parts = []
    at = 0
    while at < len(relation_name):
        found = _PART.match(relation_name, at)
        if found is None:
            return None
        double, backtick, bracket, bare = found.groups()
        if double is not None:
            parts.append(double.replace('""', '"'))
        elif backtick is not None:
            parts.append(backtick.replace("``", "`"))
        else:
            parts.append(bare if bracket is None else bracket.replace("]]", "]"))
        at = found.end()
        if at < len(relation_name) and relation_name[at] != ".":
            return None
        at += 1
    if len(parts) == 1 and "`" in relation_name:
        parts = parts[0].split(".")
    if not 2 <= len(parts) <= 3 or not all(parts):
        return None
    return Relation(parts[0] if len(parts) == 3 else None, parts[-2], parts[-1])


def find_target(text: str | None, candidates: tuple[str, ...]) -> str | None:
    """Find which of the nodes a text like `{{ get_where_subquery(ref('orders', v=2)) }}` speaks of."""
    ending = _ending(text) if text else None
    if ending is None:
        return None
    package, rest = ending
    named = [candidate for candidate in candidates if candidate.endswith(rest)]
    if package:
        named = [candidate for candidate in named if candidate.split(".")[1:2] == [package]] or named
    return named[0] if len(named) == 1 else None


def guess_model_id(text: str, package: str) -> str:
    """Give the unique_id of the model that a name or a ref() means when nothing else says it."""
    ending = _ending(text)
    if ending is None:
        return f"model.{package}.{text.strip()}"
    return f"model.{ending[0] or package}{ending[1]}"


def _ending(text: str) -> tuple[str | None, str] | None:
    """Split a ref() or source() into its package and how the unique_id that it means ends."""
    call = _CALL.search(text)
    if call is None:
        return None
    kind, _, first, _, second, version = call.groups()
    if kind == "source":
        return (None, f".{first}.{second}") if second else None
    package, name = (first, second) if second else (None, first)
    return package, f".{name}.v{version}" if version else f".{name}"
