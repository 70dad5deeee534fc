"""Who suffers from a fault: followed down from where it came to light, through the builds that really read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from headwater.model.consequence import Affected, Origin, Suffering
from headwater.model.lineage import NodeAddress
from headwater.model.outcome import Outcome

OutcomeAt = Callable[[NodeAddress, datetime], Outcome | None]
"""Gives what had happened last to a node at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What lies below a fault. `parents` has for each node its direct parents, ephemeral models passed through.

    `views` show at any time what their parents hold then, as all that is `described` does (exposures, metrics), also
    where they could not be renewed: the warehouse keeps them as they were;
    `elsewhere` are nodes whose own newest failure another fault explains.
    """

    parents: Mapping[NodeAddress, tuple[NodeAddress, ...]]
    views: frozenset[NodeAddress] = frozenset()
    described: frozenset[NodeAddress] = frozenset()
    elsewhere: frozenset[NodeAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class Harm:
    """What a relation suffers at a time, the run and time of what shows it, and the bad parent it comes from."""

    suffers: Suffering
    since: datetime
    run_id: int | None = None
    at: datetime | None = None
    read: NodeAddress | None = None


class _Question(NamedTuple):
    """What a node suffers at a moment; `is_read` asks what somebody gets who reads it then."""

    address: NodeAddress
    moment: datetime
    is_read: bool = False


_NOT_RENEWED = frozenset({Suffering.FAILED, Suffering.SKIPPED, Suffering.NOT_REBUILT})
"""What a view may suffer that does no harm to its readers."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Follows a fault down. The questions it asks of the past are remembered, so that each is asked once."""

    reach: Reach
    origins: Mapping[NodeAddress, Origin]
    outcome_at: OutcomeAt
    _known: dict[_Question, Harm | None] = field(default_factory=dict)

    def harm(self, address: NodeAddress, moment: datetime) -> Harm | None:
        """Tell what a node suffers from the fault at a moment; None where it does not.

        Walks up without recursion, so that deep lineages and circles end: what is asked of itself is no harm.
        """
        asked = _Question(address, moment)
        waiting = [asked]
        open_questions: set[_Question] = set()
        while waiting:
            question = waiting[-1]
            if question in self._known:
                waiting.pop()
                continue
            needed = [
                other for other in self._questions(question) if other not in self._known and other not in open_questions
            ]
            if needed and question not in open_questions:
                open_questions.add(question)
                waiting += needed
                continue
            waiting.pop()
            self._known[question] = self._decide(question)
        return self._known[asked]

    def _questions(self, asked: _Question) -> list[_Question]:
        """Give what has to be known of the parents, each at the time at which they were read.

        What could not be built suffers with its parents, whatever their readers get.
        """
        if self._by_itself(asked) is not None:
            return []
        read_at = self._read_at(asked)
        if read_at is None:
            return []
        outcome = self.outcome_at(asked.address, asked.moment)
        is_read = outcome is None or outcome.is_good or self._shows_now(asked)
        return [_Question(parent, read_at, is_read) for parent in self.reach.parents.get(asked.address, ())]

    def _decide(self, asked: _Question) -> Harm | None:
        own = self._by_itself(asked)
        if own is not None:
            return own
        outcome = self.outcome_at(asked.address, asked.moment)
        for question in self._questions(asked):
            above = self._known.get(question)
            if above is not None:
                run_id, at = (outcome.run_id, outcome.at) if outcome is not None else (None, None)
                return Harm(self._name(asked.address, outcome), above.since, run_id, at, question.address)
        return None

    def _by_itself(self, asked: _Question) -> Harm | None:
        origin = self.origins.get(asked.address)
        if origin is None or asked.moment < origin.since or (origin.until and asked.moment >= origin.until):
            return None
        if asked.is_read and not origin.is_passed_on:
            return None
        if self._shows_now(asked) and origin.suffers in _NOT_RENEWED:
            return None
        outcome = self.outcome_at(asked.address, asked.moment)
        if origin.suffers is Suffering.NOT_REBUILT and outcome is not None and outcome.at >= origin.since:
            return None
        is_shown = outcome is not None and origin.suffers is not Suffering.NOT_REBUILT
        return Harm(
            origin.suffers,
            origin.since,
            outcome.run_id if outcome is not None and is_shown else origin.run_id,
            outcome.at if outcome is not None else None,
        )

    def _shows_now(self, asked: _Question) -> bool:
        return asked.is_read and asked.address in self.reach.views

    def _read_at(self, asked: _Question) -> datetime | None:
        """Give when a node that held something at a moment had read its parents; None where it never did."""
        address, moment, _ = asked
        if address in self.reach.described:
            return moment
        outcome = self.outcome_at(address, moment)
        if outcome is None:
            return None
        if self._shows_now(asked):
            return moment
        if outcome.is_failed and address in self.reach.elsewhere:
            return None
        return moment if outcome.is_good and address in self.reach.views else outcome.at

    def _name(self, address: NodeAddress, outcome: Outcome | None) -> Suffering:
        if address in self.reach.described or outcome is None:
            return Suffering.READS_BAD_DATA
        if outcome.status == "skipped":
            return Suffering.SKIPPED
        if not outcome.is_good:
            return Suffering.FAILED
        return Suffering.READS_BAD_DATA if address in self.reach.views else Suffering.BUILT_FROM_BAD_DATA


def find_affected(
    nodes: tuple[NodeAddress, ...], tracing: Tracing, now: datetime
) -> tuple[tuple[Affected, ...], tuple[NodeAddress, ...]]:
    """Find which of some nodes suffer from a fault now, and which lie below it and do not, both in the order given."""
    affected, spared = [], []
    for address in nodes:
        harm = tracing.harm(address, now)
        if harm is None:
            spared.append(address)
            continue
        affected.append(
            Affected(
                address=address,
                suffers=harm.suffers,
                since=harm.since,
                run_id=harm.run_id,
                at=harm.at,
                read=harm.read,
            )
        )
    return tuple(affected), tuple(spared)


def find_obstacles(
    address: NodeAddress,
    rerun: frozenset[NodeAddress],
    affected: Mapping[NodeAddress, Affected],
    reach: Reach,
    standing: frozenset[NodeAddress] = frozenset(),
) -> tuple[NodeAddress, ...]:
    """Tell what would still be in the way of good data in a node if some nodes were built again; empty where nothing.

    In the way is what suffers and is not built again, and what is built again while its own fault (`standing`) is still
    there. A view need not be built again to show what its parents hold.
    """
    obstacles: dict[NodeAddress, None] = {}
    seen = {address}
    waiting = [address]
    for current in waiting:
        if current in standing:
            obstacles[current] = None
            continue
        found = affected.get(current)
        if found is None and current not in rerun:
            continue
        is_read_through = found is not None and found.suffers is Suffering.READS_BAD_DATA
        if current not in rerun and not is_read_through:
            obstacles[current] = None
            continue
        above = [parent for parent in reach.parents.get(current, ()) if parent not in seen]
        seen.update(above)
        waiting += above
    return tuple(obstacles)
