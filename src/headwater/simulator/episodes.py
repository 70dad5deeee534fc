"""Faults that last: each project has one episode of trouble in every slot of sixty hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.simulator.chance import stream
from headwater.simulator.repertoire import Repertoire

_SLOT = timedelta(hours=60)
_NIGHT = timedelta(hours=1, minutes=45)


@dataclass(frozen=True, slots=True)
class Episode:
    """One scenario that spoils a project's runs from a time until it is fixed."""

    scenario: str
    began_at: datetime
    ended_at: datetime


class Episodes:
    """Tells which trouble a project is in; the start of the simulator always lies in one."""

    def __init__(self, seed: int, repertoire: Repertoire, start: datetime) -> None:
        self._seed = seed
        self._repertoire = repertoire
        self._start = start

    def at(self, project: str, moment: datetime) -> Episode | None:
        """The episode of a project at a moment."""
        episode = self._of_slot(project, self._slot(moment))
        return episode if episode and episode.began_at <= moment < episode.ended_at else None

    def _slot(self, moment: datetime) -> int:
        return (moment - self._start + _SLOT * 0.8) // _SLOT

    def _of_slot(self, project: str, slot: int) -> Episode | None:
        scenarios = self._repertoire.scenarios(project)
        if not scenarios:
            return None
        chance = stream(self._seed, "episode", project, slot)
        if slot == 0:
            # Before the last night's jobs, so that they are in trouble and what hangs on them.
            midnight = (self._start - timedelta(hours=7)).replace(hour=0, minute=0, second=0, microsecond=0)
            began_at = midnight + _NIGHT
            return Episode(scenarios[0], began_at, self._start + timedelta(hours=chance.uniform(1.5, 5)))
        # Every bag of slots holds each scenario once, so that a month shows them all.
        bag, place = divmod(slot, len(scenarios))
        order = list(scenarios)
        stream(self._seed, "bag", project, bag).shuffle(order)
        began_at = self._start - _SLOT * 0.8 + _SLOT * slot + timedelta(hours=chance.uniform(1, 30))
        return Episode(order[place], began_at, began_at + timedelta(hours=chance.uniform(7, 20)))
