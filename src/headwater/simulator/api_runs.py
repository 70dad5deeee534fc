"""The v2 API of runs: lists, details, artifacts, cancel and retry."""

from collections.abc import Callable, Mapping
from typing import Any

from headwater.simulator.answers import Answer, bad_request, listing, not_found, refusal, single
from headwater.simulator.artifacts import artifact_bytes, content_type, files_of, last_step
from headwater.simulator.cloud import Cloud
from headwater.simulator.faults import corrupted
from headwater.simulator.plans import ERROR, FINAL, RunPlan, StepPlan, Trigger
from headwater.simulator.query import Filter, ListRules, above, among, between, equals, select, truth, whole, word
from headwater.simulator.routing import Asked, Route
from headwater.simulator.shapes_run import run_object, run_of_step, step_object


def routes() -> list[Route]:
    """The routes of this module."""
    base = "/api/v2/accounts/{account_id}"
    run = f"{base}/runs/{{run_id}}"
    return [
        Route(f"{base}/runs/", {"GET": list_runs}, "runs"),
        Route(f"{run}/", {"GET": get_run}, "runs"),
        Route(f"{run}/artifacts/", {"GET": list_artifacts}, "runs"),
        Route(f"{run}/artifacts/{{path*}}", {"GET": get_artifact}, "runs"),
        Route(f"{run}/cancel/", {"POST": cancel_run}, "runs"),
        Route(f"{run}/retry/", {"GET": get_failure, "POST": retry_run}, "runs"),
        Route(f"{base}/steps/{{step_id}}/", {"GET": get_step}, "runs"),
        Route(f"{base}/jobs/{{job_id}}/artifacts/{{path*}}", {"GET": get_job_artifact}, "runs"),
    ]


def list_runs(cloud: Cloud, asked: Asked) -> Answer:
    """The runs of an account, as far as the token sees their projects."""
    runs = [plan for plan in cloud.runs_of(asked.account.id, asked.now) if asked.token.sees(plan.job.project_id)]
    rules = ListRules(_filters(cloud, asked), _orders(cloud, asked), default_state="all")
    clamp = cloud.assumptions.limit_over_100 == "clamp"
    page = select(asked.query, runs, rules, asked.account.id, clamp=clamp)
    related = asked.query.related()
    return listing([run_object(cloud, plan, asked.now, related) for plan in page.items], page)


def _filters(cloud: Cloud, asked: Asked) -> Mapping[str, Filter]:
    def status(plan: RunPlan) -> int:
        return cloud.status_of(plan, asked.now)

    def finished(plan: RunPlan) -> Any:
        return cloud.finished_at(plan, asked.now)

    return {
        "pk": equals(whole, lambda plan: plan.id),
        "pk__in": among(whole, lambda plan: plan.id),
        "id__gt": above(lambda plan: plan.id),
        "status": equals(whole, status),
        "status__in": among(whole, status),
        "job_definition_id": equals(whole, lambda plan: plan.job.id),
        "project_id": equals(whole, lambda plan: plan.job.project_id),
        "project_id__in": among(whole, lambda plan: plan.job.project_id),
        "environment_id": equals(whole, lambda plan: plan.job.environment_id),
        "created_at__range": between(lambda plan: plan.created_at),
        "finished_at__range": between(finished),
        "deferring_run_id": equals(whole, cloud.deferring_run_id),
        "has_docs_generated": equals(truth, lambda plan: _done(plan, asked) and plan.has_docs),
        "has_sources_generated": equals(truth, lambda plan: _done(plan, asked) and plan.has_sources),
        "dbt_version": equals(word, lambda plan: plan.dbt_version),
        "dbt_version__in": among(word, lambda plan: plan.dbt_version),
    }


def _orders(cloud: Cloud, asked: Asked) -> Mapping[str, Callable[[Any], Any]]:
    return {
        "id": lambda plan: plan.id,
        "created_at": lambda plan: plan.created_at,
        "finished_at": lambda plan: cloud.finished_at(plan, asked.now),
    }


def _done(plan: RunPlan, asked: Asked) -> bool:
    return plan.status_at(asked.now) in {10, 20}


def get_run(cloud: Cloud, asked: Asked) -> Answer:
    """One run."""
    return single(run_object(cloud, find_run(cloud, asked), asked.now, asked.query.related()))


def find_run(cloud: Cloud, asked: Asked) -> RunPlan:
    """The run that a path names; 404 where the token does not see it."""
    plan = cloud.find_run(asked.account.id, asked.number("run_id"), asked.now)
    if plan is None or not asked.token.sees(plan.job.project_id):
        raise not_found()
    return plan


