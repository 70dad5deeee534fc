"""From a cause to where it came to light: which nodes are bad by it and not by another's fault, and since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes.explaining import explain
from headwater.analysis.changes import find_users
from headwater.analysis.failures import OF_VALUES, classify_failure
from headwater.analysis.roots import list_roots
from headwater.analysis.states import streak_start
from headwater.model.consequence import Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.node import Node
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind
from headwater.observatory.doubts import in_doubt_since, is_renewed
from headwater.observatory.evidence import TESTS, Graph, graph_of
from headwater.observatory.failure_evidence import read_failure
from headwater.observatory.lineage import Estate, scope_of
from headwater.observatory.missed import BUILT, list_missed
from headwater.store.build_queries import list_newest
from headwater.store.lineage import read_nodes
from headwater.store.manifests import list_macros
from headwater.store.outcome_queries import list_bad_outcomes, list_outcomes, list_run_invocation_keys
from headwater.store.writing import Scope

_MOST_ROOTS = 40
_TESTS_BEGIN = tuple(f"{kind}." for kind in TESTS)
_MOST_LOOKED_AT = 300
_NO_FAILURE = frozenset({
    CauseKind.SOURCE_STALE, CauseKind.RUN_NOT_STARTED, CauseKind.RUN_QUEUED, CauseKind.RUN_SLOW,
    CauseKind.RUN_CANCELLED, CauseKind.RUN_FAILED_BEFORE_DBT,
})  # fmt: skip
"""The kinds of causes that make no node fail: a failure is theirs only where it is explained so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a cause came to light; `elsewhere` are failing nodes near it that another cause explains."""

    origins: tuple[Origin, ...] = ()
    elsewhere: frozenset[NodeAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class _Root:
    """A failure that no other failure of its run explains, with the first of those that went on until it."""

    address: NodeAddress
    outcome: Outcome
    first: Outcome

    @property
    def since(self) -> datetime:
        """Since when it is there."""
        return self.first.at


@dataclass(frozen=True, slots=True)
class Search:
    """A transaction, the graph around a cause, the cause, and the moment of the question."""

    tx: Connection
    estate: Estate
    scope: Scope
    cause: Cause
    now: datetime
    _graphs: dict[Scope, Graph] = field(default_factory=dict)
    _in_run: dict[int, dict[str, Outcome]] = field(default_factory=dict)

    def graph(self, scope: Scope) -> Graph:
        """Give the graph of one place."""
        if scope not in self._graphs:
            self._graphs[scope] = graph_of(self.estate.held[scope])
        return self._graphs[scope]

    def in_run(self, outcome: Outcome) -> dict[str, Outcome]:
        """Read what was not good in the run of an outcome, or in its invocation where it had no run."""
        if outcome.run_id is not None:
            return self.in_this_run(outcome.run_id)
        return list_bad_outcomes(self.tx, self.scope.account_key, (outcome.invocation_key,))

    def in_this_run(self, run_id: int | None) -> dict[str, Outcome]:
        """Read what was not good in a run; nothing where there was none."""
        if run_id is None:
            return {}
        if run_id not in self._in_run:
            keys = list_run_invocation_keys(self.tx, self.scope.account_key, run_id)
            self._in_run[run_id] = list_bad_outcomes(self.tx, self.scope.account_key, keys)
        return self._in_run[run_id]


def find_fault(tx: Connection, estate: Estate, scope: Scope, cause: Cause, now: datetime) -> Fault:
    """Find the nodes that are bad at a moment because of a cause; `scope` is where its subject or run belongs.

    Empty where nothing is bad because of it any more.
    """
    search = Search(tx, estate, scope, cause, now)
    subjects = _find_subjects(search)
    failing = _list_failing(search, subjects)
    roots, elsewhere = _attribute(search, subjects, failing)
    origins = [_failed(search, root) for root in roots if not _is_test(root.address)]
    tests = [root for root in roots if _is_test(root.address)]
    origins += _suspect(search, subjects, tests)
    origins += _suspect(search, (), _following(search, failing, roots, elsewhere), is_passed_on=False)
    origins += _unlike(search, subjects, [root for root in roots if not _is_test(root.address)])
    origins += _stale_sources(search, subjects)
    origins += _left_out(search, {root.address for root in roots})
    failed = {root.outcome.run_id for root in roots if root.outcome.run_id}
    origins += list_missed(tx, estate, scope, cause, failed, now)
    earliest: dict[NodeAddress, Origin] = {}
    for origin in sorted(
        origins, key=lambda one: (one.suffers is Suffering.NOT_REBUILT, not one.is_passed_on, one.since)
    ):
        earliest.setdefault(origin.address, origin)
    return Fault(origins=tuple(earliest.values()), elsewhere=elsewhere)


def _find_subjects(search: Search) -> tuple[NodeAddress, ...]:
    """Give the nodes that a cause names: its own, what a test reads, or all that use a macro."""
    unique_id = search.cause.unique_id
    held = search.estate.held.get(search.scope)
    if unique_id is None or held is None:
        return ()
    if unique_id.startswith("macro."):
        names = [row.unique_id for row in held.rows.values() if row.resource_type in BUILT]
        macros, used = list_macros(search.tx, search.scope.account_key, held.manifest.manifest_key, names)
        return tuple(held.address(user) for user in find_users(macros, used, (unique_id,))[unique_id])
    return (held.address(unique_id),) if unique_id in held.rows else ()


def _list_failing(search: Search, subjects: tuple[NodeAddress, ...]) -> dict[NodeAddress, Outcome]:
    """List what fails now: at and below the subjects, or in the run where the cause has no subject."""
    estate = search.estate
    if subjects:
        asked = estate.lineage.below(subjects)
    elif search.cause.unique_id is None or search.cause.unique_id.startswith("macro."):
        held = estate.held.get(search.scope)
        named = [found.unique_id for found in search.in_this_run(search.cause.run_id).values() if found.is_failed]
        asked = tuple(held.address(unique_id) for unique_id in named if unique_id in held.rows) if held else ()
    else:
        return {}
    newest = list_newest(search.tx, search.scope.account_key, keys_of(estate, asked).values(), search.now)
    by_key = {node_key: address for address, node_key in keys_of(estate, asked).items()}
    return {by_key[node_key]: outcome for node_key, outcome in newest.items() if outcome.is_failed}


def keys_of(estate: Estate, addresses: Iterable[NodeAddress]) -> dict[NodeAddress, int]:
    """Give the keys of nodes; what is in no manifest has none."""
    rows = ((address, estate.row(address)) for address in addresses)
    return {address: row.node_key for address, row in rows if row is not None}


def _attribute(
    search: Search, subjects: tuple[NodeAddress, ...], failing: Mapping[NodeAddress, Outcome]
) -> tuple[list[_Root], frozenset[NodeAddress]]:
    """Tell the failures that the cause explains from those that another one does; symptoms are left out."""
    roots = _list_roots(search, failing)
    sure = [address for address in roots if address in subjects]
    asked = [address for address in roots if address not in subjects]
    is_alone = len(roots) == 1 and search.cause.kind not in _NO_FAILURE
    explained = [*sure, *[address for address in asked if is_alone or _is_explained(search, failing[address], address)]]
    elsewhere = frozenset(roots) - frozenset(explained)
    return [_root(search, address, failing[address]) for address in explained], elsewhere


def _list_roots(search: Search, failing: Mapping[NodeAddress, Outcome]) -> list[NodeAddress]:
    by_run: defaultdict[tuple[Scope, int | None, int | None], dict[str, Outcome]] = defaultdict(dict)
    for address, outcome in failing.items():
        alone = outcome.invocation_key if outcome.run_id is None else None
        by_run[scope_of(address), outcome.run_id, alone][address.unique_id] = outcome
    found = []
    for (scope, *_), outcomes in by_run.items():
        earliest = sorted(outcomes.values(), key=lambda outcome: (outcome.at, outcome.unique_id))[:_MOST_LOOKED_AT]
        is_alone = len(earliest) == 1
        roots = (
            earliest if is_alone else list_roots({one.unique_id: one for one in earliest}, search.graph(scope).parents)
        )
        found += [search.estate.held[scope].address(root.unique_id) for root in roots]
    return sorted(found, key=lambda address: (failing[address].at, address))[:_MOST_ROOTS]


def _is_explained(search: Search, outcome: Outcome, address: NodeAddress) -> bool:
    """Whether the likeliest cause of a failure is the one in question."""
    in_run = search.in_run(outcome)
    told = in_run.get(outcome.unique_id, outcome)
    cause = search.cause
    if cause.kind is CauseKind.WAREHOUSE_TROUBLE:
        return outcome.run_id == cause.run_id and classify_failure(told.message).is_warehouse_trouble
    causes = explain(read_failure(search.tx, search.estate, search.graph(scope_of(address)), told, in_run))
    return bool(causes) and (causes[0].kind, causes[0].unique_id) == (cause.kind, cause.unique_id)


def _root(search: Search, address: NodeAddress, outcome: Outcome) -> _Root:
    row = search.estate.row(address)
    assert row is not None  # noqa: S101  only what has a key was asked of
    history = list_outcomes(search.tx, address.account_key, row.node_key, search.now)
    return _Root(address, outcome, streak_start(history) if history and not history[0].is_good else outcome)


def _failed(search: Search, root: _Root) -> Origin:
    row = search.estate.row(root.address)
    return Origin(
        address=root.address,
        since=root.since,
        suffers=Suffering.FAILED,
        run_id=root.outcome.run_id,
        is_passed_on=row is None or not is_renewed(search.tx, root.address.account_key, row, root.first),
    )


def _following(
    search: Search, failing: Mapping[NodeAddress, Outcome], roots: list[_Root], elsewhere: frozenset[NodeAddress]
) -> list[_Root]:
    """Give the tests that fail below the roots: symptoms, after which nobody vouches for what they test, either."""
    starts = [root.address for root in roots]
    for root in roots:
        held = search.estate.of(root.address)
        row = held.rows[root.address.unique_id]
        starts += [held.address(parent) for parent in row.parents] if _is_test(root.address) else []
    below = set(search.estate.lineage.below(starts)) - set(starts) - elsewhere
    return [_root(search, one, outcome) for one, outcome in failing.items() if _is_test(one) and one in below]


def _suspect(
    search: Search, subjects: tuple[NodeAddress, ...], tests: list[_Root], *, is_passed_on: bool = True
) -> list[Origin]:
    """Give whose data failing tests speak against, from the build on that was tested first; the cause's subject too.

    Where the test is to blame, or the macro that only tests use, the data are as they should be; and so are those of a
    table that is compared with the one in which the cause lies.
    """
    named = search.cause.unique_id
    subjects = tuple(subject for subject in subjects if not _is_test(subject))
    is_tests_fault = named is not None and not subjects and named.startswith(("macro.", *_TESTS_BEGIN))
    made = set(search.estate.lineage.below(subjects)) if subjects else None
    suspects: defaultdict[NodeAddress, list[_Root]] = defaultdict(list)
    for test, tested in _list_tested(search, tests, subjects).items():
        for address in {*tested, *subjects}:
            suspects[address].append(test)
    origins = []
    for address, speaking in suspects.items():
        first = min(speaking, key=lambda test: test.since)
        origins.append(
            Origin(
                address=address,
                since=in_doubt_since(search.tx, address.account_key, search.estate.row(address), first.first),
                suffers=Suffering.TEST_FAILING,
                run_id=first.outcome.run_id,
                is_passed_on=is_passed_on and not is_tests_fault and (made is None or address in made),
            )
        )
    return origins


def _unlike(search: Search, subjects: tuple[NodeAddress, ...], failed: list[_Root]) -> list[Origin]:
    """Give the cause's own nodes where others failed on the values they hold: all that reads these gets them."""
    of_values = [
        root
        for root in failed
        if root.address not in subjects
        and (told := search.in_run(root.outcome).get(root.address.unique_id)) is not None
        and classify_failure(told.message) in OF_VALUES
    ]
    if not of_values:
        return []
    first = min(of_values, key=lambda root: root.since).first
    return [
        Origin(
            address=subject,
            since=in_doubt_since(search.tx, subject.account_key, search.estate.row(subject), first),
            suffers=Suffering.BUILT_FROM_BAD_DATA,
            run_id=first.run_id,
        )
        for subject in subjects
        if not _is_test(subject)
    ]


