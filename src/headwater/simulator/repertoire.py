"""Which recording a run shows: by project, job, scenario and the revision that was live then."""

from collections import defaultdict
from datetime import datetime, timedelta
from random import Random

from headwater.simulator.recordings import RecordedProject, Recording, RecordingsIndex

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
        self._revisions = {
            project.name: sorted({r.revision for key, found in self._by_key.items() for r in found
                                  if key[0] == project.name and key[2] == HEALTHY})
            for project in index.projects
        }  # fmt: skip
        self._stretches = {(p.name, j.name): self._stretch(p, j.name) for p in index.projects for j in p.jobs}

    def project(self, name: str) -> RecordedProject:
        """A recorded project."""
        return self._projects[name]

    def revision_at(self, project: str, moment: datetime) -> str:
        """The revision on the main branch at a moment; new ones come evenly over the history."""
        revisions = self._revisions.get(project)
        if not revisions:
            return ""
        done = (moment - self._began_at) / max(self._history, timedelta(days=1))
        return revisions[max(0, min(len(revisions) - 1, int(done * len(revisions) / 0.85)))]

    def scenarios(self, project: str, job: str | None = None) -> list[str]:
        """The scenarios that are not healthy, those first that spoil most jobs."""
        jobs: dict[str, set[str]] = defaultdict(set)
        for (owner, name, scenario), found in self._by_key.items():
            if owner == project and scenario != HEALTHY and job in (None, name):
                jobs[scenario].update(r.job for r in found if not r.succeeded)
        return sorted(jobs, key=lambda scenario: (-len(jobs[scenario]), scenario))

    def find(self, project: str, job: str, scenario: str, moment: datetime, chance: Random) -> Recording | None:
        """A recording of the scenario, of the revision live at the moment where there is one."""
        found = self._by_key.get((project, job, scenario))
        if not found:
            return None
        live = self.revision_at(project, moment)
        return chance.choice([r for r in found if r.revision == live] or found)

    def healthy(self, project: str, job: str, moment: datetime, chance: Random) -> Recording | None:
        """A run without trouble; of any job of the project when this one has none."""
        found = self.find(project, job, HEALTHY, moment, chance)
        if found or (project, job) in self._stretches:
            return found
        names = sorted(name for owner, name, scenario in self._by_key if (owner, scenario) == (project, HEALTHY))
        return self.find(project, names[0], HEALTHY, moment, chance) if names else None

    def retry_of(self, recording: Recording, chance: Random) -> Recording | None:
        """A recorded retry of a recorded run."""
        found = self._retries.get(recording.id)
        return chance.choice(found) if found else None

    def stretch(self, project: str, job: str) -> float:
        """How many times longer a run of this job lasts than its recordings did."""
        return self._stretches.get((project, job), 12.0)

    def _stretch(self, project: RecordedProject, job: str) -> float:
        """Recorded seconds become the minutes that such a job takes on a warehouse."""
        healthy = self._by_key.get((project.name, job, HEALTHY)) or ()
        lengths = sorted(length for r in healthy if (length := recorded_seconds(r)) > 0.01)
        if not lengths:
            return 12.0
        target = _TARGET_SECONDS.get(job, 240.0)
        return min(120.0, max(1.0, target / lengths[len(lengths) // 2]))


def recorded_seconds(recording: Recording) -> float:
    """How long the steps of a recording really took, never nothing."""
    return 0.001 + sum((step.finished_at - step.started_at).total_seconds() for step in recording.steps)
