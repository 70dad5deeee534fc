"""The how-to page on ingesting a target folder, tried from zero with a real dbt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt_house import DbtHouse

from pages import Command, Reader, read_blocks, read_commands, read_page
from program import Program

PAGE = read_page("ingest-a-target-folder")
BUILD, INGEST, AS_JSON = read_commands(PAGE)
LIST = Command("headwater account list --json", ())
EVERY_KIND = """
models:
  - {name: first, columns: [{name: id, data_tests: [not_null, unique]}]}
  - {name: third, columns: [{name: id, data_tests: [not_null, unique]}]}
sources:
  - name: shop
    schema: main
    tables:
      - {name: payments}
      - {name: customers}
      - name: orders
        identifier: first
        config: {loaded_at_field: "now()::timestamp", freshness: {warn_after: {count: 1, period: hour}}}
exposures:
  - {name: board, type: dashboard, owner: {name: Ada}, depends_on: [ref('fourth')]}
  - {name: letter, type: notebook, owner: {name: Ada}, depends_on: [ref('third')]}
"""


@pytest.fixture
def reader(real: DbtHouse) -> Reader:
    """A reader in the folder of a project that has every kind of node the page shows."""
    (real.project / "models" / "every_kind.yml").write_text(EVERY_KIND)
    (real.project / "seeds").mkdir()
    (real.project / "seeds" / "colours.csv").write_text("name\nred\n")
    settings = real.program.settings | {"HEADWATER__DATA_FOLDER": str(real.program.data)}
    return Reader(Program(real.project, settings))


def test_the_page_in_order(real: DbtHouse, reader: Reader) -> None:
    """A build and its ingest say what the page says; the document has the names that the options gave."""
    reader.follow(BUILD)
    reader.follow(INGEST)
    whole_project = reader.follow(Command("headwater ingest .", INGEST.shown))
    document = json.loads(reader.follow(AS_JSON).text)

    assert real.metadata("run_results")["invocation_id"] in whole_project.text
    assert document["invocation_id"] in whole_project.text
    assert (document["nodes"]["test"], document["dangling_edges"], document["warnings"]) == (5, 0, [])
    reader.follow(Command("dbt source freshness", ()))
    both = json.loads(reader.follow(Command("headwater ingest target --json", ())).text)["invocations"]
    assert [(one["command"], one["is_new"], one["has_lineage"]) for one in both] == [
        ("dbt build", False, True),
        ("dbt source freshness", True, True),
    ]
    accounts = json.loads(reader.follow(LIST).text)["accounts"]
    assert [row["account"] for row in accounts] == ["local"]


def test_the_steps_for_ci_where_dbt_fails(real: DbtHouse, reader: Reader) -> None:
    """The build step fails as dbt did; the next runs always, and what failed is stored."""
    real.write(third="select nothing from {{ ref('second') }}")
    (block,) = read_blocks(PAGE, "yaml")
    build, ingest = yaml.safe_load(block)

    failed = reader.type(Command(build["run"], ()))
    reader.follow(Command(ingest["run"], ()))

    assert (failed.status, ingest["if"]) == (1, "always()")
    statuses = real.stored(real.metadata("run_results")["invocation_id"])
    assert statuses is not None
    assert (statuses["third"], statuses["fourth"]) == ("error", "skipped")


def test_the_warnings_and_artifacts_of_a_run(real: DbtHouse, reader: Reader) -> None:
    """Each warning comes in the words of the page, where it says; a run of dbt Cloud is known by its artifacts."""
    warnings = [row.replace("*", "") for row in re.findall(r"^\| (\*.*\*) \|", PAGE, re.MULTILINE)]
    misfit, unknown, unreadable, without_run = (Command(INGEST.line, ("…", one)) for one in warnings)
    reader.follow(BUILD)
    results = real.target / "run_results.json"
    built = results.read_bytes()
    results.write_bytes(built.replace(b'"status": "success"', b'"status": "wondrous"'))
    reader.follow(unknown)
    results.write_bytes(built[:500])
    reader.follow(unreadable)
    results.write_bytes(built)
    write_environment(real.target, {"DBT_CLOUD_RUN_ID": "1001"})
    reader.follow(without_run)
    write_environment(real.target, {"DBT_CLOUD_RUN_ID": "1001", "DBT_CLOUD_ACCOUNT_ID": "12345"})
    reader.follow(INGEST)
    run = json.loads(reader.follow(Command("headwater run 1001 --json", ())).text)
    real.write(second="{{ config(alias='zweite') }} select * from {{ ref('first') }}")
    reader.follow(Command("dbt parse", ()))
    reader.follow(misfit)

    assert (run["account"], run["status"], run["observed_by"]) == ("account-12345", "unknown", ["ingest"])


def write_environment(target: Path, environ: dict[str, str]) -> None:
    """Write into the artifacts which run they were part of, as dbt does in dbt Cloud."""
    for name in ("manifest", "run_results"):
        path = target / f"{name}.json"
        document: dict[str, Any] = json.loads(path.read_bytes())
        document["metadata"]["env"] |= environ
        path.write_text(json.dumps(document))
