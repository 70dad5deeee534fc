"""Faults that lie in a run, a job or the warehouse: neither the code of a model nor the data are to blame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from jobs import BY_KEY, JOBS, Job
from studio import Circumstances, Studio

from faults import Fault, Maker, Scene

GIT_LOG = """fatal: could not read from remote repository.

Please make sure you have the correct access rights and the repository exists."""
GIT_MESSAGE = "Failed to clone git repository. Please check your repository connection."


def run_cancelled(scene: Scene) -> Fault | None:
    """Somebody cancels a run before it comes to anything."""
    return _missed(scene, "run_cancelled", "cancelled", {"run_cancelled"})


def run_queued(scene: Scene) -> Fault | None:
    """A run waits in the queue for hours."""
    return _missed(scene, "run_queued", "queued", {"run_queued"})


def run_not_started(scene: Scene) -> Fault | None:
    """The schedule does not start a run."""
    return _missed(scene, "run_not_started", "not_started", {"run_not_started"})


def run_slow(scene: Scene) -> Fault | None:
    """A run goes on for hours."""
    return _missed(scene, "run_slow", "slow", {"run_slow"})


def git_failed(scene: Scene) -> Fault | None:
    """The repository cannot be cloned."""
    return _missed(scene, "git_failed", "git", {"run_failed_before_dbt"}, log=GIT_LOG)


def deps_failed(scene: Scene) -> Fault | None:
    """A package that packages.yml names is not there; real `dbt deps` says so."""

    def strike(studio: Studio) -> None:
        studio.edit("storefront/packages.yml", partial(_replaced, old="../beans", new="../beans_shared"))

    return Fault(
        kind="deps_failed", project="storefront", first_job=_building_job(scene, "storefront"), said="no package",
        causes=frozenset({"run_failed_before_dbt"}), is_run=True, strike=strike, fate="deps", changes_code=True,
    )  # fmt: skip


def parse_failed(scene: Scene) -> Fault | None:
    """A file of the project cannot be parsed: a template that does not close, YAML that is none, a name not there."""
    project = scene.project()
    node = scene.chance.choice(scene.models(project))
    path = f"{project}/{node['original_file_path']}"
    yaml_path = f"{project}/{node['patch_path'].split('://')[1]}" if node.get("patch_path") else None
    broken = {
        "template": (path, lambda text: text + "\n{{ ref('" + node["name"] + "' }}\n"),
        "name": (path, lambda text: text + "\nunion all select * from {{ ref('no_such_model') }}\n"),
    }
    if yaml_path:
        broken["yaml"] = (yaml_path, partial(_replaced, old="\n    description:", new="\n   description:"))
    name = scene.chance.choice(sorted(broken))
    file, change = broken[name]
    return Fault(
        kind="parse_failed", project=project, first_job=_building_job(scene, project), said=f"{file}: {name}",
        causes=frozenset({"run_failed_before_dbt"}), is_run=True, changes_code=True,
        strike=lambda studio: studio.edit(file, change),
    )  # fmt: skip


def variable_of_environment_missing(scene: Scene) -> Fault | None:
    """The code asks for an environment variable that nobody set."""
    project = scene.project()
    node = scene.chance.choice(scene.models(project))
    path = f"{project}/{node['original_file_path']}"
    line = "\n-- read by {{ env_var('DBT_FINANCE_ROLE') }}\n"
    return Fault(
        kind="environment_variable_missing", project=project, first_job=_building_job(scene, project),
        said=f"{node['name']} asks for DBT_FINANCE_ROLE", causes=frozenset({"run_failed_before_dbt"}), is_run=True,
        changes_code=True, strike=lambda studio: studio.edit(path, lambda text: text + line),
    )  # fmt: skip


def warehouse_locked(scene: Scene) -> Fault | None:
    """Another process holds the DuckDB file while a job runs."""
    project = scene.project()
    return Fault(
        kind="warehouse_locked", project=project, first_job=_building_job(scene, project), said="held by another",
        causes=frozenset({"warehouse_trouble"}), is_run=True, circumstances=Circumstances(locked=True),
    )  # fmt: skip


def warehouse_out_of_memory(scene: Scene) -> Fault | None:
    """The warehouse has too little memory for what the models need."""
    return _with_settings(scene, "warehouse_out_of_memory", "memory_limit: 3MB, temp_directory: ''")


def warehouse_read_only(scene: Scene) -> Fault | None:
    """The warehouse refuses to be written to."""
    return _with_settings(scene, "warehouse_read_only", None)


def concurrent_builds(scene: Scene) -> Fault:
    """Another run writes the same table at the same time."""
    project, node, circumstances = _collision(scene)
    return Fault(
        kind="concurrent_builds", project=project, first_job=BY_KEY[f"{project}/hourly"],
        said=f"{node['name']} twice", causes=frozenset({"concurrent_runs"}), is_run=True,
        subjects=frozenset({node["unique_id"]}), circumstances=circumstances, fate="concurrent",
    )  # fmt: skip


def retry_repaired(scene: Scene) -> Fault:
    """A table is held by somebody else for a moment, so that a run fails; dbt Cloud's retry of it makes all good."""
    project, node, circumstances = _collision(scene)
    return Fault(
        kind="retry_repaired", project=project, first_job=BY_KEY[f"{project}/hourly"],
        said=f"{node['name']} failed once", causes=frozenset(), is_run=True, is_repaired=True,
        subjects=frozenset({node["unique_id"]}), circumstances=circumstances,
    )  # fmt: skip


