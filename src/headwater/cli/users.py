"""`headwater user …`: who may log in to the web application, and as what."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headwater.cli.opening import ask_password, opened
from headwater.cli.printing import console, print_json, print_table, say_time
from headwater.cli.serving import say_link
from headwater.errors import WrongUse
from headwater.observatory import users
from headwater.observatory.access import Role
from headwater.observatory.sessions import create_invitation

app = typer.Typer(help="Who may log in to the web application.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name; a mail address will do.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="An account that is seen; may be given again.")]
WhichRole = Annotated[Role, typer.Option(help="viewer sees, operator also acts, admin also administers.")]


@app.command("add")
def add(
    name: Name,
    role: WhichRole = Role.VIEWER,
    account: Accounts = None,
    password_stdin: FromStdin = False,
    invite: Annotated[bool, typer.Option("--invite", help="Print a link instead; it lets in once, for a day.")] = False,
) -> None:
    """Add a user: asks for a password without echo, or prints an invitation."""
    with opened() as observatory:
        password = None if invite else ask_password(from_stdin=password_stdin)
        user = users.add_user(observatory, name, role, password, accounts=account or None)
        console().print(f"{user.name} is added as {user.role}.")
        if invite:
            say_link(observatory, create_invitation(observatory, user.name), "Hand on, good once, for a day")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the users."""
    with opened() as observatory:
        report = users.list_users(observatory)
    if as_json:
        print_json(report)
        return
    rows = (
        (
            user.name,
            user.role if user.accounts is None else f"{user.role}, {', '.join(user.accounts)} only",
            "disabled" if user.is_disabled else user.signs_in_with,
            say_time(user.last_login_at) or "never",
            str(user.sessions),
            say_time(user.created_at),
        )
        for user in report.users
    )
    columns = ("name", "role", "logs in with", "last login", "sessions", "added")
    print_table(
        columns, rows, right=("sessions",), wraps=("name", "role", "logs in with"), optional=("added", "sessions")
    )


@app.command("set-password")
def set_password(name: Name, password_stdin: FromStdin = False) -> None:
    """Set a user's password, asked for without echo; it is logged out everywhere."""
    with opened() as observatory:
        users.set_password(observatory, name, ask_password(from_stdin=password_stdin))
    console().print(f"The password of {name} is set.")


@app.command("set-role")
def set_role(name: Name, role: Annotated[Role, typer.Argument(help="viewer, operator or admin.")]) -> None:
    """Give a user another role; it is logged out everywhere."""
    with opened() as observatory:
        users.set_role(observatory, name, role)
    console().print(f"{name} is {role} now.")


@app.command("set-accounts")
def set_accounts(
    name: Name,
    account: Accounts = None,
    every: Annotated[bool, typer.Option("--all", help="Every account, also those that are connected later.")] = False,
) -> None:
    """Limit a user to some accounts, or to none with --all; it is logged out everywhere."""
    if bool(account) is every:
        raise WrongUse("Name the accounts that are seen with --account, or say --all.")
    with opened() as observatory:
        users.set_accounts(observatory, name, account)
    console().print(f"{name} sees {', '.join(account) if account else 'every account'} now.", markup=False)


@app.command("disable")
def disable(name: Name) -> None:
    """Let a user in no more, from now on."""
    with opened() as observatory:
        users.disable_user(observatory, name)
    console().print(f"{name} is disabled.")


@app.command("enable")
def enable(name: Name) -> None:
    """Let a user in again."""
    with opened() as observatory:
        users.enable_user(observatory, name)
    console().print(f"{name} may come in again.")


@app.command("remove")
def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove a user, who is logged out everywhere. API tokens it created stay; the audit log keeps its name."""
    if not yes and not sys.stdin.isatty():
        raise WrongUse(f"There is no terminal to ask on whether to remove {name}.", hint="Say so with --yes.")
    with opened() as observatory:
        if not yes:
            typer.confirm(f"Remove the user {name}?", abort=True)
        removed = users.remove_user(observatory, name)
    console().print(f"{removed.name} is removed.")
    if removed.tokens:
        console().print(f"API tokens it created still let in: {', '.join(removed.tokens)}.", markup=False)
