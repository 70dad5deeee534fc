"""Causes that lie in a change of code: of the node, of what it uses, of what it is made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from headwater.analysis.causes.failure import (
    ADDED,
    CODE,
    COLUMNS,
    CONFIGURATION,
    Failure,
    package_of,
)
from headwater.analysis.failures import FailureKind, find_variable, read_breach_columns
from headwater.model.node import short_name
from headwater.model.verdict import Cause, CauseKind

_NAMED = 5
_OF_TEXT = frozenset({FailureKind.SYNTAX, FailureKind.COMPILATION})
_PLACING = frozenset({"schema", "database", "alias", "materialized", "relation", "enabled"})


def own_change(failure: Failure) -> Iterable[Cause]:
    """The node's own code or configuration differs from when it was last good."""
    changed, subject, name = failure.changed(failure.subject), failure.subject, short_name(failure.subject)
    what = CauseKind.SEED_CHANGED if subject.startswith("seed.") else CauseKind.CODE_CHANGED
    if ADDED in changed:
        yield failure.cause(what, subject, 0.92, f"{name} is new and has never been good{failure.between()}.")
    elif CODE in changed:
        said = f"{name} was changed after it was last good{failure.between()}."
        yield failure.cause(what, subject, _own_weight(failure), said)
    elif CONFIGURATION in changed:
        yield failure.cause(
            CauseKind.CONFIGURATION_CHANGED, subject, 0.9 if failure.is_test else 0.86, _configured(failure, subject)
        )
    elif COLUMNS in changed:
        said = f"The columns that {name} declares were changed after it was last good{failure.between()}."
        yield failure.cause(what, subject, 0.9 if failure.kind is FailureKind.CONTRACT else 0.6, said)


def _own_weight(failure: Failure) -> float:
    """A name that the message misses and that came in with the change makes it sure; one that was there before less."""
    if failure.kind in _OF_TEXT:
        return 0.95
    gained = failure.difference.gained.get(failure.subject, frozenset()) if failure.difference else frozenset()
    if failure.kind is FailureKind.MISSING_COLUMN:
        return 0.96 if failure.missing_column in gained else 0.91
    if failure.kind is FailureKind.MISSING_RELATION:
        return 0.96 if gained & failure.named else 0.86
    return 0.93


def macro_change(failure: Failure) -> Iterable[Cause]:
    """A macro the node uses differs; those of one package are one cause, the package."""
    if failure.difference is None:
        return
    used = failure.difference.macros.get(failure.subject, frozenset())
    sure = 0.92 if failure.kind in _OF_TEXT else 0.89
    yield from _blame_macros(failure, failure.subject, used, sure, "which it uses")
    gone = [macro for macro in failure.difference.macros_removed if short_name(macro).lower() in failure.named]
    yield from _blame_macros(failure, failure.subject, gone, 0.95, "which it uses and which is gone")


def variable_change(failure: Failure) -> Iterable[Cause]:
    """A variable has another value: one that was given to dbt, or one that shows in the code that was compiled."""
    upstream = failure.upstream
    for variable in failure.variables:
        was, now = variable.before or "not given", variable.after or "not given"
        said = f"The variable {variable.name} was {was} and is {now}{failure.between()}."
        if failure.subject in variable.used_by or variable.name.lower() in failure.named:
            sure = 0.94
        elif variable.used_by:
            sure = 0.84 - min(upstream.index(variable.used_by[0]) if variable.used_by[0] in upstream else 20, 20) / 400
        else:
            sure = 0.5
        yield failure.cause(CauseKind.VARIABLE_CHANGED, None, sure, said, about=variable.name)
    for place, node in enumerate((failure.subject, *upstream)):
        for name in sorted(failure.rendered.get(node, ()))[:_NAMED]:
            said = f"{short_name(node)} compiles to other SQL though its code is the same; it uses {name}."
            sure = 0.87 if place == 0 else 0.78 - min(place, 20) / 400
            yield failure.cause(CauseKind.VARIABLE_CHANGED, None, sure, said, about=name)


def missing_variable(failure: Failure) -> Iterable[Cause]:
    """The message says outright which variable was not given."""
    if failure.kind in {FailureKind.VARIABLE, FailureKind.ENVIRONMENT_VARIABLE}:
        name = find_variable(failure.outcome.message)
        said = f"{name or 'A variable'} was not given to dbt."
        yield failure.cause(
            CauseKind.VARIABLE_CHANGED, None, 0.96, said, about=name or "a variable",
        )  # fmt: skip


