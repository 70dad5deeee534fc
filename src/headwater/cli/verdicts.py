"""`headwater why REF`."""

from __future__ import annotations

import typer

from headwater.cli.nodes import Account, AsJson, At, Environment, Project, Ref
from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, read_time, say_counts, say_time
from headwater.observatory import verdicts
from headwater.observatory.cause_reports import PathStep
from headwater.observatory.consequence_reports import say_command
from headwater.observatory.references import NodeQuestion
from headwater.observatory.verdicts import ConsequencesSummary


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("why")(why)


def why(
    ref: Ref,
    account: Account = None,
    project: Project = None,
    environment: Environment = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say in what state a node is, since when, what caused it, and what it reaches."""
    asked = NodeQuestion(ref=ref, account=account, project=project, environment=environment, at=read_time(at))
    with opened() as observatory:
        report = verdicts.get_verdict(observatory, asked)
    if as_json:
        print_json(report)
        return
    out = console()
    out.print(report.sentence, style="bold", markup=False)
    out.print(report.place.sentence, markup=False)
    out.print(report.reason, markup=False)
    if report.last_good_at is not None:
        out.print(f"last good at {say_time(report.last_good_at)}", markup=False)
    if report.past is not None:
        out.print(report.past, markup=False)
    if len(report.path) > 1:
        out.print("the way there: " + " ← ".join(map(_say_step, report.path)), markup=False)
    for number, cause in enumerate(report.causes, 1):
        kind = cause.kind.replace("_", " ")
        subject = cause.unique_id or cause.subject
        about = f" ({cause.about})" if cause.about and cause.about != subject else ""
        out.print(
            f"{number}. {kind}: {subject}{about} ({cause.confidence:.0%} sure)",
            style="bold",
            markup=False,
        )
        for sentence in cause.evidence:
            out.print(f"   {sentence}", markup=False)
    if report.data_as_of is not None:
        out.print(report.data_as_of.sentence, markup=False)
    _print_consequences(report.consequences)
    for note in report.notes:
        out.print(note, markup=False)


def _print_consequences(found: ConsequencesSummary) -> None:
    """Print what suffers and what to do next; names are in `--json`."""
    out = console()
    out.print(found.sentence, markup=False)
    if found.counts:
        out.print(f"downstream: {say_counts(found.counts)}", markup=False)
    if found.suffering:
        out.print(found.suffering, style="bold", markup=False)
    if found.spared:
        out.print(found.spared, markup=False)
    if found.tests_unvouched:
        count = len(found.tests_unvouched)
        out.print(f"{count:,} test{' has' if count == 1 else 's have'} not spoken since.", markup=False)
    if found.rerun.commands:
        out.print("Once the cause is gone:", style="bold", markup=False)
    for command in found.rerun.commands:
        out.print(f"   {say_command(command)}", markup=False)
    if found.rerun.sentence:
        out.print(found.rerun.sentence, markup=False)


def _say_step(step: PathStep) -> str:
    told = ", ".join(part for part in (step.status, f"run {step.run_id}" if step.run_id else None) if part)
    return f"{step.name} ({told})" if told and not step.name.startswith("run ") else step.name
