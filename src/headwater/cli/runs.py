"""`headwater runs`, `headwater run ID`, `headwater jobs`."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import (
    console,
    print_json,
    print_table,
    read_time,
    say_counts,
    say_status,
    say_time,
)
from headwater.observatory import jobs as jobs_family
from headwater.observatory import runs as runs_family
from headwater.observatory.node_reports import ChangesReport
from headwater.observatory.reports import RunReport
from headwater.observatory.sentences import say_span

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Account = Annotated[str | None, typer.Option(help="Only this account, by name.")]


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("runs")(runs)
    app.command("run")(run)
    app.command("jobs")(jobs)


def runs(
    account: Account = None,
    project: Annotated[str | None, typer.Option(help="Only this project, by name or id.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this environment, by name or id.")] = None,
    job: Annotated[str | None, typer.Option(help="Only this job, by name or id.")] = None,
    status: Annotated[str | None, typer.Option(help="Only these statuses, separated by commas.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Only this cause: scheduled, api, ci, ui, rerun, …")] = None,
    since: Annotated[str | None, typer.Option(help="Only runs created from this time on, as 2026-01-31T06:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Only runs created before this time.")] = None,
    text: Annotated[str | None, typer.Option(help="Only runs whose job's name has this, or with this id.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many to print; 0 prints all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List job runs, newest first."""
    wanted = runs_family.RunFilter(
        account=account,
        project=project,
        environment=environment,
        job=job,
        status=status,
        trigger=trigger,
        created_from=read_time(since),
        created_to=read_time(until),
        text=text,
    )
    with opened() as observatory:
        report = runs_family.list_runs(observatory, wanted, limit=limit or None)
    if as_json:
        print_json(report)
        return
    columns = ("run", "account", "job", "attempt", "status", "created", "queued", "took", "trigger", "nodes", "seen by")
    rows = (
        (
            str(row.run_id),
            row.account,
            row.job_name or str(row.job_id or ""),
            f"{row.chain.attempt} of {len(row.chain.run_ids)}" if len(row.chain.run_ids) > 1 else "",
            say_status(row.status),
            say_time(row.created_at),
            say_span(row.queued_seconds, unknown=""),
            say_span(row.elapsed_seconds, unknown=""),
            row.trigger or "",
            say_counts(row.nodes),
            ", ".join(row.observed_by),
        )
        for row in report.runs
    )
    print_table(
        columns,
        rows,
        right=("queued", "took"),
        wraps=("job", "account", "nodes"),
        optional=("seen by", "trigger", "queued", "nodes", "account"),
    )
    console().print(f"{len(report.runs)} of {report.total} runs.")


