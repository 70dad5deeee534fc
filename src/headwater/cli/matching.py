"""`headwater match TABLE`."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table
from headwater.errors import WrongUse
from headwater.observatory import overrides
from headwater.observatory.matching import MatchReport, match_table


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("match")(match)


def match(
    table: Annotated[str, typer.Argument(help="A table's name, however the warehouse or a person writes it.")],
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project, by name or id.")] = None,
    environment: Annotated[
        str | None, typer.Option(help="Answer from this environment, by name or id; production if left out.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Say that the table is this node, by its unique_id.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what was said with --to.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the node that builds or declares a warehouse table, with the reason and how sure that is."""
    if to is not None and forget:
        raise WrongUse("--to and --forget do not go together.")
    with opened() as observatory:
        if to is not None:
            report = overrides.set_override(
                observatory, table, to, account=account, project=project, environment=environment
            )
        else:
            ask = overrides.forget_override if forget else match_table
            report = ask(observatory, table, account=account, project=project, environment=environment)
    if as_json:
        print_json(report)
    else:
        _print_match(report)


def _print_match(report: MatchReport) -> None:
    out = console()
    out.print(report.sentence, style="bold", markup=False)
    if report.matches:
        print_table(
            ("confidence", "node", "relation", "project", "environment", "why"),
            (
                (
                    f"{row.confidence:.2f}",
                    row.unique_id,
                    row.relation,
                    row.project or "",
                    row.environment or "",
                    row.reason,
                )
                for row in report.matches
            ),
            right=("confidence",),
            wraps=("node", "relation", "why"),
            optional=("environment", "project", "relation"),
        )
    for near in report.near:
        out.print(f"near: {near.unique_id}. {near.reason}", markup=False)
    for seen in report.warehouses:
        rows = f", {seen.row_count:,} rows" if seen.row_count is not None else ""
        out.print(f"in {seen.warehouse}: {seen.kind} {seen.relation}{rows}", markup=False)
