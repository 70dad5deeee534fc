"""Whose data a fault puts in doubt: tests refuse them, or others fail on them, though they were built well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from headwater.analysis.failures import OF_VALUES, classify_failure
from headwater.analysis.states import DESCRIBED
from headwater.model.consequence import Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.node import Node
from headwater.model.outcome import Outcome
from headwater.model.verdict import CauseKind
from headwater.observatory.doubts import in_doubt_since
from headwater.observatory.fault_search import TEST_BEGINS, Root, Search, find_root, is_test
from headwater.store.lineage import read_nodes


def list_following(
    search: Search, failing: Mapping[NodeAddress, Outcome], roots: list[Root], elsewhere: frozenset[NodeAddress]
) -> list[Root]:
    """Give the tests that fail below the roots: symptoms, after which nobody vouches for what they test, either."""
    starts = [root.address for root in roots]
    for root in roots:
        held = search.estate.of(root.address)
        row = held.rows[root.address.unique_id]
        starts += [held.address(parent) for parent in row.parents] if is_test(root.address) else []
    below = set(search.estate.lineage.below(starts)) - set(starts) - elsewhere
    return [find_root(search, one, outcome) for one, outcome in failing.items() if is_test(one) and one in below]


def list_suspects(
    search: Search, subjects: tuple[NodeAddress, ...], tests: list[Root], *, is_passed_on: bool = True
) -> list[Origin]:
    """Give whose data failing tests speak against, from the build on that was tested first; the cause's subject too.

    Where the test is to blame, or the macro that only tests use, the data are as they should be; and so are those of a
    table that is compared with the one in which the cause lies. A test that the warehouse kept from speaking says
    nothing of the data: only what shows the table to people suffers with it.
    """
    named = search.cause.unique_id
    subjects = tuple(subject for subject in subjects if not is_test(subject))
    is_tests_fault = named is not None and not subjects and named.startswith(("macro.", *TEST_BEGINS))
    is_unheard = search.cause.kind is CauseKind.WAREHOUSE_TROUBLE
    made = set(search.estate.lineage.below(subjects)) if subjects else None
    suspects: defaultdict[NodeAddress, list[Root]] = defaultdict(list)
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
                is_passed_on=is_passed_on
                and not is_tests_fault
                and not is_unheard
                and (made is None or address in made),
            )
        )
    return origins + _list_shown(search, origins) if is_unheard else origins


def _list_shown(search: Search, origins: list[Origin]) -> list[Origin]:
    """Give the exposures and their like over some tables."""
    return [
        replace(origin, address=child, suffers=Suffering.READS_BAD_DATA)
        for origin in origins
        for child in search.estate.lineage.children(origin.address)
        if (row := search.estate.row(child)) is not None and row.resource_type in DESCRIBED
    ]


def list_unlike(search: Search, subjects: tuple[NodeAddress, ...], failed: list[Root]) -> list[Origin]:
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
        if not is_test(subject)
    ]


def _list_tested(
    search: Search, tests: Iterable[Root], subjects: tuple[NodeAddress, ...]
) -> dict[Root, list[NodeAddress]]:
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
