"""What caused a failure, ranked: from its message, from what changed since it last went well, and from its company."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headwater.analysis.failures import (
    FailureKind,
    classify_failure,
    find_missing_column,
    first_line,
    read_contract_breach,
)
from headwater.analysis.roots import Parents, each_upstream
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

_NAMED_CHANGES = 5
CODE, CONFIGURATION, COLUMNS = "code", "configuration", "columns"
ADDED = "added"
"""The aspect of a node that was not there before; the others are those of `NodeChange`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed between the manifest a node was last good with and the one it failed with.

    `aspects` says for each node that differs what does; `macros` has for each node those it uses whose code differs,
    those it uses through others included.
    """

    aspects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    macros: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure and what it is explained by.

    `good` is the same node's last good outcome before, None where there is none; `in_run` all that was not good in the
    same run; `columns` those that sources above it are known to have had, in lower case; `tests`
    the histories, newest first, of tests on the node and above it; `freshness` those of the sources
    above it; `difference` is None where one of the two manifests is not known.
    """

    outcome: Outcome
    parents: Parents
    good: Outcome | None = None
    in_run: Mapping[str, Outcome] = field(default_factory=dict)
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tests: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    freshness: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    difference: Difference | None = None
    since: datetime | None = None

    @property
    def kind(self) -> FailureKind:
        """What the message tells of."""
        return classify_failure(self.outcome.message)


def explain(failure: Failure) -> tuple[Cause, ...]:
    """Give what may have caused a failure, most likely first, each cause once."""
    if failure.kind.is_warehouse_trouble and failure.outcome.status != "fail":
        found = [_trouble(failure)]
    else:
        explained = _TESTED if failure.outcome.status == "fail" else _BUILT
        found = [cause for rule in explained for cause in rule(failure)]
    found.append(_itself(failure))
    best: dict[tuple[CauseKind, str | None, int | None], Cause] = {}
    for cause in sorted(found, key=lambda cause: -cause.confidence):
        best.setdefault((cause.kind, cause.unique_id, cause.run_id), cause)
    return tuple(best.values())


def _trouble(failure: Failure) -> Cause:
    alike = [
        other
        for other in failure.in_run.values()
        if other.is_failed and classify_failure(other.message) is failure.kind
    ]
    company = f" {len(alike)} nodes of the run failed so." if len(alike) > 1 else ""
    return Cause(
        kind=CauseKind.WAREHOUSE_TROUBLE,
        confidence=0.95 if len(alike) > 1 else 0.85,
        run_id=failure.outcome.run_id,
        unique_id=failure.outcome.unique_id if failure.outcome.run_id is None else None,
        since=_since(failure),
        evidence=(
            f"The warehouse answered with a {failure.kind} fault: {first_line(failure.outcome.message)}{company}",
        ),
    )


def _own_change(failure: Failure) -> Iterable[Cause]:
    """The node's own code or configuration differs from when it was last good."""
    changed = _changed(failure, failure.outcome.unique_id)
    subject = failure.outcome.unique_id
    what = CauseKind.SEED_CHANGED if subject.startswith("seed.") else CauseKind.CODE_CHANGED
    if CODE in changed or COLUMNS in changed:
        yield _cause(
            failure, what, subject, 0.93, f"{short_name(subject)} was changed after it was last good{_on(failure)}."
        )
    elif CONFIGURATION in changed:
        said = f"The configuration of {short_name(subject)} was changed after it was last good{_on(failure)}."
        yield _cause(failure, CauseKind.CONFIGURATION_CHANGED, subject, 0.85, said)


def _contract(failure: Failure) -> Iterable[Cause]:
    if failure.kind is FailureKind.CONTRACT:
        subject = failure.outcome.unique_id
        said = f"What {short_name(subject)} selects differs from the columns its contract promises."
        columns = read_contract_breach(failure.outcome.message)[:_NAMED_CHANGES]
        yield _cause(failure, CauseKind.CONTRACT_BREACH, subject, 0.97, said, *columns)


def _macro_change(failure: Failure) -> Iterable[Cause]:
    if failure.difference is None:
        return
    used = failure.difference.macros.get(failure.outcome.unique_id, frozenset())
    for macro in sorted(used)[:_NAMED_CHANGES]:
        user = short_name(failure.outcome.unique_id)
        said = f"The macro {short_name(macro)}, which {user} uses, was changed{_on(failure)}."
        yield _cause(failure, CauseKind.MACRO_CHANGED, macro, 0.88, said)


