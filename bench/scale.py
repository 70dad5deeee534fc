"""Make large artifacts out of real ones.

A manifest is copied whole, again and again: each copy is a package of its own in a database of its own, so that
every unique_id, relation, parent and line of SQL that names one differs, and each copy carries its number in
`config.meta` and in its code, so that no two nodes are alike and a configuration is shared only by as many nodes
as in the real project. Macros stay as they are: a larger project does not bring more of them.

Real projects declare more columns and have longer SQL than a demonstration, so models may be lengthened to a mean
size per node (a real dbt 1.11 project of 124 nodes that was looked at has 4,600 bytes a node): half of the missing
bytes go into declared columns as dbt 1.11 writes them, a quarter each into `raw_code` and `compiled_code`.
"""

from __future__ import annotations

import json
import re
from typing import Any

SECTIONS = (
    "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions",
)  # fmt: skip


def scale_manifest(manifest: dict[str, Any], nodes: int, mean_bytes: int | None = None) -> dict[str, Any]:
    """Repeat a manifest until it has at least this many nodes (everything with a unique_id)."""
    sections = {name: manifest.get(name) or {} for name in SECTIONS}
    count = sum(map(len, sections.values()))
    copies = -(-nodes // count)
    package = manifest["metadata"]["project_name"]
    scaled = {key: value for key, value in manifest.items() if key not in {*SECTIONS, "parent_map", "child_map"}}
    scaled |= {name: {} for name in SECTIONS} | {"parent_map": {}, "child_map": {}}
    missing = _missing_bytes(sections, count, mean_bytes)
    for copy in range(copies):
        rename = _renaming(package, sections, copy)
        for name, entries in sections.items():
            for entry in entries.values():
                renamed = json.loads(rename(json.dumps(entry)))
                _mark(renamed, copy)
                if renamed["resource_type"] == "model":
                    _lengthen(renamed, missing)
                scaled[name][renamed["unique_id"]] = renamed
        for name in ("parent_map", "child_map"):
            scaled[name] |= json.loads(rename(json.dumps(manifest.get(name) or {})))
    return scaled


def scale_run_results(results: dict[str, Any], manifest: dict[str, Any], nodes: int) -> dict[str, Any]:
    """Repeat run results as `scale_manifest` repeats the manifest they belong to."""
    sections = {name: manifest.get(name) or {} for name in SECTIONS}
    copies = -(-nodes // sum(map(len, sections.values())))
    package = manifest["metadata"]["project_name"]
    scaled = []
    for copy in range(copies):
        rename = _renaming(package, sections, copy)
        scaled += json.loads(rename(json.dumps(results["results"])))
    return results | {"results": scaled}


def reparsed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give the manifest as dbt writes it at its next parse: other times, another invocation, another order."""
    again = json.loads(json.dumps(manifest))
    again["metadata"] |= {"generated_at": "2026-11-21T06:00:00.000001Z", "invocation_id": "another"}
    for name in (*SECTIONS, "macros"):
        for entry in again.get(name, {}).values():
            if isinstance(entry.get("created_at"), float):
                entry["created_at"] += 86400.25
    again["nodes"] = dict(sorted(again["nodes"].items(), key=lambda item: item[0][::-1]))
    return again


def _renaming(package: str, sections: dict[str, dict[str, Any]], copy: int) -> Any:
    databases = {entry.get("database") for entries in sections.values() for entry in entries.values()} - {None, ""}
    names = "|".join(sorted((re.escape(name) for name in {package, *databases}), key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w/])({names})(?![\w/])")
    return lambda text: pattern.sub(rf"\g<1>_{copy:04}", text)


def _mark(entry: dict[str, Any], copy: int) -> None:
    config = entry.get("config")
    if isinstance(config, dict):
        config["meta"] = (config.get("meta") or {}) | {"copy": copy}
    for key in ("raw_code", "compiled_code"):
        if entry.get(key):
            entry[key] += f"\n-- copy {copy}"


def _missing_bytes(sections: dict[str, dict[str, Any]], count: int, mean_bytes: int | None) -> int:
    """Count what each model lacks so that the mean of all nodes is as wanted."""
    models = sum(entry["resource_type"] == "model" for entry in sections["nodes"].values())
    if not mean_bytes or not models:
        return 0
    there = sum(len(json.dumps(entries)) for entries in sections.values())
    return max(0, (mean_bytes * count - there) // models)


def _lengthen(entry: dict[str, Any], missing: int) -> None:
    if not missing:
        return
    columns = entry.setdefault("columns", {})
    width = len(json.dumps(_column("amount_000_in_cents"))) + 24
    for number in range(missing // 2 // width):
        columns[f"amount_{number:03}_in_cents"] = _column(f"amount_{number:03}_in_cents")
    seed = len(entry["unique_id"])
    lines = [f"    , coalesce(orders.amount_{number:03}, {seed * number % 997:03})" for number in range(missing // 176)]
    for key in ("raw_code", "compiled_code"):
        entry[key] = "\n".join([entry.get(key) or "", "/*", *lines, "*/"])


def _column(name: str) -> dict[str, Any]:
    return {
        "name": name, "description": f"What {name} came to.", "meta": {}, "data_type": None, "constraints": [],
        "quote": None, "config": {"meta": {}, "tags": []}, "tags": [], "granularity": None, "doc_blocks": [],
    }  # fmt: skip
