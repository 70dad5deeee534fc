"""Code as its machine reads it: what comments and formatting do not change."""

from __future__ import annotations

import ast
import re
from collections import Counter

_TOKENS = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.|'')*(?:'|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)|`[^`]*(?:`|\Z))"""
    r"""|(?P<comment>\{\#.*?(?:\#\}|\Z)|/\*.*?(?:\*/|\Z)|--[^\n]*)"""
    r"""|(?P<word>[\w$]+)|(?P<sign>[^\s\w])""",
    re.DOTALL,
)


def meaning_of(code: str | None, language: str | None = "sql") -> tuple[str, ...]:
    """Give the code without comments, white space and the case of its words; texts in quotes stay as they are.

    Two pieces of code that mean the same to dbt and to a warehouse give the same; the opposite need not hold.
    """
    if language == "python":
        return _python(code or "")
    return tuple(
        found[0] if found.lastgroup == "string" else found[0].lower()
        for found in _TOKENS.finditer(code or "")
        if found.lastgroup != "comment"
    )


def words_of(code: str | None) -> frozenset[str]:
    """Give the names in code, in lower case: its words, and what stands in quotes."""
    return frozenset(count_words(code))


def count_words(code: str | None) -> Counter[str]:
    """Count how often code has each name."""
    found = (token.strip("'\"`").lower() for token in meaning_of(code))
    return Counter(word for word in found if word.replace("_", "").replace("$", "").isalnum())


def _python(code: str) -> tuple[str, ...]:
    try:
        return (ast.dump(ast.parse(code)),)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (code,)
