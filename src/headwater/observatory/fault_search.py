"""Looking for where a cause came to light: what was read of it meanwhile, and the failures that began something."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.states import streak_start
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause
from headwater.observatory.lineage import TESTS, Estate, Graph
from headwater.store.outcome_queries import list_bad_outcomes, list_outcomes, list_run_invocation_keys
from headwater.store.writing import Scope

TEST_BEGINS = tuple(f"{kind}." for kind in TESTS)
"""How the unique_id of a test begins."""


@dataclass(frozen=True, slots=True)
class Root:
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
            self._graphs[scope] = self.estate.held[scope].graph
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


def find_root(search: Search, address: NodeAddress, outcome: Outcome) -> Root:
    """Find the first of the failures of a node that went on until the newest."""
    row = search.estate.row(address)
    assert row is not None  # noqa: S101  only what has a key was asked of
    history = list_outcomes(search.tx, address.account_key, row.node_key, search.now)
    return Root(address, outcome, streak_start(history) if history and not history[0].is_good else outcome)


def is_test(address: NodeAddress) -> bool:
    """Whether an address is a test's."""
    return address.unique_id.startswith(TEST_BEGINS)
