"""What the failures of one run have in common: a hundred with one cause are one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwater.analysis.failures import classify_failure, first_line
from headwater.analysis.roots import Parents
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

_TESTS = ("test.", "unit_test.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A first failure of a run, and what failed or was skipped because of it."""

    root: Outcome
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCause:
    """A cause with all that failed by it in a run, and all that was skipped by it."""

    cause: Cause
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


def find_reaches(in_run: Mapping[str, Outcome], parents: Parents) -> tuple[Reach, ...]:
    """Give the first failures of a run with what each reached, the earliest first; each bad node is told once.

    A failing test stops what is made from all that it reads. What was skipped with no failure above it is in none.
    """
    children: defaultdict[str, list[str]] = defaultdict(list)
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    failures = sorted(
        (found for found in in_run.values() if found.is_failed), key=lambda found: (found.at, found.unique_id)
    )
    below = {found.unique_id: _below(found.unique_id, parents, children) for found in failures}
    symptoms = {name for found in failures for name in below[found.unique_id] if name != found.unique_id}
    first = [found for found in failures if found.unique_id not in symptoms]
    in_circles = [found for found in failures if found.unique_id in symptoms]
    taken: set[str] = {found.unique_id for found in first}
    reaches = []
    for root in (*first, *in_circles):
        if root.unique_id in symptoms and root.unique_id in taken:
            continue
        reached = [name for name in sorted(below[root.unique_id]) if name in in_run and name not in taken]
        taken.update(reached, (root.unique_id,))
        failed = tuple(name for name in reached if in_run[name].is_failed)
        skipped = tuple(name for name in reached if not in_run[name].is_failed)
        reaches.append(Reach(root=root, failed=(root.unique_id, *failed), skipped=skipped))
    return tuple(reaches)


def _below(unique_id: str, parents: Parents, children: Mapping[str, Sequence[str]]) -> set[str]:
    if not unique_id.startswith(_TESTS):
        return _reach(unique_id, children)
    reached = [_reach(parent, children) for parent in parents.get(unique_id, ())]
    built = set.intersection(*reached) if reached else set()
    return {name for name in built if not name.startswith(_TESTS)}


def _reach(unique_id: str, children: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [unique_id]
    for current in waiting:
        for child in children.get(current, ()):
            if child not in seen and child != unique_id:
                seen.add(child)
                waiting.append(child)
    return seen


def choose_spokesmen(reaches: Iterable[Reach], most: int) -> tuple[Reach, ...]:
    """Choose the failures to explain one by one: of those with one message of the warehouse the first."""
    chosen: dict[object, Reach] = {}
    for reach in reaches:
        kind = classify_failure(reach.root.message)
        is_shared = kind.is_warehouse_trouble and reach.root.status != "fail"
        chosen.setdefault((kind, first_line(reach.root.message)) if is_shared else reach.root.unique_id, reach)
    return tuple(chosen.values())[:most]


def group_causes(reaches: Sequence[Reach], explained: Mapping[str, Sequence[Cause]]) -> tuple[RunCause, ...]:
    """Put failures with the same likeliest cause together, those that reach the most first.

    `explained` has the causes of the failures that were explained. Another is told with one of the same message, else
    by itself.
    """
    by_message = {
        _message(reach): explained[reach.root.unique_id]
        for reach in reversed(reaches)
        if reach.root.unique_id in explained
    }
    groups: dict[tuple[CauseKind, str | None, str | None], RunCause] = {}
    for reach in reaches:
        causes = explained.get(reach.root.unique_id) or by_message.get(_message(reach)) or (_unexplained(reach),)
        cause = _shared(causes, groups)
        known = groups.get(_key(cause))
        failed = (*(known.failed if known else ()), *reach.failed)
        skipped = (*(known.skipped if known else ()), *reach.skipped)
        best = max((known.cause, cause), key=lambda one: one.confidence) if known else cause
        groups[_key(cause)] = RunCause(
            cause=best, failed=tuple(dict.fromkeys(failed)), skipped=tuple(dict.fromkeys(skipped))
        )
    return tuple(sorted(groups.values(), key=lambda one: (-len(one.failed) - len(one.skipped), -one.cause.confidence)))


_ALIKE = 0.1
"""A cause that explains other failures of the run, too, is taken where it is this little less likely."""


def _shared(causes: Sequence[Cause], groups: Mapping[tuple[CauseKind, str | None, str | None], RunCause]) -> Cause:
    first = causes[0]
    near = (cause for cause in causes if cause.confidence >= first.confidence - _ALIKE and _key(cause) in groups)
    return next(near, first)


def _key(cause: Cause) -> tuple[CauseKind, str | None, str | None]:
    return cause.kind, cause.unique_id, cause.about


def _message(reach: Reach) -> tuple[object, str]:
    return classify_failure(reach.root.message), first_line(reach.root.message)


def _unexplained(reach: Reach) -> Cause:
    root = reach.root
    is_test = root.status == "fail"
    return Cause(
        kind=CauseKind.TEST_FAILED if is_test else CauseKind.NODE_FAILED,
        confidence=0.4,
        unique_id=root.unique_id,
        run_id=root.run_id,
        since=root.at,
        evidence=(first_line(root.message),) if root.message else (),
        failed=root.unique_id,
    )
