"""Where a column comes from, followed from query to query by the names in code.

Code is read as words: an item of a select list gives the name it ends with, and is made from all words in it; a star
gives whatever the parents give. That needs no parser for each warehouse's SQL and works on templates too, at the price
that a name of one parent may be taken for that of another. So the answer is a likely one, and may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headwater.analysis.roots import Parents
from headwater.model.code import meaning_of

_BEGINS, _ENDS = "select", "from"
_MOST_STEPS = 2_000


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
    levels = [_Level()]
    for token in meaning_of(code):
        here = levels[-1]
        if token == "(":  # noqa: S105  a bracket
            levels.append(_Level())
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


def close_over(names: Iterable[str], items: Sequence[Item]) -> frozenset[str]:
    """Add to some names all that the items which give them are made from, within one piece of code."""
    found = {name for name in names if is_name(name)}
    waiting = list(found)
    made: dict[str, set[str]] = {}
    for item in items:
        if item.output is not None:
            made.setdefault(item.output, set()).update(item.names)
    for name in waiting:
        new = made.get(name, set()) - found
        found |= new
        waiting += new
    return frozenset(found)


def trace_columns(
    unique_id: str, names: Iterable[str], codes: Mapping[str, str], parents: Parents
) -> dict[str, frozenset[str]]:
    """Find the sources that names in the code of a node come from, and as which columns; the likeliest first.

    Likeliest is from which the most of the names come. `codes` has the code of the node and of what it is made from;
    what has none is taken to give all that its parents do.
    """
    items = {node: list_items(code) for node, code in codes.items()}
    found: dict[str, set[str]] = {}
    votes: dict[str, int] = {}
    for name in sorted(set(names)):
        for source, columns in _trace(unique_id, name, items, parents).items():
            found.setdefault(source, set()).update(columns)
            votes[source] = votes.get(source, 0) + 1
    return {source: frozenset(found[source]) for source in sorted(found, key=lambda one: (-votes[one], one))}


def _trace(
    unique_id: str, name: str, items: Mapping[str, Sequence[Item]], parents: Parents
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    asked: dict[str, frozenset[str]] = {}
    waiting = [(unique_id, frozenset({name}))]
    for node, wanted in waiting:
        used = close_over(wanted, items.get(node, ()))
        for parent in parents.get(node, ()):
            if parent.startswith("source.") and used:
                found[parent] = found.get(parent, frozenset()) | used
                continue
            given = _given(parent, used, items) - asked.get(parent, frozenset())
            if given and len(waiting) < _MOST_STEPS:
                asked[parent] = asked.get(parent, frozenset()) | given
                waiting.append((parent, given))
    return found


def _given(parent: str, names: frozenset[str], items: Mapping[str, Sequence[Item]]) -> frozenset[str]:
    """Give those of some names that a node's code gives; all of them where it has a star or no select list."""
    listed = items.get(parent, ())
    outputs = {item.output for item in listed}
    return names if not outputs or None in outputs else names & outputs
