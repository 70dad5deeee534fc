"""`headwater ingest`: a target folder from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from program import Program

KEYS = {
    "invocation_id", "command", "dbt_version", "nodes", "edges", "dangling_edges", "executions", "freshness",
    "warnings",
}  # fmt: skip
METADATA = {"dbt_version": "1.11.0", "invocation_id": "11111111-2222-3333-4444-555555555555", "project_name": "shop"}


def write_target(folder: Path, *, results: str | None = None) -> Path:
    """Write a target folder with two models, the second of which hangs on the first and on one that is gone."""
    target = folder / "target"
    target.mkdir()
    nodes = {
        "model.shop.orders": {"depends_on": {"nodes": []}},
        "model.shop.revenue": {"depends_on": {"nodes": ["model.shop.orders", "model.shop.gone"]}},
    }
    for unique_id, node in nodes.items():
        name = unique_id.rpartition(".")[2]
        node |= {"unique_id": unique_id, "resource_type": "model", "name": name, "package_name": "shop"}
        node |= {"schema": "s", "alias": name, "config": {"materialized": "table"}, "fqn": ["shop", name]}
    schema = "https://schemas.getdbt.com/dbt/{}.json"
    manifest = {"metadata": METADATA | {"dbt_schema_version": schema.format("manifest/v12")}, "nodes": nodes}
    (target / "manifest.json").write_text(json.dumps(manifest))
    rows = [
        {"unique_id": "model.shop.orders", "status": "success", "timing": [], "execution_time": 1.0},
        {"unique_id": "model.shop.revenue", "status": "error", "timing": [], "execution_time": 1.0},
    ]
    document = {
        "metadata": METADATA | {"dbt_schema_version": schema.format("run-results/v6")},
        "args": {"which": "build"}, "elapsed_time": 2.0, "results": rows,
    }  # fmt: skip
    (target / "run_results.json").write_text(results or json.dumps(document))
    return folder


def test_a_target_folder_is_counted_and_shown(program: Program) -> None:
    """The document has the promised keys and counts, whether the project or its target is named, once or twice."""
    project = write_target(program.folder)

    first, second = program.run("ingest", project, "--json"), program.run("ingest", project / "target", "--json")

    assert (first.status, first.err) == (0, "")
    assert set(first.json) >= KEYS
    assert {key: first.json[key] for key in KEYS} == {key: second.json[key] for key in KEYS}
    assert [[row["is_new"] for row in ended.json["invocations"]] for ended in (first, second)] == [[True], [False]]
    assert (first.json["command"], first.json["invocation_id"]) == ("build", METADATA["invocation_id"])
    assert (first.json["nodes"], first.json["edges"], first.json["dangling_edges"]) == ({"model": 2}, 1, 1)
    assert (first.json["executions"], first.json["warnings"]) == ({"error": 1, "success": 1}, [])


def test_an_artifact_that_is_corrupt_is_a_warning_and_the_rest_is_read(program: Program) -> None:
    """A merge conflict in one file is told, and the other file still counts."""
    project = write_target(program.folder, results='{"metadata": {\n<<<<<<< HEAD\n')

    ended = program.run("ingest", project, "--json")

    assert (ended.status, ended.json["nodes"], ended.json["executions"]) == (0, {"model": 2}, {})
    assert [warning.partition(":")[0] for warning in ended.json["warnings"]] == ["run_results.json"]


def test_a_folder_in_which_nothing_can_be_read_is_said(program: Program) -> None:
    """Where every file is corrupt the program exits 3 with the reason."""
    (program.folder / "manifest.json").write_text('{"nodes": {')

    ended = program.run("ingest", program.folder)

    assert (ended.status, ended.out) == (3, "")
    assert "manifest.json" in ended.err
    assert "Traceback" not in ended.err
