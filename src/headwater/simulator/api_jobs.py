"""The v2 API of jobs: lists, details, changes, and runs begun by a request."""

from dataclasses import fields, replace
from itertools import takewhile
from typing import Any

import msgspec

from headwater.simulator.answers import Answer, bad_request, listing, not_found, single
from headwater.simulator.api_runs import retried
from headwater.simulator.cadence import Cadence
from headwater.simulator.cloud import Cloud
from headwater.simulator.plans import ERROR, FINAL, Trigger
from headwater.simulator.query import ListRules, among, contains, equals, select, truth, whole, word
from headwater.simulator.routing import Asked, Route
from headwater.simulator.shapes import job_object
from headwater.simulator.shapes_run import run_object
from headwater.simulator.world import Job, Triggers

_RULES = ListRules(
    {
        "pk": equals(whole, lambda job: job.id),
        "project_id": equals(whole, lambda job: job.project_id),
        "project_id__in": among(whole, lambda job: job.project_id),
        "environment_id": equals(whole, lambda job: job.environment_id),
        "name__icontains": contains(lambda job: job.name),
        "triggers_schedule": equals(truth, lambda job: job.triggers.schedule),
        "is_system": equals(truth, lambda _job: False),
        "dbt_version__in": among(word, lambda job: job.dbt_version),
    },
    {
        "id": lambda job: job.id,
        "name": lambda job: job.name,
        "created_at": lambda job: job.created_at,
        "updated_at": lambda job: job.updated_at,
    },
    state_of=lambda job: job.state,
)
_OVERRIDES = frozenset(field.name for field in fields(Trigger)) - {"cause", "category", "actor"}


def routes() -> list[Route]:
    """The routes of this module."""
    base = "/api/v2/accounts/{account_id}/jobs"
    return [
        Route(f"{base}/", {"GET": list_jobs, "POST": create_job}, "jobs"),
        Route(f"{base}/{{job_id}}/", {"GET": get_job, "POST": update_job, "DELETE": delete_job}, "jobs"),
        Route(f"{base}/{{job_id}}/run/", {"POST": run_job}, "jobs"),
        Route(f"{base}/{{job_id}}/rerun/", {"POST": rerun_job}, "jobs"),
    ]


def list_jobs(cloud: Cloud, asked: Asked) -> Answer:
    """The jobs of an account, as far as the token sees their projects."""
    jobs = [
        job for job in cloud.jobs.values() if job.account_id == asked.account.id and asked.token.sees(job.project_id)
    ]
    clamp = cloud.assumptions.limit_over_100 == "clamp"
    page = select(asked.query, jobs, _RULES, asked.account.id, clamp=clamp)
    return listing([_with_runs(cloud, asked, job) for job in page.items], page)


def get_job(cloud: Cloud, asked: Asked) -> Answer:
    """One job; a deleted one is told too."""
    return single(_with_runs(cloud, asked, _find_job(cloud, asked)))


def create_job(cloud: Cloud, asked: Asked) -> Answer:
    """A new job; it runs only when a request says so."""
    body = read_body(asked)
    project = cloud.world.projects.get(body.get("project_id", 0))
    if project is None or project.account_id != asked.account.id or not asked.token.sees(project.id):
        raise bad_request("project_id is not a project of this account.")
    if body.get("environment_id") not in {environment.id for environment in project.environments}:
        raise bad_request("environment_id is not an environment of this project.")
    if not body.get("name"):
        raise bad_request("name is required.")
    job = Job(
        id=cloud.take_id(),
        account_id=asked.account.id,
        project_id=project.id,
        environment_id=body["environment_id"],
        name="",
        recorded="",
        execute_steps=(),
        generate_docs=False,
        generate_sources=False,
        cadence=Cadence("0 * * * *"),
        triggers=Triggers(),
        job_type="other",
        created_at=asked.now,
        updated_at=asked.now,
    )
    job = _changed(job, body, cloud)
    cloud.jobs[job.id] = job
    return single(job_object(job, cloud, frozenset()), 201)


def update_job(cloud: Cloud, asked: Asked) -> Answer:
    """Change a job."""
    job = replace(_changed(_find_job(cloud, asked), read_body(asked), cloud), updated_at=asked.now)
    cloud.jobs[job.id] = job
    return single(job_object(job, cloud, frozenset()))


