"""`headwater token …`: API tokens of this installation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table, say_time
from headwater.observatory import access

app = typer.Typer(help="API tokens of this installation.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call the token.")],
    role: Annotated[access.Role, typer.Option(help="What it may do; ingest may only submit runs.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never if left out.")] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="An account it sees, or hands in runs of; may be given again. Else every one."),
    ] = None,
    account_id: Annotated[
        int | None,
        typer.Option(min=1, help="For the role ingest: dbt Cloud's id of an account, which need not be connected yet."),
    ] = None,
) -> None:
    """Make an API token and print it, this once."""
    with opened() as observatory:
        lifetime = timedelta(days=days) if days is not None else None
        _, secret = access.create_token(
            observatory, name, role, lifetime=lifetime, accounts=account or None, account_id=account_id
        )
    typer.echo(secret.reveal())


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the API tokens, without what would let anybody in."""
    with opened() as observatory:
        tokens = access.list_tokens(observatory)
    if as_json:
        print_json({"tokens": tokens})
        return
    rows = (
        (
            row.name,
            row.role if row.accounts is None else f"{row.role}, {', '.join(row.accounts)} only",
            f"{row.prefix}…",
            say_time(row.created_at),
            say_time(row.last_used_at),
            "revoked" if row.is_revoked else say_time(row.expires_at) or "never",
        )
        for row in tokens
    )
    print_table(
        ("name", "role", "token", "created", "last used", "expires"), rows, wraps=("name",), optional=("created",)
    )


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """Let a token in no more, from now on."""
    with opened() as observatory:
        access.revoke_token(observatory, name)
    console().print(f"{name} was revoked.")
