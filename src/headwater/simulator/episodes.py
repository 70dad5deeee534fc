"""Faults that last: each project has one episode of trouble in every slot of two days."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.simulator.chance import stream
from headwater.simulator.repertoire import Repertoire

_SLOT = timedelta(hours=48)
_BEFORE_START = 0.8
_NIGHT = timedelta(hours=1, minutes=45)
_OFTEN = 0.75


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
        return (moment - self._start + _SLOT * _BEFORE_START) // _SLOT

    def _of_slot(self, project: str, slot: int) -> Episode | None:
        chance = stream(self._seed, "episode", project, slot)
        if slot == 0:
            # Before the last night's jobs, so that they are in trouble and what hangs on them.
            began_at = _midnight(self._start - timedelta(hours=7)) + _NIGHT
            ended_at = self._start + timedelta(hours=chance.uniform(1.5, 5))
        else:
            began_at = self._start + _SLOT * (slot - _BEFORE_START) + timedelta(hours=chance.uniform(1, 24))
            if chance.random() < _OFTEN:
                began_at = _midnight(began_at + timedelta(days=1)) + _NIGHT * chance.uniform(0.1, 1)
            ended_at = began_at + timedelta(hours=chance.uniform(7, 20))
        scenarios = self._repertoire.scenarios(project, began_at)
        if not scenarios:
            return None
        if slot == 0:
            return Episode(scenarios[0], began_at, ended_at)
        # In turn, so that while a revision is live each of its troubles is seen.
        stream(self._seed, "turns", project, *scenarios).shuffle(scenarios)
        return Episode(scenarios[slot % len(scenarios)], began_at, ended_at)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
