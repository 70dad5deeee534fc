"""What the fields of documents are: their types in words, and their meanings, which `docs/meanings.toml` has."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

_WORDS: dict[object, str] = {
    int: "whole number", float: "number", str: "text", bool: "true or false", datetime: "time", type(None): "null",
    Path: "path",
}  # fmt: skip


class StalePage(Exception):
    """A page that does not fit the code; the message is the sentence to show."""


class Meanings:
    """What fields mean: for one document, else for all that have a field of the name; notes which were used."""

    def __init__(self, sections: Mapping[str, Mapping[str, str]]) -> None:
        self._sections = sections
        self._left = {(section, name) for section, names in sections.items() for name in names}

    def take(self, kind: type, name: str) -> str:
        """Give the meaning of a field."""
        for section in (*(one.__name__ for one in kind.__mro__), "every"):
            if (said := self._sections.get(section, {}).get(name)) is not None:
                self._left.discard((section, name))
                return said
        raise StalePage(f"docs/meanings.toml does not say what {kind.__name__}.{name} means. Add it there.")

    def check_all_taken(self) -> None:
        """Refuse meanings that no field has."""
        if self._left:
            section, name = min(self._left)
            raise StalePage(f"docs/meanings.toml has {section}.{name}, which no document has. Take it out.")


def read_meanings(path: Path) -> Meanings:
    """Read what fields mean from a TOML file, a section for each document."""
    return Meanings(tomllib.loads(path.read_text(encoding="utf-8")))


def list_reachable(kinds: list[type]) -> list[type]:
    """Give the dataclasses a list of them leads to, each once, before what it holds."""
    found: list[type] = []
    for kind in kinds:
        if kind not in found:
            found.append(kind)
            parts = [part for hint in typing.get_type_hints(kind).values() for part in _parts(hint)]
            inner = list_reachable([part for part in parts if is_dataclass(part)])
            found += [part for part in inner if part not in [*kinds, *found]]
    return found


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def say_type(hint: Any) -> str:
    """Say a field's type in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(say_type(part) for part in parts)
    if origin is tuple:
        return f"list of {say_type(parts[0])}"
    if origin is dict:
        return f"object: {say_type(parts[1])} by {say_type(parts[0])}"
    if is_dataclass(hint):
        return link_to(typing.cast("type", hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{one.value}`" for one in hint)
    return _WORDS[hint]


def link_to(kind: type) -> str:
    """Link to where a document is described."""
    return f"[{kind.__name__}](#{kind.__name__.lower()})"