def _collision(scene: Scene) -> tuple[str, Mapping[str, Any], Circumstances]:
    """Choose a table of an hourly job, and have somebody write it while dbt does."""
    project = scene.project("storefront", "roastery")
    node = scene.chance.choice([
        node
        for node in scene.models(project)
        if node["config"]["materialized"] == "table"
        and node["unique_id"] in scene.truth.built_by[f"{project}/hourly"]
        and not node["config"].get("contract", {}).get("enforced")
    ])  # fmt: skip
    relation = f"{node['database']}.{node['schema']}.{node['alias']}"
    statement = f"create or replace table {relation} as select * from {relation}"
    return project, node, Circumstances(written_by_another=statement)


def _missed(scene: Scene, kind: str, fate: str, causes: set[str], log: str = "") -> Fault:
    project = scene.project()
    return Fault(
        kind=kind, project=project, first_job=_building_job(scene, project), said=fate, causes=frozenset(causes),
        is_run=True, fate=fate, log=log,
    )  # fmt: skip


def _with_settings(scene: Scene, kind: str, settings: str | None) -> Fault:
    project = scene.project()
    new = "config_options: {threads: 1, access_mode: read_only}" if settings is None else (
        f"config_options: {{threads: 1}}\n      settings: {{{settings}}}"
    )  # fmt: skip
    old = "config_options: {threads: 1}"
    path = f"{project}/profiles.yml"
    return Fault(
        kind=kind, project=project, first_job=_building_job(scene, project), said=settings or "read only",
        causes=frozenset({"warehouse_trouble"}), is_run=True,
        strike=lambda studio: studio.edit(path, lambda text: text.replace(old, new)),
    )  # fmt: skip


def _building_job(scene: Scene, project: str) -> Job:
    return scene.chance.choice([job for job in JOBS if job.project == project and scene.truth.built_by[job.key]])


def _replaced(text: str, old: str, new: str) -> str:
    return text.replace(old, new, 1)


KINDS: tuple[Maker, ...] = (
    run_cancelled, run_queued, run_not_started, run_slow, git_failed, deps_failed, parse_failed,
    variable_of_environment_missing, warehouse_locked, warehouse_out_of_memory, warehouse_read_only, concurrent_builds,
    retry_repaired,
)  # fmt: skip
