"""The program: its families of commands, and where errors become sentences."""

from __future__ import annotations

import os
import sys

import typer

from headwater.cli import (
    accounts,
    aliases,
    audit,
    dbt,
    demo,
    following,
    incidents,
    matching,
    nodes,
    runs,
    serving,
    syncing,
    tokens,
    users,
    verdicts,
    warehouses,
    webhooks,
)
from headwater.cli.printing import console_errors
from headwater.errors import Ambiguous, CheckFailed, ConfigurationInvalid, HeadwaterError

app = typer.Typer(
    name="headwater",
    help="Says why a dbt table is late, wrong or gone, and what that reaches.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
following.add_commands(accounts.app)
webhooks.add_commands(accounts.app)
aliases.add_commands(accounts.app)
app.add_typer(accounts.app, name="account")
app.add_typer(warehouses.app, name="warehouse")
app.add_typer(tokens.app, name="token")
app.add_typer(users.app, name="user")
app.add_typer(incidents.app, name="incident")
for family in (runs, nodes, verdicts, incidents, matching, syncing, dbt, serving, audit, demo):
    family.add_commands(app)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit status; an error becomes one sentence on standard error."""
    try:
        result = app(args=arguments, standalone_mode=False)
    except HeadwaterError as error:
        explain(error)
        return error.exit_status
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        console_errors().print("Stopped.")
        return 130
    except typer.TyperException as error:
        console_errors().print(error.format_message(), markup=False)
        return 2
    except (BrokenPipeError, SystemExit):
        # Typer and Rich end so where whoever read our output has enough; the rest of it must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def explain(error: HeadwaterError) -> None:
    """Say what happened and what to do next."""
    console = console_errors()
    if isinstance(error, ConfigurationInvalid):
        for fault in error.faults:
            console.print(fault, markup=False)
        return
    if isinstance(error, CheckFailed):
        for line in error.lines:
            console.print(line, markup=False)
        console.print(error.hint, markup=False)
        return
    console.print(str(error), markup=False)
    if isinstance(error, Ambiguous):
        for candidate in error.candidates:
            console.print(f"  {candidate}", markup=False)
