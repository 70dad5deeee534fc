"""A dbt plugin for cross-project references: the public models of the projects named in dependencies.yml.

dbt finds it because the module's name starts with `dbt_` and its folder is on PYTHONPATH. It does for dbt Core what
dbt Cloud's mesh does: the upstream models enter this project's manifest under their own unique ids.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from dbt.plugins.manager import dbt_hook, dbtPlugin
from dbt.plugins.manifest import ModelNodeArgs, PluginNodes


def read_public_models(manifest_path: Path) -> list[ModelNodeArgs]:
    """The models with public access in another project's manifest."""
    if not manifest_path.exists():
        raise FileNotFoundError(f"{manifest_path} is missing: run dbt in that project first")
    nodes: dict[str, dict[str, Any]] = json.loads(manifest_path.read_text(encoding="utf-8"))["nodes"]
    return [
        ModelNodeArgs(
            name=node["name"],
            package_name=node["package_name"],
            identifier=node["alias"],
            schema=node["schema"],
            database=node["database"],
            relation_name=node["relation_name"],
            version=node["version"],
            latest_version=node["latest_version"],
            access="public",
        )
        for node in nodes.values()
        if node["resource_type"] == "model" and node["access"] == "public"
    ]


class MeshPlugin(dbtPlugin):
    """Adds the public models of every project in dependencies.yml, read from `../<project>/target/manifest.json`."""

    def initialize(self) -> None:
        """Finds the projects that this one depends on."""
        dependencies = Path("dependencies.yml")
        declared = yaml.safe_load(dependencies.read_text(encoding="utf-8")) if dependencies.exists() else {}
        self.projects = [project["name"] for project in declared.get("projects", [])]

    @dbt_hook
    def get_nodes(self) -> PluginNodes:
        """Gives dbt the upstream models."""
        nodes = PluginNodes()
        for project in self.projects:
            for model in read_public_models(Path("..") / project / "target" / "manifest.json"):
                nodes.add_model(model)
        return nodes


plugins = [MeshPlugin]
