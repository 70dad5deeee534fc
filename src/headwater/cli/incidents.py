"""`headwater incidents` and `headwater incident …`: what goes on, and what people do about it."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer
from rich.text import Text

from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, print_table, read_time, say_status, say_time
from headwater.errors import WrongUse
from headwater.model.incident import IncidentState
from headwater.observatory import incidents as family
from headwater.observatory.audit import Actor
from headwater.observatory.consequence_reports import say_command
from headwater.observatory.incident_reports import IncidentReport
from headwater.observatory.incidents import GOING_ON, IncidentQuestion

app = typer.Typer(help="Show an incident, acknowledge it, add a note, resolve it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The incident's id, as 'headwater incidents' prints it.")]
Note = Annotated[str, typer.Option(help="What others should know.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_ALL = "all"
_SHOWN = 20


def _who() -> Actor:
    return Actor(name=getuser(), address="command line")


def add_commands(program: typer.Typer) -> None:
    """Add the list of incidents to the program."""
    program.command("incidents")(incidents)


def incidents(
    account: Annotated[str | None, typer.Option(help="Only this account, by name.")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project, by name or id.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this environment, by name or id.")] = None,
    state: Annotated[
        str | None, typer.Option(help="open, acknowledged, resolved or all; those that go on if left out.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Leave out what ended before this time.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many to print; 0 prints all.")] = 50,
    check: Annotated[bool, typer.Option("--check", help="End with 1 where one that fits goes on.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, one for each cause: what is not as it should be, since when, why, and what it reaches."""
    asked = IncidentQuestion(
        account=account,
        project=project,
        environment=environment,
        states=_read_states(state),
        since=read_time(since),
    )
    with opened() as observatory:
        report = family.list_incidents(observatory, asked, limit=limit or None)
    if as_json:
        print_json(report)
    else:
        rows = (
            (
                row.id,
                _say_state(row.state),
                row.sentence,
                row.environment_name or str(row.environment_id),
                row.project_name or str(row.project_id),
                row.account,
            )
            for row in report.incidents
        )
        columns = ("incident", "state", "what", "environment", "project", "account")
        print_table(columns, rows, wraps=("what",), optional=("account", "project", "environment"))
        console().print(f"{len(report.incidents)} of {report.total} incidents.")
    goes_on = any(row.state in GOING_ON for row in report.incidents)
    raise typer.Exit(1 if check and goes_on else 0)


@app.command("show")
def show(incident: Id, as_json: AsJson = False) -> None:
    """Show an incident: its cause with evidence, what it reaches, who should know, and its timeline."""
    with opened() as observatory:
        report = family.get_incident(observatory, incident)
    _print(report, as_json=as_json)


@app.command("acknowledge")
def acknowledge(incident: Id, note: Note = "", as_json: AsJson = False) -> None:
    """Say that you look at an incident."""
    with opened() as observatory:
        report = family.acknowledge(observatory, incident, _who(), note)
    _print(report, as_json=as_json)


@app.command("unacknowledge")
def unacknowledge(incident: Id, note: Note = "", as_json: AsJson = False) -> None:
    """Take back that you look at an incident."""
    with opened() as observatory:
        report = family.unacknowledge(observatory, incident, _who(), note)
    _print(report, as_json=as_json)


@app.command("note")
def annotate(
    incident: Id, note: Annotated[str, typer.Argument(help="What others should know.")], as_json: AsJson = False
) -> None:
    """Write a note into an incident's timeline."""
    with opened() as observatory:
        report = family.annotate(observatory, incident, _who(), note)
    _print(report, as_json=as_json)


@app.command("resolve")
def resolve(
    incident: Id,
    reason: Annotated[str, typer.Option(help="Why it is at its end.")],
    as_json: AsJson = False,
) -> None:
    """End an incident by your word; what happens once more opens it again."""
    with opened() as observatory:
        report = family.resolve(observatory, incident, _who(), reason)
    _print(report, as_json=as_json)


def _read_states(state: str | None) -> tuple[IncidentState, ...]:
    if state is None:
        return GOING_ON
    if state == _ALL:
        return ()
    if state not in set(IncidentState):
        raise WrongUse(f"{state[:40]!r} is no state of an incident.", hint="Use open, acknowledged, resolved or all.")
    return (IncidentState(state),)


def _say_state(state: str) -> Text:
    as_status = {"open": "error", "acknowledged": "warn", "resolved": "success"}[state]
    shape = say_status(as_status)
    return Text(f"{shape.plain.split()[0]} {state}", style=shape.style)


def _print(report: IncidentReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    out, incident = console(), report.incident
    out.print(incident.sentence, style="bold", markup=False)
    by = incident.acknowledged_by or incident.resolved_by
    where = f"{incident.environment_name or incident.environment_id} of {incident.project_name or incident.project_id}"
    out.print(f"{incident.id}: {incident.state}{f' by {by}' if by else ''}, {where}, {incident.account}", markup=False)
    cause = incident.cause
    out.print(f"cause: {cause.kind.replace('_', ' ')}, {cause.subject} ({cause.confidence:.0%} sure)", markup=False)
    for sentence in cause.evidence:
        out.print(f"   {sentence}", markup=False)
    for root in report.roots[:_SHOWN]:
        out.print(f"began at {root.unique_id}", markup=False)
    for job in report.jobs:
        out.print(f"job {job}", markup=False)
    named = ", ".join(owner.name or owner.email or "" for owner in report.owners)
    if named:
        out.print(f"should know: {named}", markup=False)
    for node in report.affected[:_SHOWN]:
        out.print(f"  {node.unique_id}", markup=False)
    if len(report.affected) > _SHOWN:
        out.print(f"  and {len(report.affected) - _SHOWN} more; --json has them all", markup=False)
    if report.reruns:
        out.print("once the cause is gone:", markup=False)
    for command in report.reruns:
        out.print(f"  {say_command(command)}", markup=False)
    for line in report.timeline:
        out.print(f"{say_time(line.happened_at)}  {line.sentence}", markup=False)
        for note in line.note.splitlines():
            out.print(f"    {note}", markup=False)
