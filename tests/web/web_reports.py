"""Reports as the observatory gives them, of a company that sells coffee: jobs nightly and hourly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import web_incident_reports

from headwater.observatory.cause_reports import RunCauseSummary
from headwater.observatory.following import AccountReport, FilterChoice, FilterThing, SyncPassSummary
from headwater.observatory.job_reports import JobDay, JobMark, JobNode, JobReport, ScheduleReport
from headwater.observatory.jobs import JobsReport, JobSummary
from headwater.observatory.outlook_reports import JobPace, SourceAge, UpcomingRun
from headwater.observatory.progress import BackfillProgress
from headwater.observatory.reports import (
    AccountsReport,
    AccountSummary,
    AirflowSummary,
    AmendmentSummary,
    ArtifactSummary,
    AttemptSummary,
    ChainSummary,
    ExecutionSummary,
    FreshnessSummary,
    ObservationSummary,
    OpenRun,
    OverviewReport,
    RunBar,
    RunReport,
    RunsReport,
    RunSummary,
    StepSummary,
)
from headwater.observatory.rerunning import StartedRun

NOW = datetime(2026, 11, 20, 12, 4, 31, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e" + "x" * 10_000


def make_account(name: str = "acme", **changes) -> AccountSummary:
    facts = {
        "account": name,
        "origin": "https://cloud.getdbt.com",
        "account_id": 70471,
        "status": "connected",
        "sentence": "Connected; every permission that is needed is there.",
        "is_paused": False,
        "token_hint": "x9Qa",
        "token_set_at": NOW - timedelta(days=40),
        "added_at": NOW - timedelta(days=90),
        "last_success_at": NOW - timedelta(seconds=4),
        "lag_seconds": 4.2,
        "last_run_at": NOW - timedelta(minutes=7),
        "last_run_status": "success",
        "projects": 2,
        "jobs": 6,
        "runs": 12_480,
        "open_runs": 1,
        "runs_24h": 96,
        "failures_24h": 3,
        "requests": 41_233,
        "rate_limited": 0,
        "hours": tuple((index * 7) % 9 for index in range(24)),
        "backfill": None,
    }
    return AccountSummary(**facts | changes)


ACCOUNTS = (
    make_account(),
    make_account(
        "acme-emea",
        account_id=81200,
        origin="https://emea.dbt.com",
        sentence="History is being copied.",
        status="new",
        runs=430,
        runs_24h=12,
        failures_24h=0,
        hours=(0,) * 18 + (2, 3, 1, 0, 4, 2),
        backfill=BackfillProgress(runs_done=430, runs_found=1290, seconds_left=95.0, share=1 / 3),
    ),
    make_account(
        "sandbox",
        account_id=5,
        status="rejected",
        sentence="The token no longer works: dbt Cloud answered 401 since 09:12. Replace the token.",
        last_success_at=NOW - timedelta(hours=2, minutes=52),
        lag_seconds=10_320.0,
        last_run_status="error",
        last_run_at=NOW - timedelta(hours=3),
        runs_24h=0,
        failures_24h=0,
        hours=(0,) * 24,
        rate_limited=12,
    ),
)


def make_run(run_id: int = 300_412_977, **changes) -> RunSummary:
    return RunSummary(**_run_facts(run_id) | changes)


def _run_facts(run_id: int) -> dict[str, object]:
    created = NOW - timedelta(minutes=(run_id % 97) * 31 + 5)
    return {
        "account": "acme",
        "run_id": run_id,
        "job_id": 12,
        "job_name": "nightly",
        "project_id": 3,
        "project_name": "storefront",
        "environment_id": 9,
        "environment_name": "Production",
        "status": "success",
        "created_at": created,
        "started_at": created + timedelta(seconds=6),
        "finished_at": created + timedelta(seconds=198),
        "elapsed_seconds": 192.0,
        "queued_seconds": 6.0,
        "trigger": "scheduled",
        "retrying_run_id": None,
        "observed_by": ("poll", "sdk"),
        "nodes": {"success": 46, "pass": 112},
        "chain": ChainSummary(first_run_id=run_id, run_ids=(run_id,), attempt=1, outcome="success"),
    }


FAILED = make_run(300_412_980, status="error", nodes={"error": 1, "skipped": 14, "success": 31, "fail": 2, "pass": 88})
RUNNING = make_run(
    300_412_990,
    status="running",
    job_name="hourly",
    created_at=NOW - timedelta(seconds=200),
    started_at=NOW - timedelta(seconds=192),
    finished_at=None,
    elapsed_seconds=None,
    nodes={},
)
RUNS = (
    RUNNING,
    make_run(300_412_988, status="queued", started_at=None, finished_at=None, elapsed_seconds=None, nodes={}),
    FAILED,
    make_run(300_412_981, status="cancelled", trigger="ci", nodes={}, job_name="pull requests"),
    *(make_run(300_412_900 - index, job_name=("nightly", "hourly")[index % 2]) for index in range(40)),
)


def make_bars(days: int = 7, bucket_seconds: int = 21_600) -> tuple[RunBar, ...]:
    size = timedelta(seconds=bucket_seconds)
    whole = int(NOW.timestamp()) // bucket_seconds * bucket_seconds
    last = datetime.fromtimestamp(whole, tz=UTC)
    buckets = int(days * 86_400 / bucket_seconds)
    bars = []
    for index in range(buckets):
        runs = {"success": 14 + (index * 13) % 17, "error": (index * 5) % 4, "cancelled": int(index % 6 == 1)}
        if index in {9, 10, 11}:
            runs = {"error": 11} if index == 9 else {}
        if index == buckets - 1:
            runs = {"success": 5, "running": 1, "queued": 1}
        bars.append(RunBar(starts_at=last - size * (buckets - 1 - index), runs={k: v for k, v in runs.items() if v}))
    return tuple(bars)


def make_open_run(run: RunSummary, usual: float | None) -> OpenRun:
    return OpenRun(**{name: getattr(run, name) for name in RunSummary.__dataclass_fields__}, usual_seconds=usual)


def make_pace(**changes) -> JobPace:
    facts = {
        "account": "acme",
        "job_id": 12,
        "job_name": "nightly",
        "project_name": "storefront",
        "environment_name": "Production",
        "recent_seconds": 97.0,
        "recent_runs": 5,
        "earlier_seconds": 41.0,
        "earlier_runs": 16,
        "is_slowing": True,
        "sentence": "1 min 37 s where it was 41 s.",
        "last_seconds": (41.0,) * 16 + (90.0, 97.0, 99.0, 97.0, 96.0),
    }
    return JobPace(**facts | changes)


PACES = (
    make_pace(),
    make_pace(job_id=13, job_name="hourly", earlier_seconds=None, earlier_runs=2, is_slowing=False, sentence="97 s."),
)
UPCOMING = tuple(
    UpcomingRun(
        account="acme",
        job_id=number,
        job_name=name,
        project_name="storefront",
        environment_name="Production",
        cron="0 * * * *",
        starts_at=NOW + timedelta(minutes=minutes),
        is_overdue=minutes < 0,
        usual_seconds=97.0,
    )
    for number, name, minutes in ((13, "hourly", -64), (12, "nightly", 720))
)
SOURCES = tuple(
    SourceAge(
        unique_id=f"source.storefront.shop.{name}",
        name=f"shop.{name}",
        account="acme",
        project_id=3,
        project_name="storefront",
        environment_id=9,
        environment_name="Production",
        status=status,
        checked_at=NOW - timedelta(minutes=20),
        max_loaded_at=NOW - timedelta(seconds=age),
        age_seconds=age,
        warn_after_seconds=43_200.0,
        error_after_seconds=86_400.0,
        run_id=300_412_980,
    )
    for name, status, age in (("orders", "error", 90_000.0), ("payments", "pass", 600.0))
)


def make_overview(days: int = 7, **changes) -> OverviewReport:
    bars = make_bars(days, {1: 3600, 7: 21_600}.get(days, 86_400))
    statuses = {status for bar in bars for status in bar.runs}
    facts = {
        "sentence": "3 of 108 runs failed in the last 24 hours, and sandbox needs a new token.",
        "days": days,
        "bucket_seconds": {1: 3600, 7: 21_600}.get(days, 86_400),
        "bars": bars,
        "runs_by_status": {status: sum(bar.runs.get(status, 0) for bar in bars) for status in statuses},
        "accounts": ACCOUNTS,
        "incidents": web_incident_reports.make_incidents(),
        "in_progress": tuple(make_open_run(run, 540.0) for run in RUNS[:2]),
        "open_runs": 2,
        "paces": PACES,
        "jobs_slowing": 1,
        "upcoming": UPCOMING,
        "jobs_overdue": 1,
        "sources": SOURCES,
        "sources_by_status": {"error": 1, "pass": 26},
        "failures": (FAILED, make_run(300_412_700, status="error", job_name="hourly", nodes={"fail": 3, "pass": 20})),
        "revision": 41,
        "as_of": NOW,
    }
    return OverviewReport(**facts | changes)


def make_executions(start: datetime) -> tuple[ExecutionSummary, ...]:
    executions = []
    ends = {thread: start + timedelta(seconds=12) for thread in range(1, 5)}
    for index in range(58):
        thread = min(ends, key=ends.__getitem__)
        begin, took = ends[thread], 1.2 + (index * 37 % 23) * 0.55
        ends[thread] = begin + timedelta(seconds=took + 0.2)
        status = {7: "error", 23: "fail", 40: "warn"}.get(index, "pass" if index % 3 else "success")
        kind = "model" if status in {"success", "error"} else "test"
        executions.append(
            ExecutionSummary(
                unique_id=f"{kind}.storefront.fct_orders_{index}",
                name=("fct_orders", "stg_shop__payments", "dim_customers", "int_orders_joined")[index % 4]
                + f"_{index}",
                resource_type=kind,
                step_index=3,
                status=status,
                started_at=begin,
                executing_at=begin + timedelta(seconds=0.3),
                finished_at=ends[thread],
                elapsed_seconds=took,
                thread=f"Thread-{thread} (worker)",
                message='Database Error in model\n  column "amount" does not exist' if status == "error" else None,
                failures=3 if status == "fail" else None,
                rows_affected=index * 1000 if kind == "model" else None,
                is_failed=status in {"error", "fail"},
                is_critical=index in {0, 5, 7, 22, 41, 56},
            )
        )
    return tuple(executions)


SALES_TASK = AirflowSummary(
    dag_id="sales",
    task_id="dbt",
    dag_run_id="scheduled__2026-11-20T00:00:00+00:00",
    try_number=1,
    map_index=None,
    logical_date="2026-11-20T00:00:00+00:00",
    owner="data",
    url="https://airflow.example/dags/sales/runs/scheduled__2026-11-20T00%3A00%3A00%2B00%3A00/tasks/dbt?try_number=1",
)


def make_run_report(**changes) -> RunReport:
    facts = _run_facts(300_412_980)
    start = facts["started_at"]
    step = {"status": "success", "command": None, "log": None}
    facts |= {
        "status": "error",
        "nodes": FAILED.nodes,
        "elapsed_seconds": 128.0,
        "sentence": "nightly failed after 2 min 8 s. fct_orders_7 failed: column amount does not exist.",
        "status_message": None,
        "dbt_version": "1.11.2",
        "git_branch": "main",
        "git_sha": "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
        "cause": "the schedule 0 5 * * *",
        "airflow_sentence": "It was triggered by DAG sales, task dbt, try 1.",
        "airflow": SALES_TASK,
        "pull_request_id": None,
        "href": "https://cloud.getdbt.com/deploy/70471/projects/3/runs/300412980",
        "steps": (
            StepSummary(
                **step | {"log": "Cloning…\nDone."},
                index=1,
                name="Clone git repository",
                started_at=start,
                finished_at=start + timedelta(seconds=5),
                elapsed_seconds=5.0,
            ),
            StepSummary(
                **step,
                index=2,
                name="Invoke dbt with `dbt deps`",
                started_at=start + timedelta(seconds=5),
                finished_at=start + timedelta(seconds=12),
                elapsed_seconds=7.0,
            ),
            StepSummary(
                **step | {"status": "error", "log": "06:02:11  Running with dbt=1.11.2\n" * 40},
                index=3,
                name="Invoke dbt with `dbt build`",
                started_at=start + timedelta(seconds=12),
                finished_at=start + timedelta(seconds=128),
                elapsed_seconds=116.0,
            ),
        ),
        "executions": make_executions(start),
        "critical_path": ("model.storefront.fct_orders_0",),
        "freshness": (
            FreshnessSummary(
                unique_id="source.storefront.shop.orders",
                name="shop.orders",
                status="error",
                max_loaded_at=NOW - timedelta(hours=9),
                age_seconds=32_400.0,
                message=None,
            ),
        ),
        "artifacts": (
            ArtifactSummary(step_index=3, path="manifest.json", state="stored", reason="", size_bytes=1_843_200),
            ArtifactSummary(step_index=3, path="run_results.json", state="stored", reason="", size_bytes=88_120),
            ArtifactSummary(
                step_index=3,
                path="catalog.json",
                state="absent",
                reason="The job does not generate docs.",
                size_bytes=None,
            ),
        ),
        "observations": (
            ObservationSummary(way="poll", first_seen_at=NOW - timedelta(minutes=8)),
            ObservationSummary(
                way="sdk",
                first_seen_at=NOW - timedelta(minutes=7),
                airflow="DAG sales, task dbt, try 1",
                task=SALES_TASK,
            ),
        ),
        "supplied_by": {"poll": ("job_id", "status", "step 1"), "sdk": ("git_sha",)},
        "chain": ChainSummary(
            first_run_id=300_412_970, run_ids=(300_412_970, 300_412_980, 300_412_985), attempt=2, outcome="success"
        ),
        "attempts": (
            AttemptSummary(run_id=300_412_970),
            AttemptSummary(run_id=300_412_980, status="error", created_at=start),
            AttemptSummary(run_id=300_412_985, status="success", created_at=start + timedelta(minutes=20)),
        ),
        "amendments": (AmendmentSummary(from_status="success", to_status="error", way="poll", noticed_at=NOW),),
        "completeness": "Complete. 3 steps stored. 2 artifacts stored. 1 artifact absent: catalog.json of step 3.",
        "is_complete": True,
        "as_of": NOW,
        "causes": (
            RunCauseSummary(
                kind="package_changed",
                subject="dbt_utils",
                unique_id=None,
                about="dbt_utils",
                confidence=0.89,
                sentence="Package changed (dbt_utils): fct_orders and 1 more failed; 3 skipped because of it.",
                evidence=("The package dbt_utils was changed: <b>between</b> run 7 and run 8.",),
                failed=("model.storefront.fct_orders", "model.storefront.dim_customers"),
                skipped=tuple(f"model.storefront.below_{number}" for number in range(3)),
            ),
            RunCauseSummary(
                kind="data_changed",
                subject="shop.orders",
                unique_id="source.storefront.shop.orders",
                about=None,
                confidence=0.64,
                sentence="Data changed (shop.orders): not_null_orders_id failed.",
                evidence=("The data below not_null_orders_id are other than they were. 7 rows fail now.",),
                failed=("test.storefront.not_null_orders_id",),
                skipped=(),
            ),
        ),
    }
    return RunReport(**facts | changes)


def make_jobs(days: int = 7) -> JobsReport:
    def make(number: int, name: str, **changes) -> JobSummary:
        facts = {
            "account": "acme",
            "job_id": number,
            "job_name": name,
            "project_name": "storefront",
            "environment_name": "Production",
            "cron": "0 5 * * *",
            "is_deleted": False,
            "last_run_id": 300_412_980,
            "last_status": "success",
            "last_run_at": NOW - timedelta(hours=number),
            "runs": 7 * number,
            "success_share": 0.97,
            "chains": 6 * number,
            "chain_success_share": 0.99,
            "elapsed_seconds_p50": 192.0,
            "elapsed_seconds_p90": 260.0,
            "strip": ("success",) * 17 + ("error", "success", "cancelled", "success"),
        }
        return JobSummary(**facts | changes)

    jobs = (
        make(
            12,
            "nightly",
            last_status="error",
            success_share=0.81,
            is_slowing=True,
            runs_due=7,
            runs_missed=1,
            pace="192 s where it was 150 s, the medians of its last 5 runs and of the 20 before: 28 % longer.",
        ),
        make(13, "hourly", cron="0 * * * *", last_status="running", runs_due=168, runs_missed=3, is_overdue=True),
        make(14, "pull requests", cron=None, last_status=None, last_run_at=None, runs=0, success_share=None, strip=()),
    )
    return JobsReport(jobs=jobs, days=days, as_of=NOW)


def make_job(days: int = 30, **changes) -> JobReport:
    """The nightly job, which ran once a day for a week, failed on the fourth and gets slower."""
    (nightly, *_) = make_jobs(days).jobs
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    marks = tuple(
        JobMark(
            run_id=300_412_900 + day,
            status="error" if day == 3 else "success",
            at=midnight - timedelta(days=6 - day, hours=-5),
            elapsed_seconds=60.0 + 20 * day,
        )
        for day in range(7)
    )
    facts = {
        **{name: getattr(nightly, name) for name in JobSummary.__dataclass_fields__},
        "sentence": "nightly failed at its last run, 7 h ago; 81% of its 84 runs in 30 days succeeded.",
        "days": days,
        "bucket_seconds": 86_400,
        "project_id": 3,
        "environment_id": 9,
        "commands": ("dbt build", "dbt docs generate"),
        "pace": "97 s where it was 41 s, the medians of its last 5 runs and of the 16 before: 137 % longer.",
        "is_slowing": True,
        "marks": marks,
        "by_day": tuple(
            JobDay(
                starts_at=mark.at - timedelta(hours=5),
                runs={mark.status: 1},
                elapsed_seconds_p10=None if mark.status == "error" else mark.elapsed_seconds,
                elapsed_seconds_p50=None if mark.status == "error" else mark.elapsed_seconds,
                elapsed_seconds_p90=None if mark.status == "error" else mark.elapsed_seconds,
            )
            for mark in marks
        ),
        "schedule": ScheduleReport(
            cron="0 5 * * *",
            since=NOW - timedelta(days=30),
            moments=30,
            missed=(NOW - timedelta(days=9),),
            next_at=NOW + timedelta(hours=17),
            is_overdue=False,
            sentence="1 of 30 runs that the schedule asked for did not begin within an hour.",
        ),
        "last_runs": tuple(make_run(300_412_900 + day) for day in range(6, -1, -1)),
        "builds": (
            JobNode(
                unique_id="model.storefront.fct_orders",
                name="fct_orders",
                resource_type="model",
                elapsed_seconds=41.0,
                rows_affected=1_200_000,
            ),
        ),
        "builds_run_id": 300_412_906,
        "as_of": NOW,
    }
    return JobReport(**facts | changes)


def make_started(account: str, run_id: int, **changes) -> StartedRun:
    facts = {
        "account": account,
        "run_id": run_id,
        "job_id": 12,
        "status": "queued",
        "retrying_run_id": None,
        "sentence": f"dbt Cloud began run {run_id}.",
        "as_of": NOW,
    }
    return StartedRun(**facts | changes)


def make_runs(limit: int, offset: int) -> RunsReport:
    return RunsReport(total=1204, runs=RUNS[:limit], as_of=NOW)


def make_accounts() -> AccountsReport:
    return AccountsReport(accounts=ACCOUNTS, as_of=NOW)


def make_account_report(name: str, **changes) -> AccountReport:
    """An account that follows one of two projects, with a name on the longer side."""
    things = (
        FilterThing(id=1, name="Finance", place=None, is_named=True, is_followed=True, is_deleted=False),
        FilterThing(id=2, name="A" * 90, place="Storefront", is_named=False, is_followed=False, is_deleted=True),
    )
    nothing = tuple(replace(thing, is_named=False) for thing in things)
    return AccountReport(
        account=make_account(name, follows="Follows project Finance.", **changes),
        with_ci=True,
        choices=(
            FilterChoice(kind="project", is_exclusion=False, things=things),
            FilterChoice(kind="environment", is_exclusion=False, things=nothing),
            FilterChoice(kind="job", is_exclusion=True, things=things),
        ),
        history_from=NOW,
        as_of=NOW,
        passes=(
            make_pass(passes=42, requests=84),
            make_pass(60, runs_new=3, runs_updated=1, artifacts_stored=6, requests=19),
            make_pass(120, requests=1, rate_limited=1, error="cloud.getdbt.com was asked too often (429)."),
        ),
    )


def make_pass(minutes_ago: int = 0, **changes) -> SyncPassSummary:
    facts = {
        "began_at": NOW - timedelta(minutes=minutes_ago + 50),
        "ended_at": NOW - timedelta(minutes=minutes_ago),
        "passes": 1,
        "requests": 2,
        "rate_limited": 0,
        "runs_new": 0,
        "runs_updated": 0,
        "artifacts_stored": 0,
        "error": "",
    }
    return SyncPassSummary(**facts | changes)
