"""Which failures of a run kept a node from being built: symptoms are followed up to where the trouble began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from headwater.model.outcome import Outcome

Parents = Mapping[str, Sequence[str]]
"""The direct parents of each node by unique_id."""

_TESTS = ("test.", "unit_test.")


def each_upstream(unique_id: str, parents: Parents) -> Iterable[str]:
    """Stream the ancestors of a node, nearest first; cycles and parents that are not there do no harm."""
    seen, waiting = {unique_id}, [unique_id]
    for current in waiting:
        for parent in parents.get(current, ()):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
                yield parent


def find_roots(unique_id: str, in_run: Mapping[str, Outcome], parents: Parents) -> tuple[Outcome, ...]:
    """Find the first failures above a node in one run, earliest first; its own where nothing above it failed.

    `in_run` has what was not good in that run. A failure with another above it is a symptom. A failing test stands
    above all that is built on everything it reads, which is when `dbt build` skips a node because of a test.
    """
    failures = {found.unique_id: found for found in in_run.values() if found.is_failed}
    above = _above(unique_id, failures, parents)
    if not above:
        return (failures[unique_id],) if unique_id in failures else ()
    roots = [failure for failure in above if not _above(failure.unique_id, failures, parents)]
    return tuple(sorted(roots or above, key=lambda failure: (failure.at, failure.unique_id)))


def list_roots(in_run: Mapping[str, Outcome], parents: Parents) -> tuple[Outcome, ...]:
    """List the failures of one run that are no symptoms of others, earliest first.

    Two tests that speak of the same nodes stand above each other; then neither is a symptom of the other.
    """
    failures = {found.unique_id: found for found in in_run.values() if found.is_failed}
    above = {name: {failure.unique_id for failure in _above(name, failures, parents)} for name in failures}
    roots = [failures[name] for name, others in above.items() if all(name in above[other] for other in others)]
    return tuple(sorted(roots or failures.values(), key=lambda failure: (failure.at, failure.unique_id)))


def _above(unique_id: str, failures: Mapping[str, Outcome], parents: Parents) -> list[Outcome]:
    upstream = set(each_upstream(unique_id, parents))
    return [
        failure
        for other, failure in failures.items()
        if other != unique_id and (other in upstream or _stops(other, upstream, parents))
    ]


def _stops(other: str, upstream: set[str], parents: Parents) -> bool:
    """Whether a failing test keeps from being built what has this upstream."""
    read = parents.get(other, ())
    return other.startswith(_TESTS) and bool(read) and upstream.issuperset(read)