def _upstream_change(failure: Failure) -> Iterable[Cause]:
    """Something above the node differs: the nearest first, and sooner where the message speaks of columns."""
    difference = failure.difference
    if difference is None:
        return
    sure = 0.82 if failure.kind in {FailureKind.MISSING_COLUMN, FailureKind.TYPE, FailureKind.CONTRACT} else 0.7
    for rank, ancestor in enumerate(_upstream_of(failure)):
        changed = difference.aspects.get(ancestor, frozenset())
        macros = difference.macros.get(ancestor, frozenset())
        nearness = min(rank, 20) / 400
        if ancestor.startswith("seed.") and changed & {CODE, ADDED}:
            said = f"The seed {short_name(ancestor)} upstream was changed{_on(failure)}."
            yield _cause(failure, CauseKind.SEED_CHANGED, ancestor, sure - nearness, said)
        elif CODE in changed or COLUMNS in changed:
            said = f"{short_name(ancestor)}, which lies upstream, was changed{_on(failure)}."
            yield _cause(failure, CauseKind.UPSTREAM_CODE_CHANGED, ancestor, sure - nearness, said)
        elif macros:
            macro = min(macros)
            said = (
                f"The macro {short_name(macro)}, which {short_name(ancestor)} upstream uses, was changed{_on(failure)}."
            )
            yield _cause(failure, CauseKind.MACRO_CHANGED, macro, sure - nearness - 0.02, said)
        elif CONFIGURATION in changed:
            said = f"The configuration of {short_name(ancestor)}, which lies upstream, was changed{_on(failure)}."
            yield _cause(failure, CauseKind.CONFIGURATION_CHANGED, ancestor, sure - nearness - 0.15, said)


def _source_change(failure: Failure) -> Iterable[Cause]:
    """A column or a table is not there though nobody changed the code: the source is another one than it was."""
    if failure.kind is FailureKind.MISSING_RELATION:
        yield from _missing_source(failure)
    elif failure.kind is FailureKind.MISSING_COLUMN:
        yield from _missing_column(failure)


def _missing_source(failure: Failure) -> Iterable[Cause]:
    message = (failure.outcome.message or "").lower()
    direct = failure.parents.get(failure.outcome.unique_id, ())
    for source in _sources_above(failure):
        if source.rsplit(".", 1)[-1].lower() in message:
            said = f"The table of the source {short_name(source)} was not there: {first_line(failure.outcome.message)}"
            sure = 0.95 if source in direct else 0.8
            yield _cause(failure, CauseKind.SOURCE_MISSING, source, sure, said)


def _missing_column(failure: Failure) -> Iterable[Cause]:
    """Likeliest is a source known to have had the column, then one the node reads itself, then any above it.

    A model that the node reads itself is blamed where no source is known to have had it: another project's may be.
    """
    sources = _sources_above(failure)
    direct = failure.parents.get(failure.outcome.unique_id, ())
    column = find_missing_column(failure.outcome.message)
    having = [source for source in sources if column in failure.columns.get(source, ())]
    line = first_line(failure.outcome.message)
    for source in sources:
        if source in having:
            sure, said = 0.9 / len(having) ** 0.2, f"{column} of the source {short_name(source)} is gone."
        elif source in direct or len(sources) == 1:
            sure, said = 0.8, f"A column of the source {short_name(source)} is gone."
        else:
            sure, said = 0.5, f"A column is gone that may have come from the source {short_name(source)}."
        yield _cause(failure, CauseKind.COLUMNS_CHANGED, source, sure, said, line)
    models = [parent for parent in direct if parent.startswith("model.")]
    for model in [] if having else models:
        said = f"{short_name(model)} no longer has a column that {short_name(failure.outcome.unique_id)} reads."
        yield _cause(failure, CauseKind.COLUMNS_CHANGED, model, 0.75 if len(models) == 1 else 0.6, said, line)


def _data_change(failure: Failure) -> Iterable[Cause]:
    """Nobody changed the code, so the data did: what is read was different."""
    if failure.outcome.status != "fail" and failure.kind not in {FailureKind.TYPE, FailureKind.DUPLICATE_KEY}:
        return
    tested = failure.parents.get(failure.outcome.unique_id, ())
    sources = _sources_above(failure)
    subject = sources[0] if len(sources) == 1 else tested[0] if tested else failure.outcome.unique_id
    rows = f" {failure.outcome.failures:,} rows fail now." if failure.outcome.failures else ""
    before = f" It was last good on {failure.good.at:%Y-%m-%d %H:%M} UTC." if failure.good else ""
    said = f"The data below {short_name(failure.outcome.unique_id)} are other than they were.{rows}{before}"
    yield _cause(failure, CauseKind.DATA_CHANGED, subject, 0.62, said)


