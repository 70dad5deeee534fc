"""One history: healthy days, then a fault or two at a random place and time, and the runs that meet them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import decoys
import faults_runs
from collision import by_hand
from jobs import PREFIX_END, UPSTREAM, Job, Slot, each_slot, run_id_at
from planning import Placed
from prefix import HEALTHY, Prefix, VirtualClock
from records import ERROR, MANIFEST, QUEUED, RUNNING, RunRecord
from studio import Circumstances, Dbt, Studio, cloud_steps
from telling import tell, tell_of_poll

from faults import Fault
from headwater.observatory.holder import Observatory
from truth import Truth


@dataclass
class Told:
    """What came of a history: the truth at its end, what was told of it, and when it ends."""

    seed: int
    ends_at: datetime
    truth: Truth
    placed: list[Placed]
    runs: list[RunRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    real_commands: int = 0


@dataclass
class Play:
    """The means of a history."""

    seed: int
    prefix: Prefix
    studio: Studio
    observatory: Observatory
    clock: VirtualClock
    chance: Random
    told: Told

    def run(self, begins_at: datetime) -> None:
        """Let the time pass from when the healthy days were told to the end of the history."""
        for slot in each_slot(begins_at, self.told.ends_at):
            self._strike(slot.at)
            for record in self._runs_of(slot):
                self._tell(record)
        self._strike(self.told.ends_at)
        self.clock.now = self.told.ends_at
        tell_of_poll(self.observatory)

    def _strike(self, now: datetime) -> None:
        for placed in self.told.placed:
            fault = placed.fault
            if not placed.has_struck and placed.strikes_at <= now:
                if not any(other.has_struck for other in self.told.placed):
                    self.told.truth.red.clear()
                placed.has_struck = True
                if fault.strike is not None:
                    fault.strike(self.studio)
                if placed.harmless is not None:
                    placed.harmless(self.studio)
                if fault.stops is not None:
                    self.studio.stopped[fault.stops[0]] = placed.strikes_at
                self.told.truth.wrong_code |= fault.wrong_code
            if placed.has_struck and placed.wrong_since <= now:
                self.told.truth.wrong_sources |= fault.wrong_sources

    def _tell(self, record: RunRecord) -> None:
        self.clock.now = max(self.clock.now, min(record.ends_at, self.told.ends_at))
        tell(self.observatory, record)
        self.told.runs.append(record)
        if record.pull_request_id is None and record.status not in {QUEUED, RUNNING}:
            self.told.truth.see_run(record)
        for placed in self.told.placed:
            is_met = (
                placed.has_struck and placed.fault.strike is not None and placed.fault.project == record.job.project
            )
            if is_met and record.status == ERROR:
                placed.run_ids.add(record.run_id)

    def _runs_of(self, slot: Slot) -> Iterator[RunRecord]:
        """Give what a job does at a time: as on healthy days, unless a fault has to do with it."""
        hit = next((placed for placed in self.told.placed if placed.slot == slot), None)
        if hit is not None and hit.fault.fate is not None and hit.fault.fate != "concurrent":
            yield from self._missed(slot, hit)
        elif (broken := self._without_packages(slot)) is not None:
            yield from self._missed(slot, broken)
        elif self._is_real(slot, hit):
            yield from self._really(slot, hit)
        else:
            yield self._as_always(slot)

    def _as_always(self, slot: Slot) -> RunRecord:
        record = self.prefix.replay(slot.job, slot.at, self._revision(slot.job.project, slot.at), self.chance)
        is_before = all(slot.at < placed.strikes_at for placed in self.told.placed)
        if is_before and slot.job.name in {"hourly", "metrics_hourly"} and self._has_later(slot):
            luck = self.chance.random()
            if luck < 0.06:
                self.told.notes.append(f"flaky test in {slot.job.key}")
                return decoys.with_flaky_test(record, self.chance)
            if luck < 0.1:
                self.told.notes.append(f"{slot.job.key} was cancelled once")
                return decoys.cancelled(record)
            if luck < 0.16:
                self.told.notes.append("a pull request failed")
                ci = record.moved(slot.at, record.run_id + 5, record.revision, self.chance)
                ci = replace(ci, pull_request_id=77, job=replace(slot.job, job_id=900))
                self._tell(decoys.with_failed_model(ci, self.chance))
        return record

    def _has_later(self, slot: Slot) -> bool:
        """Whether the same job runs once more before anything goes wrong."""
        struck = min(placed.strikes_at for placed in self.told.placed)
        return any(later.job == slot.job for later in each_slot(slot.at, struck - timedelta(minutes=1)))

    def _is_real(self, slot: Slot, hit: Placed | None) -> bool:
        """Whether dbt must really run: a fault of code or data is in the project, or in the one it builds on."""
        if hit is not None and (hit.fault.circumstances or hit.fault.strike or hit.fault.commands):
            return True
        near = {slot.job.project, UPSTREAM.get(slot.job.project)}
        lasting = [
            placed
            for placed in self.told.placed
            if placed.has_struck and placed.fault.project in near and (placed.fault.strike or placed.fault.commands)
        ]
        if slot.job.name == "freshness":
            stops = any(placed.fault.stops and placed.fault.project == slot.job.project for placed in self.told.placed)
            return stops or any(placed.fault.kind == "source_missing" for placed in lasting)
        stale = any(
            placed.fault.stops and placed.has_struck and slot.job.project == placed.fault.project
            for placed in self.told.placed
        )
        return bool(lasting) or (stale and "dbt source freshness" in slot.job.commands)

    def _really(self, slot: Slot, hit: Placed | None) -> Iterator[RunRecord]:
        job = slot.job
        commands = next(
            (p.fault.commands[job.key] for p in self.told.placed if p.has_struck and job.key in p.fault.commands),
            job.commands,
        )
        configured = commands
        near = {job.project, UPSTREAM.get(job.project)}
        only_stale = all(placed.fault.stops for placed in self.told.placed if placed.fault.project in near)
        is_checked = any(
            placed.fault.stops or placed.fault.kind == "source_missing" for placed in self.told.placed
            if placed.fault.project == job.project
        )  # fmt: skip
        if not is_checked:
            commands = tuple(command for command in commands if command != "dbt source freshness") or commands
        if only_stale and job.builds_all:
            yield self._with_real_check(slot)
            return
        special: Circumstances | None = hit.fault.circumstances if hit is not None else None
        record = self._run(job, self._take(slot, hit), slot.at, commands, special, configured=configured)
        if hit is not None and hit.fault.fate == "concurrent":
            yield self._beside(hit.fault, record)
        yield record
        if hit is not None and hit.fault.is_repaired:
            assert record.status == ERROR, "the run that was to be retried did not fail"
            again = ("dbt retry", *commands[1:])
            retry_id = run_id_at(slot.at, job, attempt=30)
            hit.run_ids.add(retry_id)
            later = record.ends_at + timedelta(minutes=2)
            yield self._run(job, retry_id, later, again, None, configured=configured, retrying=record.run_id)

    def _run(
        self, job: Job, run_id: int, at: datetime, commands: tuple[str, ...], special: Circumstances | None,
        *, configured: tuple[str, ...], retrying: int | None = None,
    ) -> RunRecord:  # fmt: skip
        record = self.studio.run_job(
            job, run_id, at, self._revision(job.project, at), tables=self.prefix.tables(job.project),
            commands=commands, configured=configured, circumstances=special, retrying=retrying,
        )  # fmt: skip
        self.told.real_commands += sum(step.command is not None and bool(step.log) for step in record.steps)
        return record

    def _with_real_check(self, slot: Slot) -> RunRecord:
        """Give a healthy build with a real freshness check: a loader that stopped changes nothing that a build sees."""
        record = self._as_always(slot)
        index, step = next(
            (index, step) for index, step in enumerate(record.steps) if step.command == "dbt source freshness"
        )
        self.studio.load(slot.job.project, self.prefix.tables(slot.job.project), step.started_at - timedelta(minutes=1))
        real = self.studio.run_step(slot.job.project, "dbt source freshness", step.started_at)
        self.told.real_commands += 1
        real = replace(real, finished_at=step.finished_at)
        return replace(record, steps=(*record.steps[:index], real, *record.steps[index + 1 :]))

    def _beside(self, fault: Fault, record: RunRecord) -> RunRecord:
        """Give the run that somebody started by hand and that wrote the same table at that moment."""
        (table,) = fault.subjects
        healthy = self.prefix.runs[f"{fault.project}/nightly"]
        return by_hand(healthy, table, before=record, revision=record.revision, chance=self.chance)

    def _without_packages(self, slot: Slot) -> Placed | None:
        for placed in self.told.placed:
            if placed.has_struck and placed.fault.fate == "deps" and placed.fault.project == slot.job.project:
                return placed
        return None

    def _missed(self, slot: Slot, hit: Placed) -> Iterator[RunRecord]:
        """Give a run that dbt has no part in; none at all where the schedule did not start it."""
        fate = hit.fault.fate
        run_id = self._take(slot, hit)
        base = RunRecord(
            job=slot.job, run_id=run_id, status=QUEUED, created_at=slot.at,
            revision=self._revision(slot.job.project, slot.at),
        )  # fmt: skip
        began = slot.at + timedelta(seconds=9)
        if fate == "not_started":
            hit.run_ids.clear()
            self.told.truth.see_missed(slot.job)
        elif fate == "queued":
            self.told.truth.see_missed(slot.job)
            yield base
        elif fate == "slow":
            self.told.truth.see_missed(slot.job)
            yield replace(base, status=RUNNING, started_at=began, steps=cloud_steps(began))
        elif fate == "cancelled":
            yield decoys.cancelled(replace(base, started_at=began, steps=cloud_steps(began)))
        elif fate == "git":
            steps = cloud_steps(began, failed="clone", log=hit.fault.log)
            yield replace(
                base, status=ERROR, started_at=began, steps=steps, finished_at=steps[-1].finished_at,
                message=faults_runs.GIT_MESSAGE,
            )  # fmt: skip
        elif fate == "deps":
            succeeded, log = self.studio.run_dbt(slot.job.project, "dbt deps", slot.at)
            assert not succeeded, log
            steps = cloud_steps(began, failed="deps", log=log)
            yield replace(
                base, status=ERROR, started_at=began, steps=steps, finished_at=steps[-1].finished_at,
                message="This run failed because a package could not be installed.",
            )  # fmt: skip

    def _take(self, slot: Slot, hit: Placed | None) -> int:
        run_id = run_id_at(slot.at, slot.job)
        if hit is not None:
            hit.run_ids.add(run_id)
        return run_id

    def _revision(self, project: str, at: datetime) -> str:
        """Name the code that is deployed at a time."""
        deployed = [
            placed.fault.kind for placed in self.told.placed
            if placed.fault.changes_code and placed.fault.project == project and placed.strikes_at <= at
        ]  # fmt: skip
        return "+".join((HEALTHY, *deployed))


def open_studio(prefix: Prefix, work: Path, dbt: Dbt) -> Studio:
    """Open the studio in a folder that was made like the prefix's."""
    assert (work / "studio" / "storefront" / "target" / MANIFEST).exists(), prefix.folder
    return Studio(work / "studio", dbt, generated_at=PREFIX_END)
