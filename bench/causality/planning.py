"""What is to happen in a history: which faults, which runs meet them first, and when it ends; all by its seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import decoys
import faults_code
import faults_data
import faults_runs
from jobs import PREFIX_END, Job, Slot, each_slot
from studio import Studio

from faults import Fault, Maker, Scene, reach

KINDS: tuple[Maker, ...] = (*faults_code.KINDS, *faults_data.KINDS, *faults_runs.KINDS)
MISSED = frozenset({"queued", "slow", "not_started"})
_NEAR = timedelta(hours=9)
_HORIZON = timedelta(hours=26)
_TRIES = 60


@dataclass
class Placed:
    """A fault with the run that meets it first, and from when on it holds."""

    fault: Fault
    slot: Slot
    strikes_at: datetime
    wrong_since: datetime
    harmless: Callable[[Studio], None] | None = None
    has_struck: bool = False
    run_ids: set[int] = field(default_factory=set)
    """The runs that met it and did not go well."""


def plan(seed: int, scene: Scene) -> tuple[list[Placed], datetime]:
    """Choose the faults of a history, the runs that meet them, and when it ends."""
    chance = scene.chance
    first = _place(_make(scene, KINDS[seed % len(KINDS)]), chance)
    placed = [first]
    luck = chance.random()
    if luck < SECOND and first.fault.fate not in MISSED and not first.fault.stops and not first.fault.is_repaired:
        placed += _place_beside(scene, first, (*faults_code.KINDS, *faults_data.KINDS), is_decoy=False)
    elif SECOND < luck < SECOND + DECOY:
        placed += _place_beside(scene, first, (faults_code.model_sql_broken,), is_decoy=True)
    if chance.random() < 0.6:
        coded = next((one for one in placed if one.fault.changes_code and one.fault.fate is None), None)
        if coded is not None:
            coded.harmless = decoys.make_harmless(scene, coded.fault.project, coded.fault)
    last = max(one.slot.at for one in placed)
    if first.fault.fate in MISSED:
        wait = timedelta(hours=4) if first.fault.first_job.name == "nightly" else timedelta(minutes=95)
        return placed, last + wait + timedelta(minutes=chance.randint(0, 30))
    follows = chance.random() < 0.5
    return placed, last + timedelta(minutes=chance.randint(85, 110) if follows else chance.randint(8, 9))


SECOND, DECOY = 0.25, 0.12
"""How often there is a second fault, and how often a model far from the fault fails for a reason of its own."""


def _make(scene: Scene, maker: Maker) -> Fault:
    """Make a fault of a kind; where chance chose a place that does not do, it chooses again."""
    for _ in range(_TRIES):
        fault = maker(scene)
        if fault is not None:
            return fault
    raise RuntimeError(f"{maker.__name__} found no place")


def _place(fault: Fault, chance: Random) -> Placed:
    """Choose the run that meets a fault first, and when before it the fault is made."""
    before = timedelta(minutes=chance.randint(3, 9))
    needed = before if fault.stops is None else timedelta(seconds=fault.stops[1]) + before
    after = PREFIX_END + max(needed, timedelta(minutes=15))
    slot = chance.choice(_slots(fault.first_job, after, after + _HORIZON))
    return Placed(fault, slot, slot.at - needed, slot.at - before)


def _place_beside(scene: Scene, first: Placed, makers: tuple[Maker, ...], *, is_decoy: bool) -> list[Placed]:
    """Choose another fault that has nothing to do with the first and is met some hours before or after; a decoy before.

    None where chance finds none that fits.
    """
    for _ in range(_TRIES):
        fault = scene.chance.choice(makers)(scene)
        if fault is None or fault.stops or not _is_apart(first.fault, fault, scene):
            continue
        after = max(first.slot.at - _NEAR, PREFIX_END + timedelta(minutes=15))
        lasts = first.fault.strike is not None or bool(first.fault.commands)
        until = first.strikes_at if is_decoy else first.slot.at + (_NEAR if lasts else timedelta(0))
        slots = _slots(fault.first_job, after, until)
        if slots:
            slot = scene.chance.choice(slots)
            at = slot.at - timedelta(minutes=scene.chance.randint(3, 9))
            return [Placed(replace(fault, is_decoy=is_decoy), slot, at, at)]
    return []


def _is_apart(one: Fault, other: Fault, scene: Scene) -> bool:
    """Whether neither reaches what the other one does, so that it is known of every node which one it is."""
    is_anywhere = one.project == other.project and (one.is_run or other.is_run)
    return not is_anywhere and not reach(one, scene.truth) & reach(other, scene.truth)


def _slots(job: Job, after: datetime, until: datetime) -> list[Slot]:
    return [slot for slot in each_slot(after, until) if slot.job == job]