def delete_job(cloud: Cloud, asked: Asked) -> Answer:
    """Delete a job; its runs stay."""
    job = replace(_find_job(cloud, asked), state=2, updated_at=asked.now)
    cloud.jobs[job.id] = job
    if cloud.assumptions.delete_answer == "envelope":
        return single(job_object(job, cloud, frozenset()))
    return Answer(204, b"")


def run_job(cloud: Cloud, asked: Asked) -> Answer:
    """Begin a run (dbt Cloud API: TriggerRunRequest); `cause` must be there."""
    job = _find_job(cloud, asked)
    body = read_body(asked)
    cause = body.get("cause")
    if not isinstance(cause, str) or not cause:
        raise bad_request("cause is required.")
    if job.state != 1:
        raise not_found()
    overrides: dict[str, Any] = {name: value for name, value in body.items() if name in _OVERRIDES}
    if overrides.get("steps_override"):
        overrides["steps_override"] = tuple(overrides["steps_override"])
    actor = asked.token.user.email if asked.token.user else None
    plan = cloud.start_run(job, Trigger(cause, "api", actor=actor, **overrides))
    return single(run_object(cloud, plan, cloud.now(), frozenset({"trigger"})))


def rerun_job(cloud: Cloud, asked: Asked) -> Answer:
    """Retry the job's last run where it failed, else begin a new one."""
    job = _find_job(cloud, asked)
    runs = cloud.runs_of_job(job, asked.now)
    if runs and cloud.why_no_retry(runs[-1], asked.now) is None:
        plan = retried(cloud, asked, runs[-1])
    else:
        plan = cloud.start_run(job, Trigger("Rerun via the API", "rerun"))
    return single(run_object(cloud, plan, cloud.now(), frozenset()))


def read_body(asked: Asked) -> dict[str, Any]:
    """The JSON object that a request carries; 400 when it is not one."""
    try:
        body = msgspec.json.decode(asked.body or b"{}")
    except msgspec.DecodeError:
        raise bad_request("JSON parse error.") from None
    if not isinstance(body, dict):
        raise bad_request("The body must be a JSON object.")
    return body


def _find_job(cloud: Cloud, asked: Asked) -> Job:
    job = cloud.jobs.get(asked.number("job_id"))
    if job is None or job.account_id != asked.account.id or not asked.token.sees(job.project_id):
        raise not_found()
    return job


def _with_runs(cloud: Cloud, asked: Asked, job: Job) -> dict[str, Any]:
    related = asked.query.related()
    document = job_object(job, cloud, related)
    runs = cloud.runs_of_job(job, asked.now)
    done = [plan for plan in runs if plan.status_at(asked.now) in FINAL]
    failures = takewhile(lambda plan: plan.outcome == ERROR, reversed(done))
    document["run_failure_count"] = sum(1 for _ in failures)
    if related & {"most_recent_run", "most_recent_completed_run"}:
        for name, found in (("most_recent_run", runs), ("most_recent_completed_run", done)):
            if name in related and found:
                document[name] = run_object(cloud, found[-1], asked.now, frozenset())
    return document


def _changed(job: Job, body: dict[str, Any], cloud: Cloud) -> Job:
    """A job with the fields of a request in it."""
    names = {"name", "description", "generate_docs", "dbt_version", "job_type", "environment_id"}
    changes: dict[str, Any] = {name: body[name] for name in names & body.keys()}
    changes["generate_sources"] = body.get("run_generate_sources", body.get("generate_sources", job.generate_sources))
    if "execute_steps" in body:
        changes["execute_steps"] = tuple(body["execute_steps"] or ())
    settings, execution = body.get("settings") or {}, body.get("execution") or {}
    changes["threads"] = settings.get("threads", job.threads)
    changes["target_name"] = settings.get("target_name", job.target_name)
    changes["timeout_seconds"] = execution.get("timeout_seconds", job.timeout_seconds)
    triggers = body.get("triggers") or {}
    known = {field.name for field in fields(Triggers)}
    changes["triggers"] = replace(job.triggers, **{k: bool(v) for k, v in triggers.items() if k in known})
    if not job.recorded:
        recorded = cloud.world.projects[job.project_id].recorded.jobs
        wanted = changes.get("execute_steps", ())
        same = [item.name for item in recorded if item.commands == wanted]
        changes["recorded"] = same[0] if same else recorded[0].name if recorded else ""
    return replace(job, **changes)