def _list_tested(
    search: Search, tests: Iterable[_Root], subjects: tuple[NodeAddress, ...]
) -> dict[_Root, list[NodeAddress]]:
    """Give for each test what it speaks of: the node it is attached to, else what it reads.

    Of several that it reads it speaks of none where the cause says in which of them it lies.
    """
    found = {}
    for test in tests:
        held = search.estate.of(test.address)
        row = held.rows[test.address.unique_id]
        body = read_nodes(search.tx, test.address.account_key, [(row.node_key, row.version)]).get(row.node_key)
        attached = body.test.attached_node if isinstance(body, Node) and body.test is not None else None
        is_of_others = bool(subjects) and len(row.parents) > 1
        named = (attached,) if attached in row.parents else () if is_of_others else row.parents
        found[test] = [search.estate.stands_for.get(held.address(one), held.address(one)) for one in named if one]
    return found


def _stale_sources(search: Search, subjects: tuple[NodeAddress, ...]) -> list[Origin]:
    cause = search.cause
    is_checked = cause.kind in {CauseKind.SOURCE_STALE, CauseKind.SOURCE_MISSING}
    keys = keys_of(search.estate, subjects) if is_checked else {}
    checks = list_newest(search.tx, search.scope.account_key, keys.values(), search.now, of_sources=True)
    return [
        Origin(address=address, since=cause.since or check.at, suffers=Suffering.STALE, run_id=check.run_id)
        for address, node_key in keys.items()
        if (check := checks.get(node_key)) is not None and check.is_failed
    ]


