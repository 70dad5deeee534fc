"""Runs the demo projects' jobs with real dbt in every scenario of the plan and packs what dbt wrote."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archive import clean_log, clean_manifest, clean_text, write_archive
from faults import DATA_FAULTS, locked, run_sql
from generate import write_warehouse
from plan import PROJECTS, TAKES, Job, Project, Take
from revisions import REVISIONS, apply_edits, edits_of

DEMO = Path(__file__).parent
OUTPUT = DEMO.parent / "src" / "headwater" / "simulator" / "recordings.tar.xz"
ARTIFACTS = ("manifest.json", "run_results.json", "sources.json", "catalog.json")
NEWEST = "c"
DBT = [sys.executable, "-c", "from dbt.cli.main import cli; cli()"]
NOT_COPIED = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", ".user.yml")
PLACEHOLDERS = (
    "ACCOUNT_ID",
    "PROJECT_ID",
    "JOB_ID",
    "ENVIRONMENT_ID",
    "RUN_ID",
    "RUN_REASON",
    "RUN_REASON_CATEGORY",
    "RUN_TRIGGER_CATEGORY",
)


@dataclass
class Studio:
    """The folder in which dbt runs, and what has been recorded there so far."""

    folder: Path
    members: dict[str, str] = field(default_factory=dict)
    recordings: list[dict[str, Any]] = field(default_factory=list)

    def warehouse(self, project: Project) -> Path:
        """The project's DuckDB file."""
        return self.folder / f"{project.warehouse}.duckdb"

    def pristine(self, project: Project) -> Path:
        """The copy of the project's warehouse from which every take starts."""
        return self.folder / f"{project.warehouse}.{project.name}.pristine"


def check_out(studio: Studio, project: str, revision: str) -> None:
    """Puts one revision of a project's code in the studio; target/ stays, so that dbt parses only what changed."""
    folder = studio.folder / project
    kept = studio.folder / "kept-target"
    if (folder / "target").exists():
        (folder / "target").rename(kept)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DEMO / project, folder, ignore=NOT_COPIED)
    if kept.exists():
        kept.rename(folder / "target")
    apply_edits(folder, edits_of(project, revision))


