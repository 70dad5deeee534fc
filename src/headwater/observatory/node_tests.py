"""The tests of a node, with how they did lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from headwater.analysis.flakiness import find_flakiness
from headwater.model.invocation import FAILED
from headwater.model.lineage import NodeAddress
from headwater.model.node import Node
from headwater.observatory.node_reports import NodeTest
from headwater.observatory.references import FoundNode
from headwater.store.lineage import read_nodes
from headwater.store.node_queries import NodeResult, list_last_results, list_statuses

TESTS = frozenset({"test", "unit_test"})
_LOOKED_BACK = timedelta(days=14)
_STRIP = 24


def list_tests(
    tx: Connection, found: FoundNode, children: Iterable[NodeAddress], now: datetime
) -> tuple[NodeTest, ...]:
    """List the tests that are attached to a node, not those that only read it, each with its last two weeks."""
    rows = {
        address: row
        for address in children
        if (row := found.estate.row(address)) is not None and row.resource_type in TESTS
    }
    account_key = found.address.account_key
    bodies = read_nodes(tx, account_key, ((row.node_key, row.version) for row in rows.values()))
    attached = [
        (address, node)
        for address, row in rows.items()
        if isinstance(node := bodies.get(row.node_key), Node) and _is_attached(node, found.address.unique_id)
    ]
    last = list_last_results(
        tx,
        account_key,
        [rows[address].node_key for address, _ in attached],
        until=found.moment.at,
        with_proposed=not found.held.place.is_production,
    )
    keys = [rows[address].node_key for address, _ in attached]
    past = list_statuses(
        tx, account_key, keys, now - _LOOKED_BACK, now, with_proposed=not found.held.place.is_production
    )
    tests = (
        _test(node, last.get(rows[address].node_key), past.get(rows[address].node_key, []))
        for address, node in attached
    )
    return tuple(sorted(tests, key=lambda test: (test.status not in FAILED, test.column_name or "", test.unique_id)))


def _is_attached(test: Node, unique_id: str) -> bool:
    attached = test.test.attached_node if test.test is not None else None
    return attached == unique_id or (attached is None and test.parents[:1] == (unique_id,))


def _test(node: Node, last: NodeResult | None, past: Sequence[str]) -> NodeTest:
    flakiness = find_flakiness(past)
    return NodeTest(
        unique_id=node.unique_id,
        name=node.name,
        test_name=node.test.test_name if node.test else None,
        column_name=node.test.column_name if node.test else None,
        severity=node.severity,
        status=last.status if last else None,
        failures=last.failures if last else None,
        message=last.message if last else None,
        run_id=last.run_id if last else None,
        happened_at=last.happened_at if last else None,
        history=tuple(past[-_STRIP:]),
        turns=flakiness.turns,
        is_flaky=flakiness.is_flaky,
    )