def upstream_change(failure: Failure) -> Iterable[Cause]:
    """Something above the node differs: the nearest first, and what has to do with the message before all others."""
    difference = failure.difference
    if difference is None:
        return
    for rank, ancestor in enumerate(failure.upstream):
        changed = difference.aspects.get(ancestor, frozenset())
        macros = difference.macros.get(ancestor, frozenset())
        if not changed and not macros:
            continue
        sure = _upstream_weight(failure, ancestor) - min(rank, 20) / 400
        name, foreign = short_name(ancestor), _foreign(failure, ancestor)
        if ancestor.startswith("seed.") and changed & {CODE, ADDED}:
            said = f"The seed {name} upstream was changed{failure.between()}."
            yield failure.cause(CauseKind.SEED_CHANGED, ancestor, sure, said)
        elif CODE in changed:
            said = f"{name}{foreign}, which lies upstream, was changed{failure.between()}."
            yield failure.cause(CauseKind.UPSTREAM_CODE_CHANGED, ancestor, sure, said, *_lost(failure, ancestor))
        elif macros:
            yield from _blame_macros(failure, ancestor, macros, sure - 0.02, f"which {name} upstream uses")
        elif CONFIGURATION in changed:
            less = 0.0 if _is_placed_anew(failure, ancestor) else 0.12
            said = _configured(failure, ancestor)
            yield failure.cause(CauseKind.CONFIGURATION_CHANGED, ancestor, sure - less, said)
        elif COLUMNS in changed:
            said = f"The columns that {name} upstream declares were changed{failure.between()}."
            yield failure.cause(CauseKind.UPSTREAM_CODE_CHANGED, ancestor, min(sure, 0.6), said)


def _upstream_weight(failure: Failure, ancestor: str) -> float:
    difference = failure.difference
    assert difference is not None  # noqa: S101  asked only where there is one
    touched = difference.touched.get(ancestor, frozenset())
    if failure.kind in _OF_TEXT:
        return 0.9 if ancestor in failure.ephemeral else 0.35
    if failure.kind is FailureKind.MISSING_COLUMN:
        is_lost = failure.missing_column in difference.lost.get(ancestor, ())
        return 0.95 if is_lost else 0.93 if failure.missing_column in touched else 0.62
    if failure.kind is FailureKind.MISSING_RELATION:
        return 0.94 if _is_placed_anew(failure, ancestor) else 0.5
    if failure.kind is FailureKind.CONTRACT:
        return 0.95 if touched & set(read_breach_columns(failure.outcome.message)) else 0.9
    if failure.is_test:
        column = 0.03 if failure.column is not None and failure.column in touched else 0.0
        return (0.91 if ancestor in failure.direct else 0.84) + column
    return 0.85 if failure.kind in {FailureKind.TYPE, FailureKind.DUPLICATE_KEY} else 0.72


def _is_placed_anew(failure: Failure, ancestor: str) -> bool:
    """Whether the name of its table, or whether it has one, was changed where a table is missing."""
    settings = set(failure.difference.settings.get(ancestor, ())) if failure.difference else set()
    return failure.kind is FailureKind.MISSING_RELATION and bool(settings & _PLACING)


def _blame_macros(failure: Failure, user: str, macros: Iterable[str], sure: float, how: str) -> Iterable[Cause]:
    project = failure.difference.project if failure.difference else None
    packages: defaultdict[str, list[str]] = defaultdict(list)
    for macro in sorted(macros):
        packages[package_of(macro)].append(macro)
    for package, changed in packages.items():
        if project is not None and package != project:
            names = ", ".join(short_name(macro) for macro in changed[:_NAMED])
            more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
            said = f"The package {package} was changed{failure.between()}; {short_name(user)} uses {names}{more} of it."
            yield failure.cause(CauseKind.PACKAGE_CHANGED, None, sure, said, about=package)
            continue
        for macro in changed[:_NAMED]:
            weight = max(sure, 0.95) if short_name(macro).lower() in failure.named else sure
            said = f"The macro {short_name(macro)}, {how}, was changed{failure.between()}."
            yield failure.cause(CauseKind.MACRO_CHANGED, macro, weight, said)


def _configured(failure: Failure, unique_id: str) -> str:
    settings = failure.difference.settings.get(unique_id, ()) if failure.difference else ()
    what = f" ({', '.join(settings[:_NAMED])})" if settings else ""
    return f"The configuration{what} of {short_name(unique_id)} was changed{failure.between()}."


def _lost(failure: Failure, ancestor: str) -> tuple[str, ...]:
    column = failure.missing_column
    lost = failure.difference.lost.get(ancestor, ()) if failure.difference else ()
    return (f"Its code named {column} before and does not now.",) if column is not None and column in lost else ()


def _foreign(failure: Failure, ancestor: str) -> str:
    project, package = failure.difference.project if failure.difference else None, package_of(ancestor)
    return f" of {package}" if project is not None and package != project else ""
