"""`headwater account alias`: the other addresses of an account."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json
from headwater.observatory.aliases import add_alias, remove_alias


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program's `account`."""
    app.command("alias")(alias)


def alias(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    host: Annotated[str, typer.Argument(help="Another address of it, as cloud.getdbt.com.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the address from the account again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take what comes under another address for the account's, by its id; its token is never sent there."""
    with opened() as observatory:
        report = (remove_alias if remove else add_alias)(observatory, name, host)
    if as_json:
        print_json(report)
        return
    others = ", ".join(report.aliases)
    console().print(
        f"{report.account} is {report.origin}{f', also known as {others}' if others else ''}.", markup=False
    )
