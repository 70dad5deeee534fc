"""The nouns of the simulated dbt Cloud that have no state of their own: accounts, projects, jobs, tokens."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from headwater.simulator.cadence import Cadence, cadence_of
from headwater.simulator.chance import hex_of, stream
from headwater.simulator.recordings import RecordedJob, RecordedProject, RecordingsIndex

FIRST_ID = 70_437_463_654_000
"""dbt Cloud numbers objects cell by cell, far above 2^32."""

PERMISSIONS = frozenset({"projects", "environments", "jobs", "runs", "connections", "webhooks", "write"})


@dataclass(frozen=True, slots=True)
class Environment:
    """A deployment or development environment of a project."""

    id: int
    project_id: int
    name: str
    type: str
    deployment_type: str | None
    dbt_version: str
    custom_branch: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Triggers:
    """What starts a job by itself."""

    schedule: bool = False
    github_webhook: bool = False
    on_merge: bool = False
    custom_branch_only: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job definition; requests may add, change and delete some."""

    id: int
    account_id: int
    project_id: int
    environment_id: int
    name: str
    recorded: str
    """The recorded job whose runs this one shows."""
    execute_steps: tuple[str, ...]
    generate_docs: bool
    generate_sources: bool
    cadence: Cadence
    triggers: Triggers
    job_type: str
    created_at: datetime
    updated_at: datetime
    state: int = 1
    description: str = ""
    threads: int = 4
    target_name: str = "default"
    timeout_seconds: int = 0
    dbt_version: str | None = None
    deferring_environment_id: int | None = None
    after_job_id: int | None = None
    """The job whose success starts this one."""


@dataclass(frozen=True, slots=True)
class Project:
    """A dbt project and where it is kept."""

    id: int
    account_id: int
    name: str
    recorded: RecordedProject
    connection_id: int
    repository_id: int
    environments: tuple[Environment, ...]
    created_at: datetime

    def environment(self, kind: str) -> Environment:
        """The environment for production, staging or development."""
        return next(e for e in self.environments if kind in (e.deployment_type, e.type))


