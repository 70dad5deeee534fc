"""A fault: what is done to a project, its data, its warehouse or its jobs, and what is true because of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from jobs import JOBS, Job
from prefix import Prefix
from studio import Circumstances, Studio

from truth import Truth


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault; `first_job` is the job whose run meets it first.

    `causes` are the kinds under which a right answer may name it and `subjects` the nodes; a right answer to a fault
    that lies in a run names the run (`is_run`) instead. `wrong_sources` give wrong data from then on, `wrong_code`
    builds without error but wrongly. A `fate` keeps a run from executing anything; the `circumstances` hold for the
    first run only, and `commands` are the job's from then on. `stops` is a raw table whose loader stops. One that
    `is_repaired` is met by one run, and dbt Cloud's retry of that run makes all good. A decoy is not asked about.
    """

    kind: str
    project: str
    first_job: Job
    said: str
    causes: frozenset[str]
    subjects: frozenset[str] = frozenset()
    is_run: bool = False
    strike: Callable[[Studio], None] | None = None
    changes_code: bool = False
    wrong_sources: frozenset[str] = frozenset()
    wrong_code: frozenset[str] = frozenset()
    fate: str | None = None
    log: str = ""
    circumstances: Circumstances | None = None
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stops: tuple[str, float] | None = None
    is_repaired: bool = False
    is_decoy: bool = False


@dataclass(frozen=True)
class Scene:
    """What a fault is chosen from: the healthy projects, their columns, and chance."""

    prefix: Prefix
    truth: Truth
    chance: Random
    columns: Mapping[str, Mapping[str, list[tuple[str, str]]]]
    """For each project the columns of each relation, `schema.name`, with their types."""

    def models(self, project: str) -> list[Mapping[str, Any]]:
        """List a project's models that are built."""
        return [
            node
            for node in self.prefix.manifests[project]["nodes"].values()
            if node["resource_type"] == "model"
            and node["package_name"] == project
            and node["config"]["materialized"] != "ephemeral"
        ]

    def project(self, *among: str) -> str:
        """Choose a project, larger ones more often."""
        weights = {"storefront": 5, "finance": 2, "roastery": 3}
        names = among or tuple(weights)
        return self.chance.choices(names, [weights[name] for name in names])[0]

    def job_of(self, *unique_ids: str) -> Job | None:
        """Choose a job that builds some nodes; None where none builds all of them."""
        found = [job for job in JOBS if set(unique_ids) <= self.truth.built_by[job.key]]
        return self.chance.choice(found) if found else None

    def columns_of(self, node: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Give the columns of a node's table in the healthy warehouse."""
        name = f"{node['schema']}.{node.get('alias') or node.get('identifier')}"
        owner = node["package_name"]
        return list(self.columns[owner].get(name, ()))

    def readers(self, unique_id: str, project: str) -> list[Mapping[str, Any]]:
        """Give a project's models that read a node directly."""
        return [node for node in self.models(project) if unique_id in node["depends_on"]["nodes"]]

    def tests_on(self, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Give the generic tests attached to a node that fail rather than warn."""
        nodes = self.prefix.manifests[node["package_name"]]["nodes"].values()
        return [
            test
            for test in nodes
            if test["resource_type"] == "test"
            and test.get("attached_node") == node["unique_id"]
            and test["config"]["severity"].lower() == "error"
        ]


Maker = Callable[[Scene], Fault | None]
"""Makes a fault of one kind at a random place; None where the place that chance chose does not do."""


def reach(fault: Fault, truth: Truth) -> set[str]:
    """Give what a fault can reach: what it lies in or what uses that, and all that is made from these."""
    starts = {name for name in fault.subjects if name in truth.nodes} | fault.wrong_sources | fault.wrong_code
    macros = {name for name in fault.subjects if name.startswith("macro.")}
    if macros:
        starts |= _users(macros, truth)
    if fault.is_run and not fault.subjects:
        jobs = [job for job in JOBS if job.project == fault.project] if fault.strike else [fault.first_job]
        starts |= {name for job in jobs for name in truth.built_by[job.key]}
    return set(starts) | truth.downstream(starts)


def _users(macros: set[str], truth: Truth) -> set[str]:
    """Give the nodes whose code uses some macros; of a test's macro the nodes that the tests read."""
    users = {name for name, node in truth.nodes.items() if macros & set(node.get("depends_on", {}).get("macros", ()))}
    return users | {parent for name in users if name.startswith("test.") for parent in truth.parents[name]}


def file_of(node: Mapping[str, Any]) -> str:
    """Give the file of a node within the studio."""
    return f"{node['package_name']}/{node['original_file_path']}"


def local(unique_id: str) -> str:
    """Give the name of a node without type and package."""
    return unique_id.split(".", 2)[2]


def at_text(moment: datetime) -> str:
    """Write a moment for the printed account of a history."""
    return f"{moment:%a %H:%M}"
