"""`headwater node REF`, `headwater impact REF`, `headwater catalog`."""

from __future__ import annotations

from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table, read_time, say_counts, say_status, say_time
from headwater.observatory import catalog as catalog_family
from headwater.observatory import impact as impact_family
from headwater.observatory import nodes as nodes_family
from headwater.observatory.node_reports import Neighbour, NodeReport
from headwater.observatory.provenance_reports import BuildSummary
from headwater.observatory.references import NodeQuestion
from headwater.observatory.sentences import say_span

Ref = Annotated[str, typer.Argument(help="A unique_id, a model's name, or a table's name as the warehouse writes it.")]
Account = Annotated[str | None, typer.Option(help="Only this account, by name.")]
Project = Annotated[str | None, typer.Option(help="Only this project, by name or id.")]
Environment = Annotated[
    str | None, typer.Option(help="This environment, by name or id; production where none is named.")
]
RunId = Annotated[int | None, typer.Option("--run", help="As it was in this run, by dbt Cloud's number.")]
At = Annotated[str | None, typer.Option(help="As it was at this time, as 2026-01-31T06:00.")]
Ephemeral = Annotated[
    bool, typer.Option("--ephemeral", help="Show ephemeral models too, not only what is behind them.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("node")(node)
    app.command("impact")(impact)
    app.command("catalog")(catalog)


def node(
    ref: Ref,
    account: Account = None,
    project: Project = None,
    environment: Environment = None,
    run_id: RunId = None,
    at: At = None,
    ephemeral: Ephemeral = False,
    as_json: AsJson = False,
) -> None:
    """Show one node: where it is built, what is around it, its tests, how it did lately, when its code changed."""
    asked = NodeQuestion(
        ref=ref, account=account, project=project, environment=environment, run_id=run_id, at=read_time(at)
    )
    with opened() as observatory:
        report = nodes_family.get_node(observatory, asked, with_ephemeral=ephemeral)
    if as_json:
        print_json(report)
        return
    _print_node(report)


def impact(
    ref: Ref,
    account: Account = None,
    project: Project = None,
    environment: Environment = None,
    run_id: RunId = None,
    at: At = None,
    ephemeral: Ephemeral = False,
    as_json: AsJson = False,
) -> None:
    """Show what is made from a node, across projects: tables, tests, exposures, and who should know."""
    asked = NodeQuestion(
        ref=ref, account=account, project=project, environment=environment, run_id=run_id, at=read_time(at)
    )
    with opened() as observatory:
        report = impact_family.get_impact(observatory, asked, with_ephemeral=ephemeral)
    if as_json:
        print_json(report)
        return
    out = console()
    out.print(report.sentence, style="bold", markup=False)
    out.print(report.place.sentence, markup=False)
    out.print(say_counts(report.counts) or "Nothing is made from it.", markup=False)
    for exposure in report.exposures:
        owner = exposure.owner or exposure.email
        out.print(f"exposure {exposure.name}{f', {owner}' if owner else ''}", markup=False)
    for name in report.downstream:
        out.print(f"  {name}", markup=False)
    for note in report.notes:
        out.print(note, markup=False)


def catalog(
    account: Account = None,
    project: Project = None,
    environment: Environment = None,
    resource_type: Annotated[
        str | None, typer.Option("--type", help="Only these resource types, separated by commas: model, source, …")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Only what is owned by this name or address, or a part of it.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only what has this tag.")] = None,
    materialized: Annotated[
        str | None, typer.Option(help="Only these materializations, separated by commas: table, view, …")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only what is in one of these states, separated by commas: failed, stale, …")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Only what has these words in its name, table, columns, description, tags or owners."),
    ] = None,
    at: At = None,
    limit: Annotated[int, typer.Option(min=0, help="How many to print; 0 prints all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the nodes of production, or of the environment asked for, by name."""
    wanted = catalog_family.CatalogFilter(
        account=account,
        project=project,
        environment=environment,
        resource_type=resource_type,
        owner=owner,
        tag=tag,
        materialized=materialized,
        state=state,
        text=text,
        at=read_time(at),
    )
    with opened() as observatory:
        report = catalog_family.list_catalog(observatory, wanted, limit=limit or None)
    if as_json:
        print_json(report)
        return
    rows = (
        (
            row.name,
            row.resource_type,
            row.project_name or "",
            row.environment_name or "",
            row.relation or "",
            row.materialized or "",
            ", ".join(row.owners),
            ", ".join(row.tags),
            row.account,
        )
        for row in report.nodes
    )
    columns = ("node", "type", "project", "environment", "table", "materialized", "owner", "tags", "account")
    print_table(
        columns,
        rows,
        wraps=("node", "table", "owner"),
        optional=("tags", "account", "environment", "materialized", "owner", "project"),
    )
    console().print(f"{len(report.nodes)} of {report.total} nodes.")


def _print_node(report: NodeReport) -> None:
    out = console()
    out.print(report.sentence, style="bold", markup=False)
    out.print(report.place.sentence, markup=False)
    facts = (
        ("unique_id", report.unique_id),
        ("table", report.relation),
        ("materialized", report.materialized),
        ("owners", ", ".join(report.owners)),
        ("tags", ", ".join(report.tags)),
        ("file", report.path),
        ("jobs", ", ".join(job.job_name or str(job.job_id) for job in report.jobs)),
    )
    for name, value in facts:
        if value:
            out.print(f"{name}: {value}", markup=False)
    if report.data_as_of is not None:
        out.print(report.data_as_of.sentence, markup=False)
    _print_neighbours("made from", report.parents)
    _print_neighbours("feeds", report.children)
    _print_tests(report)
    _print_executions(report)
    for build in report.builds[:1]:
        _print_build(build)
    for change in report.version_changes:
        what = f"{change.what} ({', '.join(change.aspects)})" if change.aspects else change.what
        seen = f" in run {change.run_id}" if change.run_id else ""
        out.print(f"{what} at {say_time(change.happened_at)}{seen}", markup=False)
    for note in report.notes:
        out.print(note, markup=False)


def _print_neighbours(words: str, neighbours: tuple[Neighbour, ...]) -> None:
    for one in neighbours:
        where = one.relation or ("not known" if not one.is_known else one.resource_type)
        console().print(f"{words} {one.unique_id} ({where})", markup=False)


def _print_tests(report: NodeReport) -> None:
    if report.tests:
        print_table(
            ("test", "column", "last", "when", "failing rows"),
            (
                (
                    test.name,
                    test.column_name or "",
                    say_status(test.status) if test.status else "",
                    say_time(test.happened_at),
                    str(test.failures or ""),
                )
                for test in report.tests
            ),
            right=("failing rows",),
            wraps=("test",),
            optional=("failing rows", "column"),
        )


def _print_build(build: BuildSummary) -> None:
    """Print what a build read; those before it are in `--json`."""
    out = console()
    run = f" in run {build.run_id}" if build.run_id else ""
    out.print(f"its last build, at {say_time(build.at)}{run}, read", markup=False)
    for reading in build.reads:
        was = (
            f"built at {say_time(reading.built_at)}" if reading.built_at
            else f"loaded until {say_time(reading.loaded_at)}" if reading.loaded_at
            else "not known how old"
        )  # fmt: skip
        out.print(f"   {reading.unique_id} ({was})", markup=False)


def _print_executions(report: NodeReport) -> None:
    if report.executions:
        print_table(
            ("ran", "status", "took", "rows", "run", "job"),
            (
                (
                    say_time(row.happened_at),
                    say_status(row.status),
                    say_span(row.elapsed_seconds, unknown=""),
                    f"{row.rows_affected:,}" if row.rows_affected is not None else "",
                    str(row.run_id or ""),
                    row.job_name or "",
                )
                for row in report.executions
            ),
            right=("took", "rows"),
            wraps=("job",),
            optional=("rows", "job"),
        )
