"""What changed between two versions of a node's code, line by line."""

from __future__ import annotations

from difflib import unified_diff

MOST_LINES = 200
_MOST_CODE = 2_000
"""Lines of code beyond which comparing costs more than it tells."""


def diff_code(before: str | None, after: str | None) -> tuple[str, ...]:
    """Give the lines that went, begin with `-`, and came, with `+`, with three lines around them, 200 at most.

    Each place is headed by a line that begins with `@@`. Nothing where the code is the same, or is too long.
    """
    old, new = (before or "").splitlines(), (after or "").splitlines()
    if max(len(old), len(new)) > _MOST_CODE:
        return ()
    return tuple(line.rstrip("\n") for line in list(unified_diff(old, new, lineterm="", n=3))[2 : MOST_LINES + 2])
