"""Causes that lie in the data: nobody changed the code, and what is read is other than it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from headwater.analysis.causes.failure import Failure, sources_of
from headwater.analysis.failures import OF_VALUES
from headwater.analysis.roots import each_upstream
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

_MOST_SOURCES = 3
_FLAKY_FLIPS = 3
_FLAKY_WINDOW = 20


def data_change(failure: Failure) -> Iterable[Cause]:
    """What is read was different: the table whose numbers show it, else the source the data come from."""
    if not failure.is_test and failure.kind not in OF_VALUES:
        return
    if failure.subject.startswith("unit_test."):
        return
    yield from numbers_upstream(failure)
    rows = f" {failure.outcome.failures:,} rows fail now{_before(failure)}." if failure.outcome.failures else ""
    good = f" It was last good on {failure.good.at:%Y-%m-%d %H:%M} UTC." if failure.good else ""
    said = f"The data below {short_name(failure.subject)} are other than they were.{rows}{good}"
    for place, subject in enumerate(_whose_data(failure)[:_MOST_SOURCES]):
        yield failure.cause(CauseKind.DATA_CHANGED, subject, 0.64 - place / 50, said)


def numbers_upstream(failure: Failure) -> Iterable[Cause]:
    """Tables upstream were written with far more or fewer rows than usual, the farthest up first."""
    depths = {unique_id: place for place, unique_id in enumerate(failure.upstream)}
    for unique_id in sorted(failure.numbers, key=lambda one: -depths.get(one, 0))[:3]:
        said = f"{short_name(unique_id)} upstream: {failure.numbers[unique_id]}"
        yield failure.cause(CauseKind.DATA_CHANGED, unique_id, 0.74, said)


def _whose_data(failure: Failure) -> list[str]:
    """Give the sources they may come from, the likeliest first: by the columns that are in doubt; else what is read.

    A test says which column it looks at, so that who has one of that name goes first; a query that could not work with
    a value is followed by the names in code.
    """
    sources = sources_of(failure.upstream)
    having = [source for source in sources if failure.columns.get(source)]
    if len(sources) == 1 or having:
        return (having or sources)[:1]
    if failure.traced:
        return list(failure.traced)
    return [failure.direct[0] if failure.direct else failure.subject]


def _before(failure: Failure) -> str:
    counts = [outcome.failures for outcome in failure.history if outcome.is_good and outcome.failures is not None]
    return f", {max(counts):,} at most before" if counts and max(counts) > 0 else ""


def upstream_tests(failure: Failure) -> Iterable[Cause]:
    """A test further upstream fails too, from the same time on: the bad rows came in there."""
    above, here = set(failure.upstream), set(failure.direct)
    for test, outcomes in failure.tests.items():
        tested = [parent for parent in failure.parents.get(test, ()) if parent in above]
        if test == failure.subject or not outcomes or not tested or set(tested) & here:
            continue
        newest = next((outcome for outcome in outcomes if outcome.at <= failure.outcome.at), None)
        if newest is None or not newest.is_failed or not _began_with(failure, outcomes):
            continue
        depth = sum(1 for parent in above if parent in set(each_upstream(tested[0], failure.parents)))
        said = f"{short_name(test)} on {short_name(tested[0])}, further upstream, fails from the same time on."
        yield failure.cause(CauseKind.TEST_FAILED, test, 0.83 - min(depth, 20) / 200, said)


def stale_sources(failure: Failure) -> Iterable[Cause]:
    """A source above it failed its freshness check; sooner to blame where it was fresh when the node was good."""
    for source, outcomes in failure.freshness.items():
        newest = next((outcome for outcome in outcomes if outcome.at <= failure.outcome.at), None)
        if newest is not None and newest.is_failed:
            loaded = f"; its newest row is of {newest.max_loaded_at:%Y-%m-%d %H:%M} UTC" if newest.max_loaded_at else ""
            said = f"The source {short_name(source)} upstream failed its freshness check{loaded}."
            yield failure.cause(CauseKind.SOURCE_STALE, source, 0.6 if _began_with(failure, outcomes) else 0.5, said)


def count_flips(history: Sequence[Outcome]) -> int:
    """Count how often a test turned from good to bad among its newest executions."""
    ordered = [outcome for outcome in history if outcome.is_good or outcome.is_failed][:_FLAKY_WINDOW]
    return sum(1 for later, earlier in pairwise(ordered) if later.is_failed and earlier.is_good)


def is_flaky(failure: Failure) -> bool:
    """Whether a test fails now and then, so that one more failure tells little."""
    return failure.is_test and count_flips(failure.history) >= _FLAKY_FLIPS


def _began_with(failure: Failure, outcomes: Sequence[Outcome]) -> bool:
    """Whether a test was still good when the failing node was, or has never been anything but bad."""
    good = next((outcome for outcome in outcomes if outcome.is_good and outcome.at <= failure.outcome.at), None)
    return good is None or failure.good is None or good.at >= failure.good.at or _is_close(good, failure.good)


def _is_close(one: Outcome, other: Outcome) -> bool:
    return one.run_id is not None and one.run_id == other.run_id
