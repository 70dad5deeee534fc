"""Plans the runs of every job, in the order they are created, as far as the clock has come."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from headwater.simulator.chance import hex_of, stream
from headwater.simulator.episodes import Episode, Episodes
from headwater.simulator.plans import CLONE_FAILS, DEPS_FAILS, ERROR, RUNS, SUCCESS, Order, RunPlan, Trigger, plan_run
from headwater.simulator.recordings import Recording
from headwater.simulator.repertoire import Repertoire, recorded_seconds
from headwater.simulator.settings import SimulatorSettings
from headwater.simulator.times import micros
from headwater.simulator.world import Account, Job, World

_FIRST_RUN_ID = 70_437_400_000_000
_IDS_BEGAN_AT = datetime(2025, 1, 1, tzinfo=UTC)
_IDS_A_SECOND = 3
_BUSY_SECONDS = 25
_CHUNK = timedelta(hours=6)
_SCHEDULED = Trigger("scheduled", "scheduled")


@dataclass(order=True, slots=True)
class _Due:
    """A run that will be created; planned once the time has come."""

    created_at: datetime
    job_id: int
    trigger: Trigger = field(compare=False)
    recording: Recording | None = field(compare=False, default=None)
    retried: RunPlan | None = field(compare=False, default=None)
    queued_for: float | None = field(compare=False, default=None)
    longest: float | None = field(compare=False, default=None)
    """Seconds that it may take at the most."""
    is_calm: bool = field(compare=False, default=False)
    """Without cancellation or other bad luck."""


class Planner:
    """Turns schedules, luck and episodes into plans; asked twice, it tells only what is new."""

    def __init__(
        self,
        settings: SimulatorSettings,
        start: datetime,
        world: World,
        jobs: Mapping[int, Job],
        repertoire: Repertoire,
    ) -> None:
        seed, history = settings.seed, timedelta(days=settings.days)
        self._seed = seed
        self._accounts = {account.id: account for account in world.accounts}
        self._jobs = jobs
        self._projects = {project_id: project.recorded.name for project_id, project in world.projects.items()}
        self._versions = {e.id: e.dbt_version for p in world.projects.values() for e in p.environments}
        self._repertoire = repertoire
        self._episodes = Episodes(seed, repertoire, start)
        self._start = start
        self._planned_until = start - history
        self._retired_at = start - history * 0.8
        self._busy_every = timedelta(seconds=_BUSY_SECONDS * settings.speed) if settings.busy else None
        self._due: list[_Due] = []
        self._last: dict[int, RunPlan] = {}
        self._fixed: dict[tuple[str, datetime], datetime] = {}
        self._last_id = 0
        for due in self._standing(start):
            heapq.heappush(self._due, due)

    def until(self, horizon: datetime) -> Iterator[RunPlan]:
        """The runs created up to a moment that were not told yet, in the order of their ids."""
        while self._planned_until < horizon:
            end = self._planned_until + _CHUNK
            for due in self._scheduled(self._planned_until, end):
                heapq.heappush(self._due, due)
            self._planned_until = end
        while self._due and self._due[0].created_at <= horizon:
            yield self._planned(heapq.heappop(self._due))

    def order(
        self,
        job: Job,
        recording: Recording | None,
        trigger: Trigger,
        created_at: datetime,
        *,
        waits_for: RunPlan | None = None,
    ) -> Order:
        """An order for a run that shows a recording, of the job's usual length."""
        project = self._projects[job.project_id]
        revisions = self._repertoire.project(project).git_revisions
        return Order(
            job=job,
            recording=recording,
            trigger=trigger,
            created_at=created_at,
            dbt_version=job.dbt_version or self._versions[job.environment_id],
            connection_name=self._accounts[job.account_id].connection_name,
            git_branch=trigger.git_branch or "main",
            git_sha=trigger.git_sha or revisions.get(recording.revision if recording else "") or self._sha(job),
            stretch=self._repertoire.stretch(project, job.recorded),
            queued_for=3.0 + ((waits_for.ended_at - created_at).total_seconds() if waits_for else 0.0),
            blocked_by=waits_for.id if waits_for else None,
        )

    def healthy(self, job: Job, moment: datetime, chance: Random) -> Recording | None:
        """The recording that a run of the job shows when nothing is wrong."""
        return self._repertoire.healthy(self._projects[job.project_id], job.recorded, moment, chance)

    def take_id(self, created_at: datetime) -> int:
        """The id of a run created at a moment: in the order of creation, with gaps, and never told twice."""
        wanted = _FIRST_RUN_ID + int((created_at - _IDS_BEGAN_AT).total_seconds() * _IDS_A_SECOND)
        self._last_id = max(wanted, self._last_id + 1)
        return self._last_id

    def _sha(self, job: Job) -> str:
        return hex_of(40, self._seed, "commit", job.project_id)

    def _scheduled(self, after: datetime, until: datetime) -> Iterator[_Due]:
        for job in self._jobs.values():
            end = until if job.state == 1 else min(until, self._retired_at)
            if job.job_type == "ci":
                yield from self._pull_requests(job, after, until)
            elif job.after_job_id is None:
                for tick in job.cadence.ticks(after, end):
                    chance = stream(self._seed, "tick", job.id, micros(tick))
                    yield _Due(tick + timedelta(seconds=chance.uniform(0.4, 9.0)), job.id, self._trigger(job))
        if self._busy_every:
            yield from self._for_viewers(max(after, self._start), until, self._busy_every)

    def _trigger(self, job: Job) -> Trigger:
        if job.triggers.schedule:
            return _SCHEDULED
        return Trigger(f"Triggered via Apache Airflow by task 'run_{job.recorded}' in the warehouse DAG.", "api")

    def _pull_requests(self, job: Job, after: datetime, until: datetime) -> Iterator[_Due]:
        """Pushes to pull requests, in the working hours of working days."""
        day = after.replace(hour=0, minute=0, second=0, microsecond=0)
        while day <= until:
            chance = stream(self._seed, "pulls", job.id, micros(day))
            pushes = chance.choice((1, 2, 2, 3)) if day.weekday() < 5 else 0
            for push in range(pushes):
                created_at = day + timedelta(hours=chance.uniform(8, 18))
                number = 300 + (day - _IDS_BEGAN_AT).days // 2 + push % 2
                trigger = Trigger(
                    cause=f"Github Pull Request #{number}",
                    category="ci",
                    git_branch=f"feature/{chance.choice(_BRANCHES)}-{number}",
                    git_sha=hex_of(40, self._seed, "push", job.id, micros(created_at)),
                    github_pull_request_id=number,
                    schema_override=f"dbt_cloud_pr_{job.id}_{number}",
                )
                if after < created_at <= until:
                    yield _Due(created_at, job.id, trigger)
            day += timedelta(days=1)

    def _for_viewers(self, after: datetime, until: datetime, every: timedelta) -> Iterator[_Due]:
        jobs = [job for job in self._jobs.values() if job.state == 1 and job.job_type != "ci"]
        beat = (after - self._start) // every + 1
        while jobs and (created_at := self._start + every * beat) <= until:
            chance = stream(self._seed, "busy", beat)
            # As many jobs take turns as a run may last beats; no queue of a job may grow without end.
            longest = every.total_seconds() * 4
            yield _Due(created_at, jobs[beat % len(jobs)].id, chance.choice(_CAUSES), longest=longest)
            beat += 1

    def _standing(self, start: datetime) -> Iterator[_Due]:
        """Runs under way at the start: one queued, one starting, one running, in the first account."""
        jobs = [job for job in self._jobs.values() if job.state == 1 and job.after_job_id is None]
        for (age, queued_for), job in zip(((70, 4.0), (9, 7.5), (25, 240.0)), jobs, strict=False):
            created_at = start - timedelta(seconds=age)
            yield _Due(created_at, job.id, _CAUSES[0], queued_for=queued_for, is_calm=True)

    def _planned(self, due: _Due) -> RunPlan:
        """Plan one run, and what follows from it."""
        job = self._idle_job(due) if due.longest and not due.retried else self._jobs[due.job_id]
        chance = stream(self._seed, "run", job.id, micros(due.created_at))
        plan = plan_run(self.take_id(due.created_at), self._cast(job, due, chance), chance)
        if not due.is_calm and chance.random() < 0.018:
            plan = self._cancelled(plan, chance)
        self._note_fix(plan)
        self._last[job.id] = plan
        for follower in self._followers(plan, due, chance):
            heapq.heappush(self._due, follower)
        return plan

    def _note_fix(self, plan: RunPlan) -> None:
        """A recorded retry that goes well is the end of its episode."""
        if plan.retrying_run_id and plan.outcome == SUCCESS and plan.recording and plan.recording.retry_of:
            project = self._projects[plan.job.project_id]
            episode = self._episodes.at(project, plan.created_at)
            if episode:
                self._fixed.setdefault((project, episode.began_at), plan.ended_at)

    def _idle_job(self, due: _Due) -> Job:
        """The job that a run for viewers is of: the next in turn that has nothing under way."""
        jobs = [job for job in self._jobs.values() if job.state == 1 and job.job_type != "ci"]
        turn = next((place for place, job in enumerate(jobs) if job.id == due.job_id), 0)
        in_turn = jobs[turn:] + jobs[:turn]
        for job in in_turn:
            before = self._last.get(job.id)
            if before is None or before.ended_at <= due.created_at:
                return job
        return in_turn[0]

    def _cast(self, job: Job, due: _Due, chance: Random) -> Order:
        """Choose what the run shows, how long it waits and how long it takes."""
        recording, loaded_shift = self._recording(job, due, chance)
        order = self.order(job, recording, due.trigger, due.created_at)
        queued_for = due.queued_for
        if queued_for is None:
            long = chance.random() < 0.02 and job.job_type != "ci" and not due.longest
            queued_for = chance.uniform(900, 2_700) if long else chance.uniform(1.5, 25.0)
        before = self._last.get(job.id)
        blocked_by = None
        if before and before.ended_at > due.created_at and job.job_type != "ci" and due.queued_for is None:
            blocked_by = before.id
            queued_for += (before.ended_at - due.created_at).total_seconds()
        luck = chance.random()
        fate = CLONE_FAILS if luck < 0.010 else DEPS_FAILS if luck < 0.015 else RUNS
        slow = chance.uniform(1.8, 3.2) if chance.random() < 0.012 else 1.0
        stretch = order.stretch * chance.lognormvariate(0, 0.08) * slow
        if due.longest and recording:
            stretch = min(stretch, due.longest / recorded_seconds(recording))
        return replace(
            order,
            stretch=stretch,
            queued_for=queued_for,
            fate=RUNS if due.is_calm or due.retried else fate,
            retrying_run_id=due.retried.id if due.retried else None,
            blocked_by=blocked_by,
            loaded_shift=loaded_shift,
        )

    def _recording(self, job: Job, due: _Due, chance: Random) -> tuple[Recording | None, int | None]:
        """The recording, and how far the source data is moved when an episode holds it back."""
        project, moment = self._projects[job.project_id], due.created_at
        if due.recording:
            return due.recording, None
        episode = self._episode(project, moment)
        if job.job_type == "ci" and chance.random() < 0.2:
            own = self._repertoire.scenarios(project, moment, job.recorded)
            found = self._repertoire.trouble(project, job.recorded, chance.choice(own or [""]), moment, chance)
        elif episode:
            found = self._repertoire.trouble(project, job.recorded, episode.scenario, moment, chance)
        else:
            found = None
        if not found:
            return self.healthy(job, moment, chance), None
        if not episode or not found.steps:
            return found, None
        return found, micros(episode.began_at) - micros(found.steps[0].started_at)

    def _episode(self, project: str, moment: datetime) -> Episode | None:
        """The trouble that a project is in, unless a retry has shown it to be over."""
        episode = self._episodes.at(project, moment)
        if episode and moment >= self._fixed.get((project, episode.began_at), episode.ended_at):
            return None
        return episode

    def _cancelled(self, plan: RunPlan, chance: Random) -> RunPlan:
        """Somebody stops the run: a third of them while it is still in the queue."""
        account: Account = self._accounts[plan.job.account_id]
        by = chance.choice(account.users).email
        begin = plan.started_at or plan.created_at
        if chance.random() < 0.33:
            moment = plan.created_at + ((plan.dequeued_at or begin) - plan.created_at) * chance.uniform(0.3, 0.9)
        else:
            moment = begin + (plan.ended_at - begin) * chance.uniform(0.1, 0.9)
        return plan.cancelled_at(moment, by)

    def _followers(self, plan: RunPlan, due: _Due, chance: Random) -> Iterator[_Due]:
        """A retry of a failed run, and the job that waits for this one's success."""
        if plan.outcome == SUCCESS:
            for job in self._jobs.values():
                if job.after_job_id == plan.job.id and job.state == 1:
                    cause = Trigger(f"Job completion of {plan.job.name} (run {plan.id})", "job completion")
                    yield _Due(plan.ended_at + timedelta(seconds=chance.uniform(2, 6)), job.id, cause)
        if plan.outcome != ERROR or plan.retrying_run_id or plan.job.job_type == "ci":
            return
        after = plan.ended_at + timedelta(minutes=chance.uniform(6, 35))
        email = chance.choice(self._accounts[plan.job.account_id].users).email
        rerun = Trigger(f"Rerun from failure of run {plan.id} by {email}", "rerun", actor=email)
        if plan.recording is None:
            if chance.random() < 0.8:
                healthy = self.healthy(plan.job, after, chance)
                yield _Due(after, plan.job.id, rerun, recording=healthy, retried=plan, longest=due.longest)
            return
        recorded = self._repertoire.retry_of(plan.recording, chance)
        project = self._projects[plan.job.project_id]
        episode = self._episode(project, plan.created_at)
        if episode and episode.began_at < self._start <= episode.ended_at:
            # What the start finds broken is not mended before somebody has looked.
            after = max(after, self._start + timedelta(minutes=chance.uniform(18, 40)))
        patience = 0.75 if len(plan.job.cadence.hours) < 2 else 0.2
        if chance.random() < (patience if recorded else patience / 3):
            yield _Due(
                after, plan.job.id, rerun, recording=recorded or plan.recording, retried=plan, longest=due.longest
            )


_BRANCHES = ("margin-by-channel", "fix-refunds", "new-loyalty-tiers", "rename-customers", "faster-orders")
_CAUSES = (
    Trigger("Triggered via Apache Airflow by task 'run_dbt' in the warehouse DAG.", "api"),
    Trigger("Kicked off from the UI by mira.okafor@tidewater-commerce.example", "ui"),
    Trigger("Triggered via the API", "api"),
)
