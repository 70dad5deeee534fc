"""`headwater sync`, `headwater collect`, `headwater ingest`, `headwater check`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from headwater.cli.accounts import print_check
from headwater.cli.opening import ask_token, opened
from headwater.cli.printing import console, console_errors, print_json, say_counts
from headwater.config import read_settings
from headwater.observatory.accounts import get_account_summary
from headwater.observatory.checking import check_everything
from headwater.observatory.collecting import ingest as ingest_target
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import SyncReport
from headwater.observatory.syncing import sync_accounts
from headwater.sdk import Outcome, collect_data_from_dbt_cloud
from headwater.sdk.airflow import find_airflow_context

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_FAULTS_SHOWN = 10


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("sync")(sync)
    app.command("collect")(collect)
    app.command("ingest")(ingest)
    app.command("check")(check)


def sync(
    account: Annotated[str | None, typer.Option(help="Only this account, by name.")] = None,
    days: Annotated[int | None, typer.Option(min=0, max=365, help="Copy the history of so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Copy what is new, and the history that is missing, then end."""
    with opened() as observatory:
        report = sync_with_progress(observatory, account=account, days=days)
    if as_json:
        print_json(report)
    else:
        console().print(
            f"{report.runs_new} new runs, {report.runs_updated} updated, {report.artifacts_stored} artifacts, "
            f"{report.requests} requests, {report.seconds:.1f} s."
        )
        for fault in report.faults[:_FAULTS_SHOWN]:
            console_errors().print(fault, markup=False)
        if len(report.faults) > _FAULTS_SHOWN:
            console_errors().print(f"… and {len(report.faults) - _FAULTS_SHOWN} more; --json has them all.")
    raise typer.Exit(3 if report.accounts_failed else 0)


def sync_with_progress(observatory: Observatory, *, account: str | None, days: int | None) -> SyncReport:
    """Sync with a progress bar for each account on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console_errors(), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, _report: object) -> None:
            backfill = get_account_summary(observatory, name).backfill
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            if backfill is None:
                known = bars.tasks[tasks[name]].total
                bars.update(tasks[name], completed=known)
            else:
                bars.update(tasks[name], completed=backfill.runs_done, total=backfill.runs_found)

        return sync_accounts(observatory, account=account, days=days, progress=show)


def collect(
    account_id: Annotated[int, typer.Option(help="dbt Cloud's number of the account.")],
    run_id: Annotated[int, typer.Option(help="dbt Cloud's number of the run.")],
    url: Annotated[str, typer.Option(help="dbt Cloud's address.")] = "https://cloud.getdbt.com",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run is over.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 300.0,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    as_json: AsJson = False,
) -> None:
    """Collect one run and send it to HEADWATER_URL: the SDK's call as a command."""
    token = ask_token(from_stdin=token_stdin)
    result = collect_data_from_dbt_cloud(account_id, token.reveal(), run_id, url, wait=wait, timeout=timeout)
    if as_json:
        print_json(result)
    elif result.outcome is not Outcome.FAILED:
        console().print(f"Run {run_id} ({result.status}) with {result.artifacts} artifacts: {result.outcome}.")
    raise typer.Exit(3 if result.outcome is Outcome.FAILED else 0)


def ingest(
    path: Annotated[Path, typer.Argument(help="dbt's target folder, or the project's folder around it.")],
    project: Annotated[str | None, typer.Option(help="The project's name; the manifest's if left out.")] = None,
    environment: Annotated[str | None, typer.Option(help="The environment's name; 'local' if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a dbt target folder: dbt Core, CI, any engine."""
    with opened() as observatory:
        airflow = find_airflow_context(os.environ)
        report = ingest_target(observatory, path, project=project, environment=environment, airflow=airflow)
    if as_json:
        print_json(report)
        return
    out = console()
    out.print(f"dbt {report.command or '?'} · dbt {report.dbt_version or '?'} · {report.invocation_id or ''}")
    out.print(f"nodes: {say_counts(report.nodes) or 'none'}; {report.edges} edges, {report.dangling_edges} dangling")
    out.print(f"executions: {say_counts(report.executions) or 'none'}")
    for task in {one.airflow for one in report.invocations if one.airflow}:
        out.print(f"ran in {task}", markup=False)
    if report.freshness:
        out.print(f"freshness: {say_counts(report.freshness)}")
    for warning in report.warnings:
        console_errors().print(warning, markup=False)


def check(as_json: AsJson = False) -> None:
    """Try configuration, database and accounts; every fault comes with a hint."""
    report = check_everything(read_settings())
    if as_json:
        print_json(report)
    else:
        print_check(report)
    raise typer.Exit(0 if report.is_usable else 1)
