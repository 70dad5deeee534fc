"""`headwater audit`: who did what."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table, say_time
from headwater.observatory.audit import find_audit_break, list_audit


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("audit")(audit)


def audit(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many events, newest first.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only those before the event of this number.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Prove that nothing was changed or taken away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List who logged in and changed users, tokens or accounts; with --verify, exit status 1 where it was altered."""
    with opened() as observatory:
        if verify:
            _verify(find_audit_break(observatory))
            return
        report = list_audit(observatory, limit=limit, before=before)
    if as_json:
        print_json(report)
        return
    rows = (
        (str(event.number), say_time(event.happened_at), event.actor, event.action, event.subject, event.detail,
         event.address)
        for event in report.events
    )  # fmt: skip
    columns = ("number", "time", "who", "did what", "to", "detail", "from")
    print_table(columns, rows, right=("number",), wraps=("to",), optional=("from", "number", "detail"))


def _verify(broken: int | None) -> None:
    if broken is None:
        console().print("The audit log is whole.")
        return
    console().print(f"The audit log was altered at event {broken}, or made with another key.")
    raise typer.Exit(1)
