"""`headwater why REF`."""

from __future__ import annotations

import typer

from headwater.cli.nodes import Account, AsJson, At, Environment, Project, Ref
from headwater.cli.opening import opened
from headwater.cli.printing import console, print_json, read_time, say_counts, say_time
from headwater.observatory import verdicts
from headwater.observatory.cause_reports import PathStep
from headwater.observatory.references import NodeQuestion


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
    out.print(report.consequences.sentence, markup=False)
    if report.consequences.counts:
        out.print(f"downstream: {say_counts(report.consequences.counts)}", markup=False)
    for note in report.notes:
        out.print(note, markup=False)


def _say_step(step: PathStep) -> str:
    told = ", ".join(part for part in (step.status, f"run {step.run_id}" if step.run_id else None) if part)
    return f"{step.name} ({told})" if told and not step.name.startswith("run ") else step.name
