"""`headwater account …`: connect, check and remove dbt Cloud accounts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headwater.cli.opening import ask_token, opened
from headwater.cli.printing import console, console_errors, print_json, print_table, say_status, say_time
from headwater.errors import WrongUse
from headwater.observatory import accounts
from headwater.observatory.reports import CheckReport

app = typer.Typer(help="Connect, check and remove dbt Cloud accounts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
FromStdin = Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call the account.")],
    account_id: Annotated[int, typer.Option(help="dbt Cloud's number of the account.")],
    url: Annotated[str, typer.Option(help="The account's address, as https://ab123.us1.dbt.com.")],
    token_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Connect an account: asks for its token without echo, tries it, and saves it sealed."""
    with opened() as observatory:
        token = ask_token(from_stdin=token_stdin)
        summary, check = accounts.add_account(
            observatory, name, account_id=account_id, url=url, token=token, allow_private=True
        )
    if as_json:
        print_json(summary)
        return
    print_check(check)
    console().print(f"{name} is connected. Copy its history with 'headwater sync', follow it with 'headwater up'.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the accounts with their status."""
    with opened() as observatory:
        report = accounts.list_accounts(observatory)
    if as_json:
        print_json(report)
        return
    columns = ("account", "status", "what", "follows", "last run", "runs 24 h", "failed 24 h", "runs", "token")
    rows = (
        (
            row.account,
            say_status(row.status),
            row.sentence,
            row.follows,
            say_time(row.last_run_at),
            str(row.runs_24h),
            str(row.failures_24h),
            str(row.runs),
            f"…{row.token_hint}" if row.token_hint else "",
        )
        for row in report.accounts
    )
    print_table(
        columns,
        rows,
        right=("runs 24 h", "failed 24 h", "runs"),
        wraps=("account", "what", "follows"),
        optional=("token", "follows", "runs", "last run"),
    )
    for fault in report.inbox.faults:
        console_errors().print(
            f"Accepted {say_time(fault.accepted_at)}, not stored yet: {fault.what}. {fault.error}", markup=False
        )


@app.command("check")
def check(name: Name, as_json: AsJson = False) -> None:
    """Try an account's token, permission by permission; exit status 1 where something is missing."""
    with opened() as observatory:
        report = accounts.check_account(observatory, name)
    if as_json:
        print_json(report)
    else:
        print_check(report)
    raise typer.Exit(0 if report.is_usable else 1)


@app.command("set-token")
def set_token(name: Name, token_stdin: FromStdin = False) -> None:
    """Replace an account's token; one that does not work replaces nothing."""
    with opened() as observatory:
        report = accounts.set_token(observatory, name, ask_token(from_stdin=token_stdin))
    print_check(report)
    console().print(f"The token of {name} was replaced.")


@app.command("remove")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an account with everything that was stored of it, and its webhook at dbt Cloud."""
    if not yes and not sys.stdin.isatty():
        raise WrongUse(f"There is no terminal to ask on whether to remove {name}.", hint="Say so with --yes.")
    with opened() as observatory:
        if not yes:
            typer.confirm(f"Remove {name} and everything stored of it?", abort=True)
        note = accounts.remove_account(observatory, name)
    console().print(f"{name} was removed.")
    if note:
        console_errors().print(note, markup=False)


def print_check(report: CheckReport) -> None:
    """Print a check line by line."""
    shapes = {True: ("●", "green"), False: ("✕", "red"), None: ("○", "dim")}
    for line in report.lines:
        shape, style = shapes[line.ok]
        console().print(f"[{style}]{shape}[/{style}]", end=" ")
        console().print(f"{line.sentence} {line.hint}".rstrip(), markup=False)
