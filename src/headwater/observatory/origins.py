"""From a cause to where it came to light: which nodes are bad by it and not by another's fault, and since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.causes.explaining import explain
from headwater.analysis.changes import find_users
from headwater.analysis.failures import classify_failure
from headwater.analysis.roots import list_roots
from headwater.model.consequence import Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause, CauseKind
from headwater.observatory.doubts import is_renewed
from headwater.observatory.failure_evidence import read_failure
from headwater.observatory.fault_search import Root, Search, find_root, is_test
from headwater.observatory.lineage import Estate, scope_of
from headwater.observatory.missed import BUILT, list_missed
from headwater.observatory.suspects import list_following, list_suspects, list_unlike
from headwater.store.build_queries import list_newest
from headwater.store.manifests import list_macros
from headwater.store.writing import Scope

_MOST_ROOTS = 40
_MOST_LOOKED_AT = 300
_NO_FAILURE = frozenset({
    CauseKind.SOURCE_STALE, CauseKind.RUN_NOT_STARTED, CauseKind.RUN_QUEUED, CauseKind.RUN_SLOW,
    CauseKind.RUN_CANCELLED, CauseKind.RUN_FAILED_BEFORE_DBT,
})  # fmt: skip
"""The kinds of causes that make no node fail: a failure is theirs only where it is explained so."""

_BUILT_BEGINS = tuple(f"{kind}." for kind in BUILT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a cause came to light; `elsewhere` are failing nodes near it that another cause explains."""

    origins: tuple[Origin, ...] = ()
    elsewhere: frozenset[NodeAddress] = frozenset()


def find_fault(tx: Connection, estate: Estate, scope: Scope, cause: Cause, now: datetime) -> Fault:
    """Find the nodes that are bad at a moment because of a cause; `scope` is where its subject or run belongs.

    Empty where nothing is bad because of it any more.
    """
    search = Search(tx, estate, scope, cause, now)
    subjects = _find_subjects(search)
    failing = _list_failing(search, subjects)
    roots, elsewhere = _attribute(search, subjects, failing)
    origins = [_failed(search, root) for root in roots if not is_test(root.address)]
    tests = [root for root in roots if is_test(root.address)]
    origins += list_suspects(search, subjects, tests)
    origins += list_suspects(search, (), list_following(search, failing, roots, elsewhere), is_passed_on=False)
    origins += list_unlike(search, subjects, [root for root in roots if not is_test(root.address)])
    origins += _stale_sources(search, subjects)
    origins += _left_out(search, {root.address for root in roots})
    failed = {root.outcome.run_id for root in roots if root.outcome.run_id}
    origins += list_missed(tx, estate, scope, cause, failed, now)
    origins = origins or _left_behind(search)
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
) -> tuple[list[Root], frozenset[NodeAddress]]:
    """Tell the failures that the cause explains from those that another one does; symptoms are left out."""
    roots = _list_roots(search, failing)
    sure = [address for address in roots if address in subjects]
    asked = [address for address in roots if address not in subjects]
    is_alone = len(roots) == 1 and search.cause.kind not in _NO_FAILURE
    explained = [*sure, *[address for address in asked if is_alone or _is_explained(search, failing[address], address)]]
    elsewhere = frozenset(roots) - frozenset(explained)
    return [find_root(search, address, failing[address]) for address in explained], elsewhere


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
    causes = explain(read_failure(search.tx, search.estate, search.graph(scope_of(address)), told, in_run, search.now))
    return bool(causes) and (causes[0].kind, causes[0].unique_id) == (cause.kind, cause.unique_id)


def _failed(search: Search, root: Root) -> Origin:
    row = search.estate.row(root.address)
    return Origin(
        address=root.address,
        since=root.since,
        suffers=Suffering.FAILED,
        run_id=root.outcome.run_id,
        is_passed_on=row is None or not is_renewed(search.tx, root.address.account_key, row, root.first),
    )


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


def _left_behind(search: Search) -> list[Origin]:
    """Give what is still as a run left it that skipped it, though the failure above it was made good since."""
    held, failed = search.estate.held.get(search.scope), search.cause.failed
    if held is None or failed is None or failed not in held.rows:
        return []
    below = set(search.estate.lineage.below([held.address(failed)]))
    skipped = {
        address: one
        for one in search.in_this_run(search.cause.run_id).values()
        if one.status == "skipped" and one.unique_id.startswith(_BUILT_BEGINS)
        and (address := held.address(one.unique_id)) in below
    }  # fmt: skip
    asked = keys_of(search.estate, skipped)
    newest = list_newest(search.tx, search.scope.account_key, asked.values(), search.now)
    return [
        Origin(address=address, since=told.at, suffers=Suffering.SKIPPED, run_id=told.run_id)
        for address, node_key in asked.items()
        if (told := newest.get(node_key)) is not None and told.invocation_key == skipped[address].invocation_key
    ]
