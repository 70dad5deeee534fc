"""`headwater warehouse …`: read warehouses, and compare what they hold with what dbt says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, console_errors, print_json, print_table, say_time
from headwater.errors import WrongUse
from headwater.observatory import comparisons, warehouses
from headwater.observatory.comparisons import ComparisonReport

app = typer.Typer(help="Read warehouses, and compare what they hold with what dbt says.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The warehouse's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Project = Annotated[str | None, typer.Option(help="Only this project, by name or id.")]
Environment = Annotated[
    str | None, typer.Option(help="Compare with this environment, by name or id; production if left out.")
]
_SHOWN = 50


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call the warehouse.")],
    account: Annotated[str, typer.Option(help="The account whose dbt builds it; local for what was ingested.")],
    url: Annotated[
        str | None, typer.Option(help="duckdb:///path/to/file.duckdb or postgresql://user@host/database.")
    ] = None,
    url_stdin: Annotated[
        bool, typer.Option("--url-stdin", help="Read the address from standard input: for one with a password.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add a warehouse: reads it once, and saves its address sealed."""
    if (url is None) != url_stdin:
        raise WrongUse("Give the address with either --url or --url-stdin.")
    address = sys.stdin.readline() if url is None else url
    with opened() as observatory:
        summary = warehouses.add_warehouse(observatory, name, account=account, url=address, allow_private=True)
    if url is not None and ":***@" in summary.url:
        console_errors().print(
            "The password stood in the command line, where others on this machine can read it. "
            "Next time pipe the address in with --url-stdin."
        )
    if as_json:
        print_json(summary)
        return
    console().print(f"{summary.warehouse} was added with {summary.tables} tables. {summary.sentence}", markup=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the warehouses with how their last reading went."""
    with opened() as observatory:
        report = warehouses.list_warehouses(observatory)
    if as_json:
        print_json(report)
        return
    rows = (
        (row.warehouse, row.account, row.kind, row.url, str(row.tables), say_time(row.read_at), row.sentence)
        for row in report.warehouses
    )
    columns = ("warehouse", "account", "kind", "address", "tables", "read", "what")
    print_table(columns, rows, right=("tables",), wraps=("address", "what"), optional=("address", "kind"))


@app.command("read")
def read(name: Name, as_json: AsJson = False) -> None:
    """Read a warehouse now, and compare what it holds with what dbt says; a busy one is tried again for 15 seconds."""
    with opened() as observatory:
        report = warehouses.refresh_warehouse(observatory, name)
    _print_comparison(report, as_json=as_json)


@app.command("compare")
def compare(
    name: Name,
    project: Project = None,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Compare what was last read of a warehouse with what dbt says, without reading it again."""
    with opened() as observatory:
        report = comparisons.compare_warehouse(observatory, name, project=project, environment=environment)
    _print_comparison(report, as_json=as_json)


@app.command("catalog")
def catalog(
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    project: Project = None,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Compare what dbt docs generate last found with what dbt says: no access to the warehouse is needed."""
    with opened() as observatory:
        report = comparisons.compare_catalogs(observatory, account=account, project=project, environment=environment)
    _print_comparison(report, as_json=as_json)


@app.command("remove")
def remove(name: Name) -> None:
    """Forget a warehouse, its address and what was read of it."""
    with opened() as observatory:
        warehouses.remove_warehouse(observatory, name)
    console().print(f"{name} was removed.", markup=False)


def _print_comparison(report: ComparisonReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    console().print(report.sentence, style="bold", markup=False)
    lines = [
        *(f"nobody's: {_dotted(row.database, row.schema, row.table)} ({row.kind})" for row in report.unowned),
        *(f"no table: {row.unique_id}, {row.relation}" for row in report.missing),
        *(
            f"column: {row.unique_id} {row.column} is {row.difference}{_say_types(row.declared, row.found)}"
            for row in report.differing
        ),
    ]
    for line in lines[:_SHOWN]:
        console().print(line, markup=False)
    if len(lines) > _SHOWN:
        console().print(f"… and {len(lines) - _SHOWN} more; --json has them all.")


def _dotted(*parts: str | None) -> str:
    return ".".join(part for part in parts if part)


def _say_types(declared: str | None, found: str | None) -> str:
    said = [f"declared {declared}" if declared else "", f"found {found}" if found else ""]
    return f" ({', '.join(part for part in said if part)})" if any(said) else ""