@dataclass(frozen=True, slots=True)
class User:
    """A person of an account."""

    id: int
    first_name: str
    last_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that opens an account, wholly or partly."""

    secret: str
    kind: str
    id: int
    account_id: int
    permissions: frozenset[str] = PERMISSIONS
    project_ids: frozenset[int] | None = None
    user: User | None = None

    def sees(self, project_id: int) -> bool:
        """Whether the objects of a project are visible with this token."""
        return self.project_ids is None or project_id in self.project_ids


@dataclass(frozen=True, slots=True)
class Account:
    """An account with all that is configured in it."""

    id: int
    name: str
    identifier: str
    connection_id: int
    connection_name: str
    projects: tuple[Project, ...]
    jobs: tuple[Job, ...]
    tokens: tuple[Token, ...]
    users: tuple[User, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """Both accounts, and the first id that is still free."""

    accounts: tuple[Account, ...]
    next_id: int
    projects: dict[int, Project] = field(default_factory=dict)


class _Ids:
    """Hands out ids in the order of creation, with the gaps that other customers leave."""

    def __init__(self, seed: int) -> None:
        self._random = stream(seed, "ids")
        self._last = FIRST_ID

    def take(self) -> int:
        self._last += self._random.randint(1, 40)
        return self._last


_NAMES = (
    ("Tidewater Commerce", ("Mira", "Okafor"), ("Jonas", "Lindqvist")),
    ("Highland Roasters", ("Ana", "Duarte"), ("Tomasz", "Zielinski")),
)
_TITLES = {
    "nightly": "Nightly build",
    "hourly": "Hourly models",
    "freshness": "Source freshness",
    "ci": "CI checks",
    "weekly": "Weekly full refresh",
    "metrics_hourly": "Metrics hourly",
}


def build_world(seed: int, index: RecordingsIndex, began_at: datetime) -> World:
    """Two accounts; the recorded project `roastery` belongs to the second, all others to the first."""
    ids = _Ids(seed)
    first = [project for project in index.projects if project.name != "roastery"]
    second = [project for project in index.projects if project.name == "roastery"]
    accounts = tuple(_account(seed, ids, number, recorded, began_at) for number, recorded in enumerate((first, second)))
    projects = {project.id: project for account in accounts for project in account.projects}
    return World(accounts, ids.take(), projects)


def _account(seed: int, ids: _Ids, number: int, recorded: list[RecordedProject], began_at: datetime) -> Account:
    created_at = began_at - timedelta(days=400 - 90 * number, hours=7, microseconds=-305_964)
    name, *people = _NAMES[number]
    account_id, connection_id = ids.take(), ids.take()
    domain = name.lower().replace(" ", "-")
    users = tuple(
        User(ids.take(), given, family, f"{given}.{family}@{domain}.example".lower()) for given, family in people
    )
    projects = tuple(_project(ids, account_id, connection_id, item, created_at) for item in recorded)
    return Account(
        id=account_id,
        name=name,
        identifier=f"act_{hex_of(24, seed, 'account', number)}",
        connection_id=connection_id,
        connection_name="Analytics warehouse",
        projects=projects,
        jobs=_jobs(ids, projects, created_at, with_deleted=number == 0),
        tokens=_tokens(seed, ids, account_id, projects, users[0]),
        users=users,
        created_at=created_at,
    )


def _project(
    ids: _Ids, account_id: int, connection_id: int, recorded: RecordedProject, created_at: datetime
) -> Project:
    project_id = ids.take()
    version = "1.11.0-latest" if recorded.name == "finance" else "latest"
    kinds = (
        ("Production", "deployment", "production", "main"),
        ("Staging", "deployment", "staging", None),
        ("Development", "development", None, None),
    )
    environments = tuple(
        Environment(ids.take(), project_id, name, kind, purpose, version, branch, created_at)
        for name, kind, purpose, branch in kinds
    )
    title = recorded.name.replace("_", " ").capitalize()
    return Project(project_id, account_id, title, recorded, connection_id, ids.take(), environments, created_at)


def _jobs(ids: _Ids, projects: tuple[Project, ...], created_at: datetime, *, with_deleted: bool) -> tuple[Job, ...]:
    jobs: list[Job] = []
    for project in projects:
        jobs += (_job(ids.take(), project, recorded, created_at) for recorded in project.recorded.jobs)
    hourly = next((job for job in jobs if job.recorded == "hourly"), None)
    if hourly and with_deleted:
        jobs.append(_deleted_twin(ids.take(), hourly))
    return tuple(_chained(jobs, projects))


def _job(job_id: int, project: Project, recorded: RecordedJob, created_at: datetime) -> Job:
    is_ci = recorded.name == "ci"
    cadence = cadence_of(project.recorded.name, recorded.name)
    environment = project.environment("staging" if is_ci else "production")
    return Job(
        id=job_id,
        account_id=project.account_id,
        project_id=project.id,
        environment_id=environment.id,
        name=_TITLES.get(recorded.name, recorded.name.replace("_", " ").capitalize()),
        recorded=recorded.name,
        execute_steps=recorded.commands,
        generate_docs=recorded.generate_docs,
        generate_sources=recorded.generate_sources,
        cadence=cadence,
        triggers=Triggers(schedule=not is_ci, github_webhook=is_ci),
        job_type="ci" if is_ci else "scheduled",
        created_at=created_at,
        updated_at=created_at + timedelta(microseconds=22),
        deferring_environment_id=project.environment("production").id if is_ci else None,
    )


def _deleted_twin(job_id: int, job: Job) -> Job:
    """A job that ran early in the history and was deleted since."""
    return replace(
        job,
        id=job_id,
        name="Hourly models (old)",
        state=2,
        cadence=Cadence("50 */12 * * *", hours=(0, 12), minute=50),
    )


def _chained(jobs: list[Job], projects: tuple[Project, ...]) -> list[Job]:
    """Let the nightly job of `finance` follow the success of the one of `storefront`."""
    by_name = {(job.project_id, job.recorded): job for job in jobs if job.state == 1}
    ids = {project.recorded.name: project.id for project in projects}
    first = by_name.get((ids.get("storefront", 0), "nightly"))
    second = by_name.get((ids.get("finance", 0), "nightly"))
    if not first or not second:
        return jobs
    follower = replace(second, after_job_id=first.id, triggers=Triggers(), job_type="other")
    return [follower if job is second else job for job in jobs]


def _tokens(seed: int, ids: _Ids, account_id: int, projects: tuple[Project, ...], user: User) -> tuple[Token, ...]:
    def secret(prefix: str, kind: str) -> str:
        return prefix + hex_of(40, seed, "token", account_id, kind)

    def service(kind: str, permissions: frozenset[str] = PERMISSIONS) -> Token:
        return Token(secret("dbtc_", kind), kind, ids.take(), account_id, permissions)

    one_project = Token(
        secret("dbtc_", "one_project"),
        "one_project",
        ids.take(),
        account_id,
        project_ids=frozenset(project.id for project in projects[-1:]) if len(projects) > 1 else frozenset(),
    )
    return (
        service("service"),
        service("read_only", PERMISSIONS - {"write", "webhooks"}),
        service("no_environments", PERMISSIONS - {"environments"}),
        service("no_runs", PERMISSIONS - {"runs", "write"}),
        service("metadata_only", frozenset()),
        one_project,
        service("ip_blocked"),
        Token(secret("dbtu_", "personal"), "personal", ids.take(), account_id, user=user),
    )
