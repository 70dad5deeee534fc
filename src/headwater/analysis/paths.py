"""The way from a bad node up to where its trouble began, step by step."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from headwater.analysis.roots import Parents

_TESTS = ("test.", "unit_test.")


def find_path(asked: str, failed: str, subject: str | None, parents: Parents, bad: Collection[str]) -> tuple[str, ...]:
    """Give the nodes from the one that is asked for over the one that failed to the cause's subject.

    Each is read by the one before it, or is a test that stands between them. Bad nodes are preferred; of a failure or
    a subject that is not above, only the node itself is told.
    """
    path = _over(asked, failed, parents, bad)
    if subject is None or subject in path:
        return path
    if not subject.startswith(_TESTS):
        return (*path, *(_trail(failed, {subject}, parents, bad) or (failed, subject))[1:])
    return (*path, *_over(failed, subject, parents, bad)[1:])


def _over(asked: str, failed: str, parents: Parents, bad: Collection[str]) -> tuple[str, ...]:
    if asked == failed:
        return (asked,)
    if not failed.startswith(_TESTS):
        return _trail(asked, {failed}, parents, bad) or (asked, failed)
    tested = _trail(asked, parents.get(failed, ()), parents, bad)
    before = tested[:-1] if len(tested) > 1 else (asked,)
    return (*(step for step in before if step != failed), failed)


def _trail(start: str, ends: Iterable[str], parents: Parents, bad: Collection[str]) -> tuple[str, ...]:
    """Give the shortest way up, over bad nodes alone if there is one; empty where there is none."""
    wanted = set(ends)
    return _search(start, wanted, parents, set(bad) | wanted) or _search(start, wanted, parents, None)


def _search(start: str, wanted: set[str], parents: Parents, among: set[str] | None) -> tuple[str, ...]:
    came_from: dict[str, str | None] = {start: None}
    waiting = [start]
    for current in waiting:
        if current in wanted:
            return _back(current, came_from)
        for parent in parents.get(current, ()):
            if parent not in came_from and (among is None or parent in among):
                came_from[parent] = current
                waiting.append(parent)
    return ()


def _back(end: str, came_from: dict[str, str | None]) -> tuple[str, ...]:
    steps: list[str] = []
    current: str | None = end
    while current is not None:
        steps.append(current)
        current = came_from[current]
    return tuple(reversed(steps))