def _left_out(search: Search, roots: set[NodeAddress]) -> list[Origin]:
    """Give what a run skipped without a failure above it: it was cancelled, or was to stop at the first failure."""
    held = search.estate.held.get(search.scope)
    in_run = search.in_this_run(search.cause.run_id)
    if held is None or not in_run:
        return []
    failed = sorted((one for one in in_run.values() if one.is_failed), key=lambda one: (one.at, one.unique_id))
    if failed and held.address(failed[0].unique_id) not in roots:
        return []
    starts = [held.address(one.unique_id) for one in failed]
    starts += [
        held.address(parent) for one in failed if (row := held.rows.get(one.unique_id)) for parent in row.parents
    ]
    below = set(search.estate.lineage.below(starts))
    skipped = {
        held.address(one.unique_id): one
        for one in in_run.values()
        if one.status == "skipped" and (row := held.rows.get(one.unique_id)) and row.resource_type in BUILT
    }
    asked = keys_of(search.estate, skipped.keys() - below)
    newest = list_newest(search.tx, search.scope.account_key, asked.values(), search.now)
    return [
        Origin(address=address, since=told.at, suffers=Suffering.SKIPPED, run_id=told.run_id)
        for address, node_key in asked.items()
        if (told := newest.get(node_key)) is not None and told.invocation_key == skipped[address].invocation_key
    ]


def _is_test(address: NodeAddress) -> bool:
    return address.unique_id.startswith(_TESTS_BEGIN)
