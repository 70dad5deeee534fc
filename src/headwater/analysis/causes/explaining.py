"""What caused a failure, ranked: all rules asked, each cause once, the surest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headwater.analysis.causes.changed import (
    macro_change,
    missing_variable,
    own_change,
    upstream_change,
    variable_change,
)
from headwater.analysis.causes.data import data_change, is_flaky, numbers_upstream, stale_sources, upstream_tests
from headwater.analysis.causes.failure import Failure
from headwater.analysis.causes.relations import (
    breaching_source,
    changed_source,
    contract,
    missing_column,
    missing_relation,
)
from headwater.analysis.causes.warehouse import concurrent_runs, own_doing, same_message, trouble
from headwater.analysis.failures import FailureKind, first_line
from headwater.model.node import short_name
from headwater.model.verdict import Cause, CauseKind

Rule = Callable[[Failure], Iterable[Cause]]
_CHANGED: tuple[Rule, ...] = (own_change, macro_change, variable_change, upstream_change)
_BUILT: tuple[Rule, ...] = (
    *_CHANGED, missing_variable, contract, breaching_source, changed_source, missing_relation, missing_column,
    data_change, concurrent_runs, same_message,
)  # fmt: skip
_TESTED: tuple[Rule, ...] = (*_CHANGED, upstream_tests, stale_sources, data_change)
_TROUBLED: tuple[Rule, ...] = (concurrent_runs, trouble)


def explain(failure: Failure) -> tuple[Cause, ...]:
    """Give what may have caused a failure, most likely first, each cause once."""
    found = [cause for rule in _rules(failure) for cause in rule(failure)]
    found.append(_itself(failure))
    best: dict[tuple[CauseKind, str | None, int | None, str | None], Cause] = {}
    for cause in sorted(found, key=lambda cause: -cause.confidence):
        best.setdefault((cause.kind, cause.unique_id, cause.run_id, cause.about), cause)
    return tuple(best.values())


def explain_anomaly(failure: Failure) -> tuple[Cause, ...]:
    """Give what may have made a good build unlike the one before; nothing where nothing changed."""
    found = [cause for rule in (*_CHANGED, numbers_upstream) for cause in rule(failure)]
    return tuple(sorted(found, key=lambda cause: -cause.confidence))


def _rules(failure: Failure) -> tuple[Rule, ...]:
    if failure.is_test:
        return _TESTED
    if not failure.kind.is_warehouse_trouble:
        return _BUILT
    return (*_TROUBLED, own_change, macro_change) if own_doing(failure) else _TROUBLED


def _itself(failure: Failure) -> Cause:
    """Say at least where it began, so that nobody has to look for that."""
    rows = f" on {failure.outcome.failures:,} rows" if failure.is_test and failure.outcome.failures else ""
    line = first_line(failure.outcome.message)
    how = "warned" if failure.outcome.status == "warn" else "failed"
    said = [f"{short_name(failure.subject)} {how}{rows}{f': {line}' if line else '.'}"]
    sure = 0.5 if failure.kind is FailureKind.UNKNOWN else 0.4
    if is_flaky(failure):
        sure = 0.68
        said.append("It fails now and then and is good again: one more failure tells little.")
    what = CauseKind.TEST_FAILED if failure.is_test else CauseKind.NODE_FAILED
    return failure.cause(what, failure.subject, sure, *said)
