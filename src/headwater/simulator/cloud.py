"""The simulated dbt Cloud itself: the one mutable thing, holding jobs, runs and the clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from headwater.simulator.chance import stream
from headwater.simulator.clock import Clock
from headwater.simulator.deliveries import Deliveries
from headwater.simulator.faults import Faults
from headwater.simulator.history import Planner
from headwater.simulator.ledger import Ledger
from headwater.simulator.plans import CANCELLED, ERROR, FINAL, Order, RunPlan, Trigger, plan_run
from headwater.simulator.recordings import Archive, Recording
from headwater.simulator.repertoire import Repertoire
from headwater.simulator.settings import SimulatorSettings
from headwater.simulator.times import micros
from headwater.simulator.webhooks import Webhooks
from headwater.simulator.world import Account, Job, Project, Token, build_world


class Cloud:
    """Both accounts at the simulated time; every answer is a function of plans and that time."""

    def __init__(self, settings: SimulatorSettings, archive: Archive) -> None:
        start = (settings.now or datetime.now(UTC)).astimezone(UTC)
        history = timedelta(days=settings.days)
        self.settings = settings
        self.assumptions = settings.assumptions
        self.archive = archive
        self.url = ""
        self.started_at = start
        self.clock = Clock(start, speed=settings.speed, manual=settings.clock == "manual")
        self.world = build_world(settings.seed, archive.index, start - history)
        self.accounts = {account.id: account for account in self.world.accounts}
        self.jobs = {job.id: job for account in self.world.accounts for job in account.jobs}
        self.tokens = {token.secret: token for account in self.world.accounts for token in account.tokens}
        self.repertoire = Repertoire(archive.index, start - history, history)
        self.planner = Planner(settings, start, self.world, self.jobs, self.repertoire)
        self.faults = Faults(settings.seed)
        self.ledger = Ledger(settings.rate_limit, settings.rate_limit_cooldown_seconds, self.clock.client_now)
        self.webhooks = Webhooks(settings.seed, told_until=start)
        self.deliveries = Deliveries(int(settings.assumptions.webhook_failures), settings.webhook_retry_seconds)
        self._next_id = self.world.next_id
        self._runs: dict[int, dict[int, RunPlan]] = {account.id: {} for account in self.world.accounts}
        self._by_job: dict[int, list[int]] = {}
        self.now()

    def now(self) -> datetime:
        """The simulated time; everything due by then exists."""
        now = self.clock.now()
        for plan in self.planner.until(now):
            self._keep(plan)
        return now

    def runs_of(self, account_id: int, now: datetime) -> list[RunPlan]:
        """The runs of an account that exist at a moment, in the order of their ids."""
        return [plan for plan in self._runs[account_id].values() if plan.created_at <= now]

    def find_run(self, account_id: int, run_id: int, now: datetime) -> RunPlan | None:
        """A run of an account, once it exists."""
        plan = self._runs[account_id].get(run_id)
        return plan if plan and plan.created_at <= now else None

    def runs_of_job(self, job: Job, now: datetime) -> list[RunPlan]:
        """The runs of a job, oldest first."""
        runs = self._runs[job.account_id]
        found = (runs[run_id] for run_id in self._by_job.get(job.id, ()))
        return [plan for plan in found if plan.created_at <= now]

    def retries_of(self, plan: RunPlan) -> list[RunPlan]:
        """The runs that retry a run."""
        found = self.runs_of_job(plan.job, self.now())
        return [other for other in found if other.retrying_run_id == plan.id]

    def status_of(self, plan: RunPlan, now: datetime) -> int:
        """The number that the API tells; a fault may have put an unknown one there."""
        return self.faults.unknown_statuses.get(plan.id) or plan.status_at(now)

    def finished_at(self, plan: RunPlan, now: datetime) -> datetime | None:
        """When a run finished; a cancelled one has no such time unless assumed otherwise."""
        if plan.ended_at > now:
            return None
        if plan.outcome == CANCELLED and not self.assumptions.cancelled_has_finished_at:
            return None
        return plan.ended_at

    def why_no_retry(self, plan: RunPlan, now: datetime) -> str | None:
        """Why a run cannot be retried (dbt Cloud API: RetryNotSupportedReasonEnum); None: it can."""
        if plan.status_at(now) != ERROR:
            return "RETRY_NOT_FAILED_RUN"
        if self._by_job[plan.job.id][-1] != plan.id and self.runs_of_job(plan.job, now)[-1].id != plan.id:
            return "RETRY_NOT_LATEST_RUN"
        failed = next((step for step in plan.steps if step.status == ERROR), None)
        if failed is None or failed.recorded is None or "run_results.json" not in failed.recorded.artifacts:
            return "RETRY_NO_RUN_RESULTS"
        return None

    def retry_recording(self, plan: RunPlan) -> Recording | None:
        """What a retry of a run shows: its recorded retry, else a run without trouble."""
        chance = stream(self.settings.seed, "retry", plan.id)
        return self.repertoire.retry_of(plan.recording, chance) if plan.recording else None

    def deferring_run_id(self, plan: RunPlan) -> int | None:
        """The production run that a CI run defers to."""
        if plan.job.deferring_environment_id is None:
            return None
        for job in self.jobs.values():
            if job.environment_id == plan.job.deferring_environment_id and job.generate_docs:
                before = [p for p in self.runs_of_job(job, plan.created_at) if p.ended_at <= plan.created_at]
                return before[-1].id if before else None
        return None

    def start_run(
        self,
        job: Job,
        trigger: Trigger,
        *,
        recording: Recording | None = None,
        retrying: RunPlan | None = None,
        order: Order | None = None,
    ) -> RunPlan:
        """Begin a run now; it waits for an earlier one of its job, as dbt Cloud's do."""
        now = self.now()
        chance = stream(self.settings.seed, "asked", job.id, micros(now), len(self._by_job.get(job.id, ())))
        order = order or self.order_for(job, trigger, recording)
        plan = plan_run(self.planner.take_id(now), order, chance)
        if retrying:
            plan = replace(plan, retrying_run_id=retrying.id)
        self._keep(plan)
        return plan

    def order_for(self, job: Job, trigger: Trigger, recording: Recording | None) -> Order:
        """An order for a run of a job now; a healthy one when no recording is chosen."""
        now = self.now()
        chance = stream(self.settings.seed, "asked for", job.id, micros(now))
        chosen = recording or self._recording_to_show(job) or self.planner.healthy(job, now, chance)
        if chosen and trigger.steps_override:
            chosen = self.repertoire.overridden(chosen, trigger.steps_override)
        return self.planner.order(job, chosen, trigger, now, waits_for=self._running(job, now))

    def replace_run(self, plan: RunPlan) -> None:
        """Put a changed plan in the place of the old one."""
        self._runs[plan.job.account_id][plan.id] = plan

    def rename(self, thing_id: int, name: str) -> None:
        """Give a project or an environment another name."""
        for account in self.world.accounts:
            projects = tuple(_renamed(project, thing_id, name) for project in account.projects)
            if projects != account.projects:
                self.accounts[account.id] = replace(account, projects=projects)
                self.world.projects.update({project.id: project for project in projects})
                self.world = replace(self.world, accounts=tuple(self.accounts.values()))
                return
        raise ValueError(f"no project or environment {thing_id}")

    def take_id(self) -> int:
        """An id for a new object."""
        self._next_id += 3
        return self._next_id

    def account_for(self, token: Token) -> Account:
        """The one account that a token opens."""
        return self.accounts[token.account_id]

    def _running(self, job: Job, now: datetime) -> RunPlan | None:
        found = self.runs_of_job(job, now)
        return found[-1] if found and found[-1].status_at(now) not in FINAL else None

    def _recording_to_show(self, job: Job) -> Recording | None:
        wanted = self.faults.next_recordings.get(job.id)
        return self.repertoire.by_id[wanted.pop(0)] if wanted else None

    def _keep(self, plan: RunPlan) -> None:
        self._runs[plan.job.account_id][plan.id] = plan
        self._by_job.setdefault(plan.job.id, []).append(plan.id)


def _renamed(project: Project, thing_id: int, name: str) -> Project:
    if project.id == thing_id:
        return replace(project, name=name)
    found = (replace(one, name=name) if one.id == thing_id else one for one in project.environments)
    return replace(project, environments=tuple(found))
