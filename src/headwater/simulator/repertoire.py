"""Which recording a run shows: by project, job, scenario and the revision that was live then."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

import msgspec

from headwater.simulator.recordings import RecordedProject, RecordedStep, Recording, RecordingsIndex

HEALTHY = "healthy"
_TARGET_SECONDS = {"nightly": 780.0, "weekly": 1_500.0, "hourly": 200.0, "metrics_hourly": 150.0}
_TARGET_SECONDS |= {"freshness": 45.0, "ci": 320.0}


class Repertoire:
    """The recordings, found by what a run needs."""

    def __init__(self, index: RecordingsIndex, began_at: datetime, history: timedelta) -> None:
        self._began_at = began_at
        self._history = history
        self._by_key: dict[tuple[str, str, str], list[Recording]] = defaultdict(list)
        self._retries: dict[str, list[Recording]] = defaultdict(list)
        self._projects = {project.name: project for project in index.projects}
        self.by_id = {recording.id: recording for recording in index.recordings}
        for recording in index.recordings:
            if recording.retry_of:
                self._retries[recording.retry_of].append(recording)
            else:
                self._by_key[recording.project, recording.job, recording.scenario].append(recording)
        self._revisions = {project.name: self._phases(project.name) for project in index.projects}
        self._stretches = {(p.name, j.name): self._stretch(p, j.name) for p in index.projects for j in p.jobs}

    def project(self, name: str) -> RecordedProject:
        """A recorded project."""
        return self._projects[name]

    def revision_at(self, project: str, moment: datetime) -> str:
        """The revision on the main branch at a moment; the last one stays."""
        phases = self._revisions.get(project, ())
        done = (moment - self._began_at) / max(self._history, timedelta(days=1))
        return next((name for name, until in phases if done < until), phases[-1][0] if phases else "")

    def scenarios(self, project: str, moment: datetime, job: str | None = None) -> list[str]:
        """The troubles that fit the revision live at a moment, those first that spoil most jobs of production."""
        jobs: dict[str, set[str]] = defaultdict(set)
        for (owner, name, scenario), found in self._by_key.items():
            if owner == project and scenario != HEALTHY and job in (None, name):
                for recording in found:
                    if self._fits(recording, moment):
                        jobs[scenario] |= set() if recording.succeeded or name == "ci" else {name}
        return sorted(jobs, key=lambda scenario: (-len(jobs[scenario]), scenario))

    def trouble(self, project: str, job: str, scenario: str, moment: datetime, chance: Random) -> Recording | None:
        """A recording of the scenario that fits the revision live at the moment."""
        recordings = self._by_key.get((project, job, scenario), ())
        found = [recording for recording in recordings if self._fits(recording, moment)]
        return chance.choice(found) if found else None

    def healthy(self, project: str, job: str, moment: datetime, chance: Random) -> Recording | None:
        """A run without trouble; of any job of the project when it has no such job."""
        if (project, job) not in self._stretches:
            names = sorted(name for owner, name, kind in self._by_key if (owner, kind) == (project, HEALTHY))
            job = names[0] if names else job
        found = self._by_key.get((project, job, HEALTHY))
        if not found:
            return None
        live = self.revision_at(project, moment)
        # A job that was not recorded at this revision shows the latest before it.
        revision = max((r.revision for r in found if r.revision <= live), default=min(r.revision for r in found))
        return chance.choice([r for r in found if r.revision == revision])

    def overridden(self, recording: Recording, commands: tuple[str, ...]) -> Recording:
        """A run of other commands than the job's: each as it was recorded, or as parsing alone leaves it."""
        own = [step for step in recording.steps if step.artifacts]
        others = [r for r in self.by_id.values() if (r.project, r.revision) == (recording.project, recording.revision)]
        known = own + [step for other in others if other.succeeded for step in other.steps]
        steps = tuple(_step_of(command, known) for command in commands) if own else recording.steps
        return msgspec.structs.replace(recording, steps=steps, succeeded=all(step.succeeded for step in steps))

    def retry_of(self, recording: Recording, chance: Random) -> Recording | None:
        """A recorded retry of a recorded run."""
        found = self._retries.get(recording.id)
        return chance.choice(found) if found else None

    def stretch(self, project: str, job: str) -> float:
        """How many times longer a run of this job lasts than its recordings did."""
        return self._stretches.get((project, job), 12.0)

    def _fits(self, recording: Recording, moment: datetime) -> bool:
        """Whether a recording is of the live code, or of a commit on top of the newest."""
        names = [name for name, _until in self._revisions[recording.project]]
        live = self.revision_at(recording.project, moment)
        return recording.revision == live or (recording.revision not in names and live in names[-1:])

    def _phases(self, project: str) -> list[tuple[str, float]]:
        """The healthy revisions, each live for as long a part of the history as it has troubles to show."""
        of_project = {key: found for key, found in self._by_key.items() if key[0] == project}
        names = sorted({r.revision for key, found in of_project.items() if key[2] == HEALTHY for r in found})
        troubles: dict[str, set[str]] = {name: {HEALTHY} for name in names}
        for (_project, _job, scenario), found in of_project.items():
            for recording in found:
                if names:
                    troubles[recording.revision if recording.revision in names else names[-1]].add(scenario)
        total = sum(len(found) for found in troubles.values())
        ends = accumulate(len(troubles[name]) / total for name in names)
        return list(zip(names, ends, strict=True))

    def _stretch(self, project: RecordedProject, job: str) -> float:
        """Recorded seconds become the minutes that such a job takes on a warehouse."""
        healthy = self._by_key.get((project.name, job, HEALTHY)) or ()
        lengths = sorted(length for r in healthy if (length := recorded_seconds(r)) > 0.01)
        if not lengths:
            return 12.0
        target = _TARGET_SECONDS.get(job, 240.0)
        return min(120.0, max(1.0, target / lengths[len(lengths) // 2]))


def _step_of(command: str, known: list[RecordedStep]) -> RecordedStep:
    same = next((step for step in known if step.command == command), None)
    if same:
        return same
    parsed = next(step for step in known if "manifest.json" in step.artifacts)
    manifest = {"manifest.json": parsed.artifacts["manifest.json"]}
    return msgspec.structs.replace(
        parsed, command=command, kind="command", succeeded=True, artifacts=manifest, log=None
    )


def recorded_seconds(recording: Recording) -> float:
    """How long the steps of a recording really took, never nothing."""
    return 0.001 + sum((step.finished_at - step.started_at).total_seconds() for step in recording.steps)