def hash_revision(project: str, revision: str) -> str:
    """A commit id for a revision: the hash of its files."""
    digest = hashlib.sha1(usedforsecurity=False)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / project
        shutil.copytree(DEMO / project, copy, ignore=NOT_COPIED)
        apply_edits(copy, edits_of(project, revision))
        for path in sorted(path for path in copy.rglob("*") if path.is_file()):
            digest.update(f"{path.relative_to(copy)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def dbt_environment(studio: Studio, target: str) -> dict[str, str]:
    """The environment of a dbt command as dbt Cloud sets it, with placeholders for what differs between runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    for name in PLACEHOLDERS:
        environment[f"DBT_ENV_CUSTOM_ENV_DBT_CLOUD_{name}"] = f"__{name}__"
    environment |= {
        "DBT_TARGET": target,
        "DO_NOT_TRACK": "1",
        "TZ": "UTC",
        "PYTHONPATH": str(DEMO / "mesh"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if target == "ci":
        environment |= {"DBT_STATE": str(studio.folder / "production"), "DBT_DEFER": "true"}
    return environment


def run_dbt(studio: Studio, project: str, command: str, target: str) -> subprocess.CompletedProcess[str]:
    """Runs one dbt command in the studio's copy of the project."""
    return subprocess.run(
        [*DBT, *command.split()[1:]],
        cwd=studio.folder / project,
        env=dbt_environment(studio, target),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def must_run(studio: Studio, project: str, command: str) -> None:
    """Runs a dbt command that prepares a take and has to succeed."""
    done = run_dbt(studio, project, command, "prod")
    if done.returncode:
        raise RuntimeError(f"{project}: {command} failed\n{done.stdout}")


def steps_of(job: Job, take: Take) -> list[tuple[str, str]]:
    """The kind and the command of every step that dbt Cloud would run, in order."""
    commands = ("dbt retry",) if take.retries else job.commands
    steps = [("command", command) for command in commands]
    if job.generate_sources and not take.retries:
        steps.insert(0, ("freshness", "dbt source freshness"))
    if job.generate_docs:
        steps.append(("docs", "dbt docs generate"))
    return steps


def record_step(studio: Studio, project: str, target: str, prefix: str, step: tuple[str, str]) -> dict[str, Any]:
    """Runs one step, a kind and a command, and keeps its log and the artifacts that it wrote."""
    kind, command = step
    target_folder = studio.folder / project / "target"
    for name in ARTIFACTS:
        if not (command == "dbt retry" and name == "run_results.json"):
            (target_folder / name).unlink(missing_ok=True)
    started_at = datetime.now(UTC)
    done = run_dbt(studio, project, command, target)
    finished_at = datetime.now(UTC)
    artifacts: dict[str, str] = {}
    for name in ARTIFACTS:
        path = target_folder / name
        if path.exists() and path.stat().st_mtime >= started_at.timestamp():
            document = json.loads(path.read_text(encoding="utf-8"))
            if name == "manifest.json":
                document = clean_manifest(document)
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
            artifacts[name] = f"{prefix}/{name}"
            studio.members[artifacts[name]] = clean_text(text, studio.folder)
    studio.members[f"{prefix}/log.txt"] = clean_log(done.stdout, studio.folder)
    return {
        "command": command,
        "kind": kind,
        "succeeded": done.returncode == 0,
        "started_at": started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "artifacts": artifacts,
        "log": f"{prefix}/log.txt",
    }


def prepare_take(studio: Studio, project: Project, take: Take) -> None:
    """Brings code and data into the state in which the take starts."""
    check_out(studio, project.name, take.revision)
    warehouse = studio.warehouse(project)
    if take.retries:
        retried = next(other for other in TAKES[project.name] if other.name == take.retries)
        run_sql(warehouse, DATA_FAULTS[retried.data_fault].repair if retried.data_fault else ())
        return
    shutil.copyfile(studio.pristine(project), warehouse)
    run_sql(warehouse, DATA_FAULTS[take.data_fault].spoil if take.data_fault else ())
    if project.upstream and take.upstream_revision:
        check_out(studio, project.upstream, take.upstream_revision)
        must_run(studio, project.upstream, "dbt run")


def record_take(studio: Studio, project: Project, take: Take) -> dict[str, Any]:
    """Records one execution of a job; it stops after a command that failed."""
    job = next(job for job in project.jobs if job.name == take.job)
    prepare_take(studio, project, take)
    steps: list[dict[str, Any]] = []
    with locked(studio.warehouse(project)) if take.warehouse_is_locked else nullcontext():
        for index, step in enumerate(steps_of(job, take), start=1):
            prefix = f"{project.name}/{take.name}/{index}"
            steps.append(record_step(studio, project.name, job.target, prefix, step))
            if step[0] == "command" and not steps[-1]["succeeded"]:
                break
    return {
        "id": f"{project.name}/{take.name}",
        "project": project.name,
        "job": take.job,
        "scenario": take.scenario,
        "revision": take.revision,
        "retry_of": f"{project.name}/{take.retries}" if take.retries else None,
        "succeeded": all(step["succeeded"] for step in steps if step["kind"] == "command"),
        "steps": steps,
    }


def prime(studio: Studio, project: Project) -> None:
    """Builds everything once unrecorded, so that recorded runs find tables, as on any day but the first."""
    if project.upstream:
        shutil.copyfile(studio.folder / f"{project.warehouse}.{project.upstream}.pristine", studio.warehouse(project))
        check_out(studio, project.upstream, NEWEST)
        must_run(studio, project.upstream, "dbt run")
    check_out(studio, project.name, "a")
    must_run(studio, project.name, "dbt build")
    if any(job.target == "ci" for job in project.jobs):
        (studio.folder / "production").mkdir(exist_ok=True)
        shutil.copy(studio.folder / project.name / "target" / "manifest.json", studio.folder / "production")
    shutil.copyfile(studio.warehouse(project), studio.pristine(project))


def record_project(studio: Studio, project: Project, only: re.Pattern[str]) -> None:
    """Records every take of a project whose id matches."""
    prime(studio, project)
    for take in TAKES[project.name]:
        if only.search(f"{project.name}/{take.name}"):
            recording = record_take(studio, project, take)
            studio.recordings.append(recording)
            outcome = "succeeded" if recording["succeeded"] else "failed"
            print(f"{recording['id']}: {outcome}, {len(recording['steps'])} steps", flush=True)


def needed_projects(only: re.Pattern[str]) -> set[str]:
    """The projects with a take that matches, and those on which these build."""
    matching = [
        project
        for project in PROJECTS
        if any(only.search(f"{project.name}/{take.name}") for take in TAKES[project.name])
    ]
    return {name for project in matching for name in (project.name, project.upstream) if name}


def describe_project(project: Project) -> dict[str, Any]:
    """A project's entry in the index."""
    jobs = [
        {
            "name": job.name,
            "commands": list(job.commands),
            "generate_docs": job.generate_docs,
            "generate_sources": job.generate_sources,
        }
        for job in project.jobs
    ]
    return {
        "name": project.name,
        "git_revisions": {name: hash_revision(project.name, name) for name in REVISIONS[project.name]},
        "jobs": jobs,
    }


def main() -> None:
    """Reads the command line, records, packs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument(
        "--only", type=re.compile, default=re.compile(""), help="record only the ids that match this regular expression"
    )
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder).resolve())
        for name in ("fernhill", "roastery"):
            write_warehouse(studio.folder / f"{name}.duckdb", datetime.now(UTC), options.seed)
        needed = needed_projects(options.only)
        for project in (project for project in PROJECTS if project.name in needed):
            record_project(studio, project, options.only)
    index = {
        "format": 1,
        "dbt_version": version("dbt-core"),
        "adapter": "duckdb",
        "projects": [describe_project(project) for project in PROJECTS],
        "recordings": studio.recordings,
    }
    size = write_archive(options.output, index, studio.members)
    print(f"{options.output.name}: {len(studio.recordings)} recordings, {len(studio.members)} files, {size} bytes")


if __name__ == "__main__":
    main()
