"""`headwater account show|filter|pause|resume`: what is followed of an account."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table, say_status, say_time
from headwater.model.filter import Kind
from headwater.observatory.filtering import FilterWish, KindWish
from headwater.observatory.following import AccountReport, change_filter, get_account_report, set_followed

Name = Annotated[str, typer.Argument(help="The account's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Only = Annotated[list[str] | None, typer.Option(help="Follow only this one, by name or id; repeat it for more.")]
Without = Annotated[list[str] | None, typer.Option(help="Follow all but this one, by name or id; repeat it for more.")]


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program's `account`."""
    app.command("show")(show)
    app.command("filter")(choose)
    app.command("pause")(pause)
    app.command("resume")(resume)


def show(name: Name, as_json: AsJson = False) -> None:
    """Show an account, and which of its projects, environments and jobs are followed."""
    with opened() as observatory:
        report = get_account_report(observatory, name)
    if as_json:
        print_json(report)
        return
    _say(report)
    columns = ("what", "name", "project", "id", "followed")
    rows = (
        (choice.kind, thing.name, thing.place or "", str(thing.id), _say_thing(thing.is_followed, thing.is_deleted))
        for choice in report.choices
        for thing in choice.things
    )
    print_table(columns, rows, wraps=("name", "project"), optional=("id",))


def choose(
    name: Name,
    project: Only = None,
    not_project: Without = None,
    environment: Only = None,
    not_environment: Without = None,
    job: Only = None,
    not_job: Without = None,
    ci: Annotated[bool | None, typer.Option("--ci/--no-ci", help="Follow CI jobs, or leave them out.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Forget the filter first: follow every run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Choose which runs of an account are followed; a kind that is not named stays as it is."""
    asked = (
        (Kind.PROJECT, project, not_project),
        (Kind.ENVIRONMENT, environment, not_environment),
        (Kind.JOB, job, not_job),
    )
    kinds = (
        KindWish(kind=kind, named=tuple(named or ()), is_exclusion=is_exclusion)
        for kind, only, without in asked
        for named, is_exclusion in ((only, False), (without, True))
    )
    with opened() as observatory:
        wish = FilterWish(kinds=tuple(kinds), with_ci=ci, is_reset=everything)
        _answer(change_filter(observatory, name, wish), as_json=as_json)


def pause(name: Name, as_json: AsJson = False) -> None:
    """Pause an account: dbt Cloud is not asked for it; what is stored stays."""
    with opened() as observatory:
        _answer(set_followed(observatory, name, is_paused=True), as_json=as_json)


def resume(name: Name, as_json: AsJson = False) -> None:
    """Let a paused account go on where it stopped; what was missed is caught up."""
    with opened() as observatory:
        _answer(set_followed(observatory, name, is_paused=False), as_json=as_json)


def _answer(report: AccountReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        _say(report)


def _say(report: AccountReport) -> None:
    account, out = report.account, console()
    out.print(say_status(account.status), account.sentence, sep="  ")
    out.print(account.follows or "No run is followed.", markup=False)
    if report.history_from is not None:
        out.print(f"History since {say_time(report.history_from)}; {account.runs} runs are stored.")
    for note in report.notes:
        out.print(note, markup=False)


def _say_thing(is_followed: bool, is_deleted: bool) -> str:
    return ("yes" if is_followed else "no") + (", deleted" if is_deleted else "")
