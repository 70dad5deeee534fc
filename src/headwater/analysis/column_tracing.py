"""Where a column comes from, followed from query to query by the names in code.

Code is read as words: an item of a select list gives the name it ends with, and is made from all words in it; a star
gives whatever the parents give. That needs no parser for each warehouse's SQL and works on templates too, at the price
that a name of one parent may be taken for that of another. So the answer is a likely one, and may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headwater.analysis.roots import Parents
from headwater.model.code import meaning_of

_BEGINS, _ENDS = "select", "from"
_MOST_STEPS = 500
_MOST_NAMES = 60
_MOST_LEVELS = 25
"""How deep brackets are told apart; what lies deeper counts to the item around it."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a select list: the name it gives, None for a star, and the names and signs in it, in their order."""

    output: str | None
    tokens: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names in it, without signs and numbers."""
        return frozenset(filter(is_name, self.tokens))


@dataclass(slots=True)
class _Level:
    """A select list, or what stands in brackets, while it is read."""

    is_list: bool = False
    tokens: list[str] = field(default_factory=list)


def list_items(code: str | None) -> tuple[Item, ...]:
    """List the items of all select lists in a piece of code, those in brackets too."""
    found: list[Item] = []
    levels, deeper = [_Level()], 0
    for token in meaning_of(code):
        here = levels[-1]
        if token == "(" and len(levels) < _MOST_LEVELS:  # noqa: S105  a bracket
            levels.append(_Level())
        elif token == "(":  # noqa: S105
            deeper += 1
        elif token == ")" and deeper:  # noqa: S105
            deeper -= 1
        elif token == ")" and len(levels) > 1:  # noqa: S105
            _close(here, found)
            levels.pop()
        elif token == _BEGINS:
            here.is_list, here.tokens = True, []
            continue
        elif here.is_list and token in {",", _ENDS}:
            _close(here, found)
            here.is_list = token == ","  # noqa: S105
            continue
        for level in levels:
            if level.is_list:
                level.tokens.append(token)
    for level in levels:
        _close(level, found)
    return tuple(found)


def _close(level: _Level, found: list[Item]) -> None:
    output = _output(level.tokens)
    if level.is_list and (output is not None or level.tokens[-1:] == ["*"]):
        found.append(Item(output, tuple(map(_bare, level.tokens))))
    level.tokens = []


def _output(tokens: list[str]) -> str | None:
    """Give the name that an item ends with, before a cast that has no name of its own; None where there is none."""
    if tokens[-1:] == ["*"]:
        return None
    casts = [place for place in range(1, len(tokens) - 1) if tokens[place] == tokens[place + 1] == ":"]
    named = "as" in tokens[casts[-1] :] if casts else True
    kept = tokens if named else tokens[: casts[0]]
    words = [_bare(token) for token in kept if is_name(_bare(token))]
    return words[-1] if words else None


def _bare(token: str) -> str:
    return token.strip("'\"`").lower()


def is_name(word: str) -> bool:
    """Whether a word of code may be the name of something."""
    return bool(word) and not word[0].isdigit() and word.replace("_", "").replace("$", "").isalnum()


@dataclass(frozen=True, slots=True)
class _Query:
    """What a piece of code gives: the names each of its columns is made from, and whether it has a star."""

    made: Mapping[str, frozenset[str]]
    has_star: bool

    def close_over(self, names: Iterable[str]) -> frozenset[str]:
        """Add to some names all that the items which give them are made from, within the code."""
        found = set(names)
        waiting = list(found)
        for name in waiting:
            new = self.made.get(name, frozenset()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def given(self, names: frozenset[str]) -> frozenset[str]:
        """Give those of some names that the code gives; all of them where it has a star or no select list."""
        return names if self.has_star or not self.made else names & self.made.keys()


def _read_query(code: str | None) -> _Query:
    made: dict[str, set[str]] = {}
    items = list_items(code)
    for item in items:
        if item.output is not None:
            made.setdefault(item.output, set()).update(item.names)
    return _Query(
        {name: frozenset(words) for name, words in made.items()}, has_star=any(item.output is None for item in items)
    )


def trace_columns(
    unique_id: str, names: Iterable[str], codes: Mapping[str, str], parents: Parents
) -> dict[str, frozenset[str]]:
    """Find the sources that names in the code of a node come from, and as which columns; the likeliest first.

    Likeliest is from which the most of the names come. `codes` has the code of the node and of what it is made from;
    what has none is taken to give all that its parents do.
    """
    queries = {node: _read_query(code) for node, code in codes.items()}
    found: dict[str, set[str]] = {}
    votes: dict[str, int] = {}
    for name in sorted(filter(is_name, set(names)))[:_MOST_NAMES]:
        for source, columns in _trace(unique_id, name, queries, parents).items():
            found.setdefault(source, set()).update(columns)
            votes[source] = votes.get(source, 0) + 1
    return {source: frozenset(found[source]) for source in sorted(found, key=lambda one: (-votes[one], one))}


def _trace(unique_id: str, name: str, queries: Mapping[str, _Query], parents: Parents) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    asked: dict[str, frozenset[str]] = {}
    waiting = [(unique_id, frozenset({name}))]
    for node, wanted in waiting:
        used = queries.get(node, _UNKNOWN).close_over(wanted)
        for parent in parents.get(node, ()):
            if parent.startswith("source."):
                found[parent] = found.get(parent, frozenset()) | used
                continue
            given = queries.get(parent, _UNKNOWN).given(used) - asked.get(parent, frozenset())
            if given and len(waiting) < _MOST_STEPS:
                asked[parent] = asked.get(parent, frozenset()) | given
                waiting.append((parent, given))
    return found


_UNKNOWN = _Query({}, has_star=True)