def _upstream_tests(failure: Failure) -> Iterable[Cause]:
    """A test further upstream fails too, from the same time on: the bad rows came in there."""
    above = set(_upstream_of(failure))
    tested_here = set(failure.parents.get(failure.outcome.unique_id, ()))
    for test, outcomes in failure.tests.items():
        tested = [parent for parent in failure.parents.get(test, ()) if parent in above]
        if test == failure.outcome.unique_id or not outcomes or not tested or set(tested) & tested_here:
            continue
        newest = next((outcome for outcome in outcomes if outcome.at <= failure.outcome.at), None)
        if newest is None or not newest.is_failed or not _began_with(failure, outcomes):
            continue
        depth = sum(1 for parent in above if parent in set(each_upstream(tested[0], failure.parents)))
        said = f"{short_name(test)} on {short_name(tested[0])}, further upstream, fails from the same time on."
        yield _cause(failure, CauseKind.TEST_FAILED, test, 0.84 - min(depth, 20) / 200, said)


def _stale_sources(failure: Failure) -> Iterable[Cause]:
    for source, outcomes in failure.freshness.items():
        newest = next((outcome for outcome in outcomes if outcome.at <= failure.outcome.at), None)
        if newest is not None and newest.is_failed:
            loaded = f"; its newest row is of {newest.max_loaded_at:%Y-%m-%d %H:%M} UTC" if newest.max_loaded_at else ""
            said = f"The source {short_name(source)} upstream failed its freshness check{loaded}."
            yield _cause(failure, CauseKind.SOURCE_STALE, source, 0.55, said)


def _itself(failure: Failure) -> Cause:
    """Say at least where it began, so that nobody has to look for that."""
    is_test = failure.outcome.status == "fail"
    rows = f" on {failure.outcome.failures:,} rows" if is_test and failure.outcome.failures else ""
    line = first_line(failure.outcome.message)
    said = f"{short_name(failure.outcome.unique_id)} failed{rows}{f': {line}' if line else '.'}"
    what = CauseKind.TEST_FAILED if is_test else CauseKind.NODE_FAILED
    return _cause(failure, what, failure.outcome.unique_id, 0.5 if failure.kind is FailureKind.UNKNOWN else 0.4, said)


Rule = Callable[[Failure], Iterable[Cause]]
_BUILT: tuple[Rule, ...] = (_contract, _own_change, _macro_change, _upstream_change, _source_change, _data_change)
_TESTED: tuple[Rule, ...] = (
    _own_change,
    _macro_change,
    _upstream_change,
    _upstream_tests,
    _stale_sources,
    _data_change,
)


def _cause(failure: Failure, kind: CauseKind, subject: str, confidence: float, *evidence: str) -> Cause:
    return Cause(
        kind=kind, unique_id=subject, confidence=round(confidence, 3), since=_since(failure), evidence=evidence,
        run_id=failure.outcome.run_id,
    )  # fmt: skip


def _since(failure: Failure) -> datetime:
    return failure.since or failure.outcome.at


def _sources_above(failure: Failure) -> list[str]:
    return [ancestor for ancestor in _upstream_of(failure) if ancestor.startswith("source.")]


def _upstream_of(failure: Failure) -> list[str]:
    return list(each_upstream(failure.outcome.unique_id, failure.parents))


def _changed(failure: Failure, unique_id: str) -> frozenset[str]:
    return frozenset() if failure.difference is None else failure.difference.aspects.get(unique_id, frozenset())


def _began_with(failure: Failure, outcomes: Sequence[Outcome]) -> bool:
    """Whether a test was still good when the failing node was, or has never been anything but bad."""
    good = next((outcome for outcome in outcomes if outcome.is_good and outcome.at <= failure.outcome.at), None)
    return good is None or failure.good is None or good.at >= failure.good.at or _is_close(good, failure.good)


def _is_close(one: Outcome, other: Outcome) -> bool:
    return one.run_id is not None and one.run_id == other.run_id


def _on(failure: Failure) -> str:
    if failure.good is None or failure.outcome.run_id is None:
        return ""
    return f": between run {failure.good.run_id} and run {failure.outcome.run_id}"
