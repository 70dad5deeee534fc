"""A failure with all that may explain it, as the rules read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headwater.analysis.failures import FailureKind, classify_failure, find_missing_column
from headwater.analysis.roots import Parents, each_upstream
from headwater.model.code import words_of
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind

CODE, CONFIGURATION, COLUMNS, EDGES = "code", "configuration", "columns", "edges"
ADDED, REMOVED = "added", "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed between the manifest a node was last good with and the one it failed with.

    `aspects` says for each node that differs in something that can matter what does: code, configuration, columns,
    edges, added, removed. `macros` has for each node those it uses whose code differs, those it uses through others
    included; `macros_removed` those that are gone. `lost` and `gained` are the words that changed nodes have no more
    and have now, `touched` those they have more or less often, `settings` the names of configurations that differ. A
    macro or node of another package than `project` is a package's.
    """

    aspects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    macros: Mapping[str, frozenset[str]] = field(default_factory=dict)
    macros_removed: frozenset[str] = frozenset()
    lost: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gained: Mapping[str, frozenset[str]] = field(default_factory=dict)
    touched: Mapping[str, frozenset[str]] = field(default_factory=dict)
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableChange:
    """A variable that differs between the last good outcome and the failure, as text; None where it was not given.

    `used_by` are the nodes at or above the failure whose code names it, the nearest first.
    """

    name: str
    before: str | None = None
    after: str | None = None
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """A column, in lower case, that a table's catalog holds with another type than before; None where it is gone."""

    name: str
    before: str
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure and what it is explained by.

    `good` is the same node's last good outcome before, None where there is none; `history` all its outcomes, newest
    first; `in_run` all that was not good in the same run; `columns` those of the wanted columns that sources above it
    are known to have had, in lower case; `tests` the histories, newest first, of tests on the node and above it that
    fail; `freshness` those of the sources above it; `difference` is None where one of the two manifests is not known.
    `overlapping` are executions of the same table by other runs at the same time; `rendered` names the variables in
    the code of nodes that compile to something else though their code is the same; `numbers` says of nodes upstream
    how their last build differs from those before; `tables` gives the names of tables upstream, in lower case;
    `ephemeral` are the models upstream that have no table; `column` is the one a test looks at; `traced` are the
    columns of sources that the values come from which a query could not work with or a test refused, by the names in
    code, the likeliest source first; `retyped` what of the sources upstream dbt's catalogs hold to have changed.
    """

    outcome: Outcome
    parents: Parents
    good: Outcome | None = None
    history: Sequence[Outcome] = ()
    in_run: Mapping[str, Outcome] = field(default_factory=dict)
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tests: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    freshness: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    difference: Difference | None = None
    since: datetime | None = None
    overlapping: Sequence[Outcome] = ()
    variables: Sequence[VariableChange] = ()
    rendered: Mapping[str, frozenset[str]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    ephemeral: frozenset[str] = frozenset()
    column: str | None = None
    traced: Mapping[str, frozenset[str]] = field(default_factory=dict)
    retyped: Mapping[str, Sequence[ColumnChange]] = field(default_factory=dict)

    @property
    def kind(self) -> FailureKind:
        """What the message tells of."""
        return classify_failure(self.outcome.message)

    @property
    def subject(self) -> str:
        """The node that failed."""
        return self.outcome.unique_id

    @property
    def is_test(self) -> bool:
        """Whether it is a test that found bad rows, in contrast to one that could not be executed; it may only warn."""
        return self.outcome.status in {"fail", "warn"}

    @property
    def direct(self) -> Sequence[str]:
        """What the node reads itself."""
        return self.parents.get(self.outcome.unique_id, ())

    @property
    def upstream(self) -> list[str]:
        """All it is made from, the nearest first."""
        return list(each_upstream(self.outcome.unique_id, self.parents))

    @property
    def missing_column(self) -> str | None:
        """The column that the message misses, in lower case."""
        return find_missing_column(self.outcome.message)

    @property
    def named(self) -> frozenset[str]:
        """The words of the message, in lower case."""
        return words_of((self.outcome.message or "")[:2_000].replace('"', " ").replace("'", " ").replace("`", " "))

    def changed(self, unique_id: str) -> frozenset[str]:
        """What of a node differs since it was last good."""
        return frozenset() if self.difference is None else self.difference.aspects.get(unique_id, frozenset())

    def cause(self, kind: CauseKind, subject: str | None, confidence: float, *evidence: str, **more: str) -> Cause:
        """Make a cause of this failure."""
        return Cause(
            kind=kind,
            unique_id=subject,
            confidence=round(confidence, 3),
            since=self.since or self.outcome.at,
            evidence=evidence,
            run_id=self.outcome.run_id,
            failed=self.outcome.unique_id,
            **more,
        )

    def between(self) -> str:
        """Say between which runs a change was made."""
        if self.good is None or self.outcome.run_id is None or self.good.run_id is None:
            return ""
        return f": between run {self.good.run_id} and run {self.outcome.run_id}"


def sources_of(unique_ids: Iterable[str]) -> list[str]:
    """Give those that are sources."""
    return [unique_id for unique_id in unique_ids if unique_id.startswith("source.")]


def package_of(unique_id: str) -> str:
    """Give the package of a node or macro from its unique_id."""
    parts = unique_id.split(".")
    return parts[1] if len(parts) > 2 else ""