def list_artifacts(cloud: Cloud, asked: Asked) -> Answer:
    """The names of a run's files, or null when there are none; `step` is not looked at."""
    plan = find_run(cloud, asked)
    step = _asked_step(asked, plan) if cloud.assumptions.list_honours_step else last_step(plan)
    files = files_of(cloud, plan, step) if step and _are_saved(cloud, plan, asked) else {}
    return single(sorted(files) or None)


def get_artifact(cloud: Cloud, asked: Asked) -> Answer:
    """The bytes of a file; without `step` those of the last step that ran."""
    return _artifact(cloud, asked, find_run(cloud, asked))


def get_job_artifact(cloud: Cloud, asked: Asked) -> Answer:
    """The bytes of a file of the job's latest run that has it."""
    job = cloud.jobs.get(asked.number("job_id"))
    if job is None or job.account_id != asked.account.id or not asked.token.sees(job.project_id):
        raise not_found()
    for plan in reversed(cloud.runs_of_job(job, asked.now)):
        step = last_step(plan)
        if step and _are_saved(cloud, plan, asked) and asked.params["path"] in files_of(cloud, plan, step):
            return _artifact(cloud, asked, plan)
    raise not_found()


def _artifact(cloud: Cloud, asked: Asked, plan: RunPlan) -> Answer:
    step = _asked_step(asked, plan)
    if step is None or not _are_saved(cloud, plan, asked):
        raise not_found()
    body = artifact_bytes(cloud, plan, step, asked.params["path"])
    if body is None:
        raise not_found()
    return Answer(200, body, content_type(asked.params["path"]))


def corrupt(answer: Answer) -> Answer:
    """An artifact's answer with bytes in it that are not JSON."""
    return Answer(answer.status, corrupted(answer.body), answer.content_type)


def _asked_step(asked: Asked, plan: RunPlan) -> StepPlan | None:
    text = asked.query.last("step")
    if not text:
        return last_step(plan)
    if not text.isdecimal():
        raise bad_request("step is a whole number.")
    return next((step for step in plan.steps if step.index == int(text)), None)


def _are_saved(cloud: Cloud, plan: RunPlan, asked: Asked) -> bool:
    return plan.has_artifacts and plan.ended_at + cloud.faults.artifact_delay <= asked.now


def get_step(cloud: Cloud, asked: Asked) -> Answer:
    """One step of a run."""
    run_id, index = run_of_step(asked.number("step_id"))
    plan = cloud.find_run(asked.account.id, run_id, asked.now)
    if plan is None or not asked.token.sees(plan.job.project_id):
        raise not_found()
    step = next((step for step in plan.steps_at(asked.now) if step.index == index), None)
    if step is None:
        raise not_found()
    return single(step_object(cloud, plan, step, asked.now, asked.query.related()))


def cancel_run(cloud: Cloud, asked: Asked) -> Answer:
    """Stop a run that is not over."""
    plan = find_run(cloud, asked)
    if plan.status_at(asked.now) in FINAL:
        raise bad_request("This run is already complete and cannot be cancelled.")
    by = asked.token.user.email if asked.token.user else f"service token {asked.token.id}"
    cancelled = plan.cancelled_at(asked.now, by)
    cloud.replace_run(cancelled)
    return single(run_object(cloud, cancelled, asked.now, frozenset()))


def get_failure(cloud: Cloud, asked: Asked) -> Answer:
    """What a retry would begin with (dbt Cloud API: RunFailureDetailsResponse)."""
    plan = find_run(cloud, asked)
    failed = next((step for step in plan.steps if step.status == ERROR), None)
    if plan.status_at(asked.now) != ERROR or failed is None:
        raise refusal(400, "Only failed runs can be retried.")
    names = [*plan.job.execute_steps, *(("dbt docs generate",) if plan.job.generate_docs else ())]
    after = names[names.index(failed.command) + 1 :] if failed.command in names else names
    return single({"failed_step": failed.name, "skipped_steps": [f"Invoke dbt with `{name}`" for name in after]})


def retry_run(cloud: Cloud, asked: Asked) -> Answer:
    """Run a failed run again from where it failed, as a new run."""
    retry = retried(cloud, asked, find_run(cloud, asked))
    return single(run_object(cloud, retry, cloud.now(), frozenset()))


def retried(cloud: Cloud, asked: Asked, plan: RunPlan) -> RunPlan:
    """The new run that retries an old one; 400 where dbt Cloud would not."""
    reason = cloud.why_no_retry(plan, asked.now)
    if reason:
        raise bad_request(f"This run cannot be retried: {reason}.")
    cause = Trigger(f"Rerun from failure of run {plan.id}", "rerun")
    return cloud.start_run(cloud.jobs[plan.job.id], cause, recording=cloud.retry_recording(plan), retrying=plan)