def run(
    run_id: Annotated[int, typer.Argument(help="dbt Cloud's number of the run.")],
    account: Annotated[str | None, typer.Option(help="The account, where several have the id.")] = None,
    against: Annotated[
        int | None, typer.Option(help="Say what changed since this run, not since the last good run of the job.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show one run: its steps, executions, timings, and what it is missing."""
    with opened() as observatory:
        report = runs_family.get_run(observatory, account, run_id, against)
    if as_json:
        print_json(report)
        return
    _print_run(report)


def jobs(
    account: Account = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="The window of the figures, in days.")] = 7,
    as_json: AsJson = False,
) -> None:
    """List jobs with how they did lately."""
    with opened() as observatory:
        report = jobs_family.list_jobs(observatory, account=account, days=days)
    if as_json:
        print_json(report)
        return
    columns = (
        "job",
        "account",
        "project",
        "environment",
        "schedule",
        "last",
        "runs",
        "success",
        "by chain",
        "p50",
        "p90",
    )
    rows = (
        (
            f"{row.job_name}{' (deleted)' if row.is_deleted else ''}",
            row.account,
            row.project_name or "",
            row.environment_name or "",
            row.cron or "",
            say_status(row.last_status) if row.last_status else "",
            str(row.runs),
            f"{row.success_share:.0%}" if row.success_share is not None else "",
            f"{row.chain_success_share:.0%}" if row.chain_success_share is not None else "",
            say_span(row.elapsed_seconds_p50, unknown=""),
            say_span(row.elapsed_seconds_p90, unknown=""),
        )
        for row in report.jobs
    )
    print_table(
        columns,
        rows,
        right=("runs", "success", "by chain", "p50", "p90"),
        wraps=("job", "account", "project", "environment"),
        optional=("schedule", "environment", "p90", "by chain", "project", "account"),
    )


def _print_run(report: RunReport) -> None:
    out = console()
    out.print(report.sentence, style="bold", markup=False)
    if report.airflow_sentence:
        out.print(report.airflow_sentence, markup=False)
    if report.airflow and report.airflow.url:
        out.print(report.airflow.url, markup=False, soft_wrap=True)
    why = " · ".join(part for part in (report.trigger, report.cause, report.git_branch, report.git_sha) if part)
    if why:
        out.print(why, markup=False)
    print_table(
        ("step", "status", "took", "name"),
        ((str(s.index), say_status(s.status), say_span(s.elapsed_seconds, unknown=""), s.name) for s in report.steps),
        right=("took",),
        wraps=("name",),
    )
    if report.executions:
        print_table(
            ("", "node", "status", "started", "took", "message"),
            (
                (
                    "┃" if row.is_critical else "",
                    row.name,
                    say_status(row.status),
                    say_time(row.started_at),
                    say_span(row.elapsed_seconds, unknown=""),
                    (row.message or "").strip().splitlines()[0] if row.is_failed and row.message else "",
                )
                for row in report.executions
            ),
            right=("took",),
            wraps=("node", "message"),
            optional=("started",),
        )
    for cause in report.causes:
        out.print(cause.sentence, style="bold", markup=False)
        for sentence in cause.evidence:
            out.print(f"   {sentence}", markup=False)
    for row in report.freshness:
        out.print(f"freshness of {row.name}: {row.status}, {say_span(row.age_seconds, unknown='')} old", markup=False)
    for artifact in report.artifacts:
        if artifact.state != "stored":
            out.print(f"step {artifact.step_index} {artifact.path}: {artifact.state}. {artifact.reason}", markup=False)
    _print_changes(report.changes)
    _print_origin(report)


def _print_changes(changes: ChangesReport | None) -> None:
    if changes is None:
        return
    out = console()
    out.print(changes.sentence, markup=False)
    for what, names in (("added", changes.added), ("removed", changes.removed)):
        for name in names:
            out.print(f"  {what} {name}", markup=False)
    for one in changes.changed:
        out.print(f"  changed {one.unique_id}: {', '.join(one.aspects)}", markup=False)
    for macro in changes.macros:
        out.print(f"  {macro.what} {macro.unique_id}, used by {len(macro.used_by)} nodes", markup=False)


def _print_origin(report: RunReport) -> None:
    """Print the attempts, who saw the run when and supplied what, and what is missing."""
    out = console()
    out.print(report.completeness, markup=False)
    if len(report.attempts) > 1:
        tried = " → ".join(f"{one.run_id} {one.status or 'not stored'}" for one in report.attempts)
        out.print(f"attempt {report.chain.attempt} of {len(report.attempts)}: {tried}", markup=False)
    for seen in report.observations:
        airflow = f" in {seen.airflow}" if seen.airflow else ""
        out.print(f"seen by {seen.way}{airflow} at {say_time(seen.first_seen_at)}", markup=False)
    for way, names in report.supplied_by.items() if len(report.supplied_by) > 1 else ():
        out.print(f"supplied by {way}: {', '.join(names)}", markup=False)
    for note in report.amendments:
        changed = f"{note.from_status} became {note.to_status}"
        out.print(f"{changed}, noticed by {note.way} at {say_time(note.noticed_at)}", markup=False)
