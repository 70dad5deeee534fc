"""Target folders of other people's projects: what an ingest counts is what a count by `json` alone gives."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headwater.config import Settings
from headwater.observatory.collecting import ingest
from headwater.observatory.holder import open_observatory

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "samples"
FOLDERS = sorted({path.parent for path in SAMPLES.rglob("manifest.json")} if SAMPLES.is_dir() else ())
COMPILING = ("generate", "compile", "parse")
"""The commands whose results are compilations: nothing was executed."""

KINDS = ("nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions")


def read(path: Path) -> dict[str, Any]:
    """Read a file as `json` does, an empty document where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def list_resources(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give everything with a unique_id that is not disabled."""
    return {
        unique_id: resource
        for kind in KINDS
        for unique_id, resource in (manifest.get(kind) or {}).items()
        if (resource.get("config") or {}).get("enabled") is not False
    }


def command(results: dict[str, Any]) -> str | None:
    """Give the command that wrote results."""
    args = results.get("args") or {}
    return args.get("which") or args.get("rpc_method")


def count_edges(resources: dict[str, dict[str, Any]]) -> tuple[int, int]:
    """Count the pairs of parent and child whose parent exists, and those whose parent does not."""
    pairs = {
        (parent, unique_id)
        for unique_id, resource in resources.items()
        for parent in (resource.get("depends_on") or {}).get("nodes") or ()
    }
    edges = sum(parent in resources for parent, _ in pairs)
    return edges, len(pairs) - edges


@pytest.mark.parametrize("folder", FOLDERS or [None], ids=lambda path: str(path).partition("samples/")[2] or "none")
def test_counts_agree_with_json_alone(folder: Path | None, tmp_path: Path) -> None:
    """Nodes by type, edges, dangling edges, executions and freshness by status are those of the files."""
    if folder is None:
        pytest.skip("The sample folders are not at ../shared/samples.")
    resources = list_resources(read(folder / "manifest.json"))
    results, sources = read(folder / "run_results.json"), read(folder / "sources.json")

    with open_observatory(Settings(data_folder=tmp_path)) as observatory:
        report = ingest(observatory, folder)
        again = ingest(observatory, folder)

    assert report.nodes == Counter(resource["resource_type"] for resource in resources.values())
    assert (report.edges, report.dangling_edges) == count_edges(resources)
    executed = () if command(results) in COMPILING else results.get("results", ())
    assert report.executions == Counter(row["status"] for row in executed)
    assert report.freshness == Counter(row["status"] for row in sources.get("results", ()))
    assert replace(again, invocations=()) == replace(report, invocations=())
    assert [(row.invocation_id, row.is_new) for row in again.invocations] == [
        (row.invocation_id, False) for row in report.invocations
    ]
