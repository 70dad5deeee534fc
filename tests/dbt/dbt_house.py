"""A real dbt in an environment of its own, a project of four models, and Headwater around it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud import make_settings
from headwater.observatory.holder import open_observatory
from headwater.store.invocation_queries import find_invocation, list_invocation_executions
from headwater.store.manifests import list_nodes
from installing import ROOT, find_uv, one_at_a_time
from program import Program

REQUIREMENTS = ROOT / "demo" / "requirements.txt"

PROJECT = {
    "dbt_project.yml": "name: four\nprofile: four\nmodels: {four: {+materialized: table}}\n",
    "profiles.yml": "four: {target: dev, outputs: {dev: {type: duckdb, path: four.duckdb, threads: 1}}}\n",
    "models/first.sql": "select 1 as id",
    "models/second.sql": "select * from {{ ref('first') }}",
    "models/third.sql": "select id from {{ ref('second') }}",
    "models/fourth.sql": "select count(*) as n from {{ ref('third') }}",
    "models/four.yml": "models: [{name: second, columns: [{name: id, data_tests: [not_null]}]}]",
}
SLOW = """{{ config(pre_hook="copy (select 1) to 'running.csv'") }}
select count(*) as n from {{ ref('third') }}, range(100000) as one(i), range(200000) as two(j) where i * j % 7 = 3"""
"""A model that takes DuckDB some seconds, if nobody interrupts it, and leaves a file when it begins."""


def install_dbt() -> Path:
    """Install the demo's dbt below `.cache`, once for each list of versions, and give the folder of its programs."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = ROOT / ".cache" / "dbt"
    programs = folder / digest / "bin"
    with one_at_a_time(folder):
        if not (programs / "dbt").exists():
            _make_environment(programs.parent)
    return programs


def _make_environment(folder: Path) -> None:
    uv = find_uv()
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    requirements = ("--requirement", str(REQUIREMENTS))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--relocatable", "--python", "3.11", draft], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", draft / "bin" / "python", *requirements], check=True)
    draft.rename(folder)


@dataclass
class DbtHouse:
    """A dbt project and a Headwater with a store, both in a folder of the test's own."""

    folder: Path
    program: Program

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def target(self) -> Path:
        return self.project / "target"

    def write(self, **models: str) -> None:
        """Write models."""
        for name, code in models.items():
            (self.project / "models" / f"{name}.sql").write_text(code)

    def metadata(self, name: str, target: Path | None = None) -> Any:
        """Read the head of an artifact."""
        return json.loads(((target or self.target) / f"{name}.json").read_bytes())["metadata"]

    def stored(self, invocation_id: str) -> dict[str, str] | None:
        """Give the statuses of an invocation's nodes by name as Headwater has them; None where it has none."""
        with self.open() as observatory, observatory.store.read() as tx:
            row = find_invocation(tx, 1, invocation_id)
            if row is None:
                return None
            return {
                each.execution.unique_id.split(".")[2]: each.execution.status
                for each in list_invocation_executions(tx, 1, row.invocation_key)
            }

    def lineage(self, invocation_id: str) -> set[str] | None:
        """Give the names of the nodes that an invocation's manifest has; None where it has no manifest."""
        with self.open() as observatory, observatory.store.read() as tx:
            row = find_invocation(tx, 1, invocation_id)
            if row is None or row.manifest_key is None:
                return None
            return {node.name for node in list_nodes(tx, 1, row.manifest_key).nodes}

    def open(self) -> Any:
        """Open the store that the program writes to."""
        return open_observatory(make_settings(self.program.data))


def make_house(folder: Path, programs: Path) -> DbtHouse:
    """Write the project and give the house; the programs stand first on its PATH."""
    for name, text in PROJECT.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    settings = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PROJECT_DIR": str(folder / "project"),
        "DBT_PROFILES_DIR": str(folder / "project"),
    }
    return DbtHouse(folder, Program(folder, settings))
