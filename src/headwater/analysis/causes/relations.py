"""Causes that lie in what a node reads: a table or a column that is not there, or is not what was promised."""

from __future__ import annotations

from collections.abc import Iterable

from headwater.analysis.causes.failure import CODE, COLUMNS, CONFIGURATION, Failure, sources_of
from headwater.analysis.failures import FailureKind, first_line, read_breach_columns, read_contract_breach
from headwater.model.node import short_name
from headwater.model.verdict import Cause, CauseKind

_NAMED = 5


def contract(failure: Failure) -> Iterable[Cause]:
    """What the node selects is not what its contract promises; whose doing that is, the changes say."""
    if failure.kind is not FailureKind.CONTRACT:
        return
    said = f"What {short_name(failure.subject)} selects differs from the columns its contract promises."
    evidence = (said, *read_contract_breach(failure.outcome.message)[:_NAMED])
    is_own = failure.difference is None or bool(failure.changed(failure.subject) & {CODE, COLUMNS, CONFIGURATION})
    yield failure.cause(CauseKind.CONTRACT_BREACH, failure.subject, 0.97 if is_own else 0.88, *evidence)


def breaching_source(failure: Failure) -> Iterable[Cause]:
    """A contract is broken though nobody changed code: a column of a source is of another type than it was."""
    if failure.kind is not FailureKind.CONTRACT or failure.difference is None or failure.difference.aspects:
        return
    columns = set(read_breach_columns(failure.outcome.message))
    having = [source for source in sources_of(failure.upstream) if columns & failure.columns.get(source, frozenset())]
    for source in having:
        named = ", ".join(sorted(columns & failure.columns[source]))
        said = f"No code was changed; {named} comes from the source {short_name(source)}."
        yield failure.cause(CauseKind.COLUMNS_CHANGED, source, 0.9 if len(having) == 1 else 0.8, said)


def changed_source(failure: Failure) -> Iterable[Cause]:
    """By dbt's catalogs a source lost a column or has another type in it; sure where the failure is about that column.

    A column is what it is about that the message names, or whose values it could not work with.
    """
    for source, changes in failure.retyped.items():
        about = failure.named | failure.traced.get(source, frozenset()) | failure.columns.get(source, frozenset())
        told = [change for change in changes if change.name in about]
        named = ", ".join(
            f"{change.name} was {change.before} and is {change.after or 'gone'}"
            for change in (told or changes)[:_NAMED]
        )
        said = f"By dbt's catalogs {named} in the source {short_name(source)}."
        yield failure.cause(CauseKind.COLUMNS_CHANGED, source, 0.94 if told else 0.66, said)


def missing_relation(failure: Failure) -> Iterable[Cause]:
    """A table is not there though nobody changed the code."""
    if failure.kind is not FailureKind.MISSING_RELATION:
        return
    line, direct, named = first_line(failure.outcome.message), failure.direct, failure.named
    for ancestor in failure.upstream:
        names = {ancestor.rsplit(".", 1)[-1].lower(), failure.tables.get(ancestor, "")}
        if not names & named:
            continue
        sure = 0.95 if ancestor in direct else 0.8
        if ancestor.startswith("source."):
            said = f"The table of the source {short_name(ancestor)} was not there: {line}"
            yield failure.cause(CauseKind.SOURCE_MISSING, ancestor, sure, said)
        elif not ancestor.startswith("test."):
            said = f"The table of {short_name(ancestor)} was not there: {line}"
            yield failure.cause(CauseKind.RELATION_MISSING, ancestor, sure - 0.02, said)


def missing_column(failure: Failure) -> Iterable[Cause]:
    """Likeliest is a source known to have had the column, then one the node reads itself, then any above it.

    A model that the node reads itself is blamed where no source is known to have had it: another project's may be.
    """
    if failure.kind is not FailureKind.MISSING_COLUMN:
        return
    sources, direct, column = sources_of(failure.upstream), failure.direct, failure.missing_column
    having = [source for source in sources if column in failure.columns.get(source, ())]
    line = first_line(failure.outcome.message)
    for source in sources:
        if source in having:
            sure, said = 0.9 / len(having) ** 0.2, f"{column} of the source {short_name(source)} is gone."
        elif source in direct or len(sources) == 1:
            sure, said = 0.8, f"A column of the source {short_name(source)} is gone."
        else:
            sure, said = 0.5, f"A column is gone that may have come from the source {short_name(source)}."
        yield failure.cause(CauseKind.COLUMNS_CHANGED, source, sure, said, line)
    models = [parent for parent in direct if parent.startswith("model.")]
    for model in [] if having else models:
        said = f"{short_name(model)} no longer has a column that {short_name(failure.subject)} reads."
        yield failure.cause(CauseKind.COLUMNS_CHANGED, model, 0.75 if len(models) == 1 else 0.6, said, line)
