"""`headwater dbt`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from headwater.cli.opening import opened
from headwater.cli.printing import console_errors
from headwater.errors import HeadwaterError
from headwater.observatory.collecting import ingest_collected
from headwater.sdk import Outcome
from headwater.sdk.airflow import find_airflow_context
from headwater.sdk.core import send_target
from headwater.sdk.dbt import DbtRun, end_alike, run_dbt


def add_commands(app: typer.Typer) -> None:
    """Add this family to the program."""
    app.command("dbt", context_settings={"allow_interspersed_args": False})(dbt)


def dbt(
    arguments: Annotated[list[str], typer.Argument(help="After --, dbt's own arguments: -- build --select orders.")],
    executable: Annotated[str, typer.Option(help="The dbt to run, by name or path.")] = "dbt",
    project: Annotated[str | None, typer.Option(help="The project's name; the manifest's if left out.")] = None,
    environment: Annotated[str | None, typer.Option(help="The environment's name; 'local' if left out.")] = None,
) -> None:
    """Run dbt as it is, then store what it wrote, or send it to HEADWATER_URL where HEADWATER_TOKEN is set."""
    ran = run_dbt(arguments, os.environ, executable=executable)
    logging.getLogger("headwater").addHandler(logging.NullHandler())  # what it would say is said below
    try:
        said = _ingest(ran, os.environ, project, environment)
    except HeadwaterError as error:
        said = [f"Nothing was ingested: {error}"]
    except KeyboardInterrupt:
        said = ["Nothing was ingested: it was stopped."]
    except Exception as error:  # noqa: BLE001  whoever waits for dbt gets dbt's status, whatever we got wrong
        said = [f"Nothing was ingested: {type(error).__name__}."]
    for line in said:
        console_errors().print(f"headwater: {line}", markup=False)
    raise typer.Exit(end_alike(ran.ended))


def _ingest(ran: DbtRun, environ: Mapping[str, str], project: str | None, environment: str | None) -> Sequence[str]:
    """Ingest what dbt wrote and give the sentences to say of it: none where dbt ended by itself and all went well."""
    collected = ran.read()
    if collected is None:
        is_news = ran.ended.signal is not None or ran.is_expected_to_write
        return [f"dbt {ran.ended} and wrote no artifact into {ran.folder}."] if is_news else []
    collected = replace(collected, project=project, environment=environment)
    said = []
    if ran.ended.signal is not None:
        wrote = ", ".join(file.name for file in collected.files if not file.is_context) or "nothing readable"
        said.append(f"dbt {ran.ended}; it left {wrote}.")
    if environ.get("HEADWATER_TOKEN"):
        sent = send_target(collected, environ, strict=False)
        if sent.outcome is not Outcome.SENT:
            said.append(f"dbt's artifacts were {_NOT_SENT[sent.outcome]}: {sent.error}")
        return [*said, *sent.warnings]
    with opened() as observatory:
        here = replace(collected, airflow=find_airflow_context(environ))
        report = ingest_collected(observatory, here, observatory.store.now())
    return [*said, *report.warnings]


_NOT_SENT = {Outcome.SPOOLED: "kept until they can be sent", Outcome.FAILED: "lost"}
