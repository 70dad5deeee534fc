"""Artifacts to read: our own small ones, and real ones of other projects where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "files"
SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
_SCHEMA = "https://schemas.getdbt.com/dbt/{}/v{}.json"


def ours(name: str) -> bytes:
    """Give one of our own artifacts."""
    return (HERE / f"{name}.json").read_bytes()


def samples() -> list[Path]:
    """Give every artifact of ours and every sample that says what it is."""
    found = [*sorted(HERE.glob("*.json")), *sorted(SAMPLES.rglob("*.json"))]
    return [path for path in found if kind_of(json.loads(path.read_bytes()))]


def kind_of(artifact: Any) -> str:
    """Say what a decoded artifact calls itself."""
    metadata = artifact.get("metadata") if isinstance(artifact, dict) else None
    schema = metadata.get("dbt_schema_version") if isinstance(metadata, dict) else None
    return str(schema).split("/")[-2].replace("-", "_") if schema else ""


def artifact(kind: str, schema_version: int, **fields: Any) -> dict[str, Any]:
    """Make an artifact by hand."""
    head = {"dbt_schema_version": _SCHEMA.format(kind, schema_version), "dbt_version": "1.11.16", "env": {}}
    return {"metadata": head, **fields}


def manifest(*nodes: dict[str, Any], schema_version: int = 12, **fields: Any) -> bytes:
    """Make a manifest of nodes that name their unique_id."""
    entries = {node["unique_id"]: {"resource_type": node["unique_id"].split(".")[0], **node} for node in nodes}
    return json.dumps(artifact("manifest", schema_version, nodes=entries, **fields)).encode()


def run_results(*results: Any, which: str = "build", **fields: Any) -> bytes:
    """Make run results."""
    return json.dumps(
        artifact("run-results", 6, results=list(results), args={"which": which}, elapsed_time=1.5, **fields)
    ).encode()
