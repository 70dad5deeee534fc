"""`headwater account webhook`: let dbt Cloud announce an account's runs."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json
from headwater.errors import WrongUse
from headwater.observatory.webhooks import WebhookReport, get_webhook, subscribe, unsubscribe


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program's `account`."""
    app.command("webhook")(webhook)


def webhook(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    public_url: Annotated[
        str | None, typer.Option(help="Where dbt Cloud reaches the web application, as https://headwater.example.com.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="End the subscription.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Let dbt Cloud announce runs, so that they are read at once; without an option, say how it stands."""
    if remove and public_url is not None:
        raise WrongUse("--remove and --public-url do not go together.")
    with opened() as observatory:
        if remove:
            unsubscribe(observatory, name)
        report = get_webhook(observatory, name) if public_url is None else subscribe(observatory, name, public_url)
    if as_json:
        print_json(report)
    else:
        _say(report)
    raise typer.Exit(1 if report.arrived is False else 0)


def _say(report: WebhookReport) -> None:
    out = console()
    out.print(report.sentence, markup=False)
    if report.url is not None:
        out.print(f"dbt Cloud calls {report.url}", markup=False)
    if report.waiting and report.arrived is None:
        out.print(f"{report.waiting} announcements wait to be read; is the monitor running?", markup=False)
    if report.arrived:
        out.print("A trial of dbt Cloud arrived.")
    elif report.arrived is False:
        out.print("A trial of dbt Cloud did not arrive. Is the web application up, and does that address lead to it?")
