"""Make a dbt project of any size as its manifest: models in layers and folders over sources, exposures at the end.

The shape is that of projects people have: ten layers, most models with one or two parents of the layer before, nine
tenths of them near by.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

LAYERS = ("staging", "staging", "intermediate", "intermediate", "intermediate", "marts", "marts", "marts", "reports")
AREAS = ("sales", "finance", "marketing", "product", "supply", "people", "risk", "web", "support", "growth")


def make_manifest(template: dict[str, Any], count: int, package: str = "estate") -> dict[str, Any]:
    """Make a manifest of so many models, sources and exposures, with the shapes of a recorded one."""
    random = Random(count)
    model = next(node for node in template["nodes"].values() if node["resource_type"] == "model")
    source = next(iter(template["sources"].values()))
    exposure = next(iter(template["exposures"].values()))
    layers: list[list[str]] = [[] for _ in range(len(LAYERS) + 1)]
    found: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}, "exposures": {}}
    for number in range(max(count * 12 // 100, 1)):
        area = AREAS[number % len(AREAS)]
        unique_id = f"source.{package}.{area}.raw_{area}_{number:05}"
        path = f"models/staging/{area}/_sources.yml"
        found["sources"][unique_id] = _like(source, unique_id, package, path) | {
            "source_name": area, "identifier": f"raw_{number:05}", "relation_name": f'"db"."raw"."raw_{number:05}"',
        }  # fmt: skip
        layers[0].append(unique_id)
    models = count - len(found["sources"]) - count // 50
    for number in range(models):
        layer = 1 + number * len(LAYERS) // max(models, 1)
        kind = LAYERS[layer - 1]
        area = AREAS[random.randrange(len(AREAS))]
        name = (
            f"{ {'staging': 'stg', 'intermediate': 'int', 'marts': 'fct', 'reports': 'rpt'}[kind] }_{area}_{number:05}"
        )
        unique_id = f"model.{package}.{name}"
        path = f"models/{kind}/{area}/part_{number // 40 % max(models // 2000, 1):02}/{name}.sql"
        parents = _choose_parents(random, layers, layer, len(layers[layer]), models // len(LAYERS) + 1)
        found["nodes"][unique_id] = _like(model, unique_id, package, path) | _code(name, parents)
        layers[layer].append(unique_id)
    for number in range(count // 50):
        unique_id = f"exposure.{package}.board_{number:04}"
        parents = tuple(sorted({random.choice(layers[-1] or layers[0]) for _ in range(3)}))
        found["exposures"][unique_id] = _like(exposure, unique_id, package, "models/boards.yml") | {
            "depends_on": {"macros": [], "nodes": list(parents)}
        }
    edges = {
        name: node.get("depends_on", {}).get("nodes", []) for part in found.values() for name, node in part.items()
    }
    children: dict[str, list[str]] = {name: [] for name in edges}
    for name, parents_ in edges.items():
        for parent in parents_:
            children[parent].append(name)
    rest = {"metrics": {}, "semantic_models": {}, "saved_queries": {}, "unit_tests": {}, "functions": {}, "groups": {}}
    metadata = template["metadata"] | {"project_name": package}
    return template | found | rest | {"metadata": metadata, "parent_map": edges, "child_map": children, "disabled": {}}


def make_results(template: dict[str, Any], manifest: dict[str, Any], number: int = 1) -> bytes:
    """Make the results of a build of all models, of which one in four hundred failed and its children were skipped."""
    like = next(result for result in template["results"] if result["unique_id"].startswith("model."))
    random = Random(number)
    bad: set[str] = set()
    told = []
    for place, (unique_id, node) in enumerate(manifest["nodes"].items()):
        is_skipped = bool(bad.intersection(node["depends_on"]["nodes"]))
        is_failed = not is_skipped and place % 400 == 7
        if is_skipped or is_failed:
            bad.add(unique_id)
        status = "skipped" if is_skipped else "error" if is_failed else "success"
        took = round(random.expovariate(1 / 12), 3)
        told.append(like | {"unique_id": unique_id, "status": status, "execution_time": took})
    identity = {"invocation_id": f"00000000-0000-4000-8000-{number:012}"}
    return json.dumps(template | {"metadata": template["metadata"] | identity, "results": told}).encode()


def _choose_parents(random: Random, layers: list[list[str]], layer: int, place: int, size: int) -> tuple[str, ...]:
    """Choose parents near the place of a node in the layer before, now and then one from further back."""
    chosen = set()
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        before = layers[layer - 1] if random.random() < 0.9 else layers[random.randrange(layer)]
        before = before or layers[0]
        near = place * len(before) // max(size, 1)
        chosen.add(before[min(max(near + random.randint(-6, 6), 0), len(before) - 1)])
    return tuple(sorted(chosen))


def _like(template: dict[str, Any], unique_id: str, package: str, path: str) -> dict[str, Any]:
    name = unique_id.rpartition(".")[2]
    return template | {
        "unique_id": unique_id, "name": name, "alias": name, "package_name": package, "original_file_path": path,
        "path": path.removeprefix("models/"), "fqn": [package, *path.removeprefix("models/").split("/")],
        "database": "db", "schema": "main", "columns": {}, "description": "", "tags": [], "group": None,
    }  # fmt: skip


def _code(name: str, parents: tuple[str, ...]) -> dict[str, Any]:
    relations = [f'"db"."main"."{parent.rpartition(".")[2]}"' for parent in parents]
    code = f"select one.id, one.amount from {relations[0]} as one" + "".join(
        f" join {relation} as other_{number} using (id)" for number, relation in enumerate(relations[1:])
    )
    return {
        "depends_on": {"macros": [], "nodes": list(parents)}, "relation_name": f'"db"."main"."{name}"',
        "raw_code": code, "compiled_code": code, "refs": [], "sources": [],
        "checksum": {"name": "sha256", "checksum": name},
    }  # fmt: skip
