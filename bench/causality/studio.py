"""A folder in which real dbt runs the demo projects at times that a history chooses."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from jobs import BEGAN, WAREHOUSES, Job
from records import ERROR, MANIFEST, RESULTS, SOURCES, SUCCESS, RunRecord, StepRecord, move_artifact

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
HERE = Path(__file__).resolve().parent
PROJECTS = ("storefront", "finance", "roastery")
AS_OF = BEGAN + timedelta(hours=1)
"""The newest moment in the raw data as they are generated; loaders go on from there."""

CLOCK = """{% macro duckdb__current_timestamp() -%}
    timestamp '{{ env_var("CAUSALITY_NOW") }}'
{%- endmacro %}
"""
PACKAGE = {
    "dbt_project.yml": 'name: beans\nversion: "1.0.0"\nconfig-version: 2\nmacro-paths: [macros]\n',
    "macros/beans.sql": "{% macro tidy(column_name) -%}\n    trim({{ column_name }})\n{%- endmacro %}\n",
}
UNTESTED = {
    "storefront": (("marts", "executive"), ("marts", "marketing"), ("marts", "operations"), ("marts", "subscriptions"),
                   ("intermediate",)),
}  # fmt: skip
"""Folders of models whose tests are left out, so that a history is affordable."""

USES_PACKAGE = (
    ("storefront", "models/marts/core/dim_cafes.sql", "    cafes.city,", "    {{ beans.tidy('cafes.city') }} as city,"),
    ("storefront", "models/staging/shop/stg_shop__customers.sql", "lower(email)", "{{ beans.tidy('lower(email)') }}"),
)
_IGNORED = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", ".user.yml")
_GAP = timedelta(seconds=2)
IN_CLOUD = "/usr/src/app"
"""Where dbt Cloud would have the projects; the folder of a history would differ from run to run."""


class Dbt:
    """The process in dbt's environment; it begins with the first order, since it takes seconds to load dbt."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def do(self, order: Mapping[str, Any]) -> tuple[bool, str]:
        """Have an order done; gives whether it succeeded, and what was written to the terminal."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("dbt's process ended")
        answer = json.loads(line)
        return answer["succeeded"], answer["output"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [self._python, HERE / "run_dbt.py", self._folder / "output.txt"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "DO_NOT_TRACK": "1", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip


@dataclass
class Circumstances:
    """What is out of the ordinary while a command runs."""

    locked: bool = False
    written_by_another: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Studio:
    """The projects, their warehouses, and what of the sources' loaders stands still."""

    folder: Path
    dbt: Dbt
    stopped: dict[str, datetime] = field(default_factory=dict)
    """Raw tables as `warehouse.schema.table` whose loader stopped, and when."""
    gone: set[str] = field(default_factory=set)
    """Raw tables as `schema.table` that are no longer there."""
    loaded_until: dict[str, datetime] = field(default_factory=dict)
    generated_at: datetime = AS_OF
    """Up to when the tables that `loaded_until` does not name are loaded."""

    def warehouse(self, project: str) -> Path:
        """Give the project's DuckDB file."""
        return self.folder / f"{WAREHOUSES[project]}.duckdb"

    def sql(self, project: str, statements: Sequence[str]) -> None:
        """Run statements on a project's warehouse."""
        order = {"act": "sql", "warehouse": str(self.warehouse(project)), "statements": list(statements)}
        succeeded, output = self.dbt.do(order)
        if not succeeded:
            raise RuntimeError(f"{statements}\n{output}")

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Change a file's text; one that is not there yet is empty."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        changed = change(text)
        if changed == text:
            raise ValueError(f"{path} was to be changed and is not")
        file.write_text(changed, encoding="utf-8")

    def load(self, project: str, tables: Sequence[str], now: datetime) -> None:
        """Let the loaders bring their tables up to a moment, those that stopped up to when they did."""
        statements = []
        for table in set(tables) - self.gone:
            name = f"{WAREHOUSES[project]}.{table}"
            until = min(now, self.stopped.get(name, now))
            by = (until - self.loaded_until.get(name, self.generated_at)).total_seconds()
            self.loaded_until[name] = until
            statements.append(f"update {table} set _loaded_at = _loaded_at + to_seconds({by:.0f})")
        self.sql(project, statements)

    def run_dbt(
        self, project: str, command: str, now: datetime, circumstances: Circumstances | None = None
    ) -> tuple[bool, str]:
        """Run one dbt command at a moment."""
        special = circumstances or Circumstances()
        folder = self.folder / project
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC", "DO_NOT_TRACK": "1",
            "DBT_TARGET": "prod", "CAUSALITY_NOW": now.strftime("%Y-%m-%d %H:%M:%S"), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        order = {
            "act": "dbt", "folder": str(folder), "environment": environment | special.environment,
            "arguments": shlex.split(command)[1:], "warehouse": str(self.warehouse(project)),
            "locked": str(self.warehouse(project)) if special.locked else None,
            "written_by_another": special.written_by_another,
        }  # fmt: skip
        return self.dbt.do(order)

    def run_step(
        self, project: str, command: str, now: datetime, circumstances: Circumstances | None = None
    ) -> StepRecord:
        """Run one command as a step of a run and keep what it wrote, moved to the moment."""
        target = self.folder / project / "target"
        published = (target / MANIFEST).read_bytes() if (target / MANIFEST).exists() else None
        for name in (MANIFEST, RESULTS, SOURCES):
            if not (command.startswith("dbt retry") and name == RESULTS):
                (target / name).unlink(missing_ok=True)
        before = _stamp(target / RESULTS)
        began = datetime.now(UTC)
        succeeded, output = self.run_dbt(project, command, now, circumstances)
        ended = datetime.now(UTC)
        artifacts = {}
        for name in (MANIFEST, RESULTS, SOURCES):
            path = target / name
            if path.exists() and not (name == RESULTS and _stamp(path) == before):
                body = path.read_bytes().replace(str(self.folder).encode(), IN_CLOUD.encode())
                artifacts[name] = move_artifact(name, body, now - began)
        if published is not None and not (target / MANIFEST).exists():
            (target / MANIFEST).write_bytes(published)  # other projects go on with what was published last
        return StepRecord(
            name=f"Invoke dbt with `{command}`", status=SUCCESS if succeeded else ERROR, started_at=now,
            finished_at=now + (ended - began), command=command, artifacts=artifacts,
            log=output.replace(str(self.folder), IN_CLOUD),
        )  # fmt: skip

    def run_job(
        self,
        job: Job,
        run_id: int,
        created_at: datetime,
        revision: str,
        *,
        tables: Sequence[str] = (),
        commands: Sequence[str] = (),
        configured: Sequence[str] = (),
        circumstances: Circumstances | None = None,
        retrying: int | None = None,
    ) -> RunRecord:
        """Run a job's commands one after the other, until one fails; a failed freshness check stops nothing.

        `configured` is what dbt Cloud shows as the job's commands, where `commands` are not all of them.
        """
        chosen = tuple(commands or job.commands)
        started_at = created_at + timedelta(seconds=8)
        steps = list(cloud_steps(started_at))
        now = steps[-1].finished_at + _GAP
        for command in chosen:
            if command == "dbt source freshness":
                self.load(job.project, tables, now - timedelta(minutes=1))
            step = self.run_step(job.project, command, now, circumstances)
            steps.append(step)
            now = step.finished_at + _GAP
            if step.status == ERROR and (command != "dbt source freshness" or len(chosen) == 1):
                break
        return RunRecord(
            job=job, run_id=run_id, status=steps[-1].status, created_at=created_at, revision=revision,
            started_at=started_at, finished_at=now, steps=tuple(steps), job_commands=tuple(configured or chosen),
            message=None if steps[-1].status == SUCCESS else f"dbt command failed: {steps[-1].command}",
            retrying_run_id=retrying,
        )  # fmt: skip


def cloud_steps(started_at: datetime, *, failed: str | None = None, log: str = "") -> tuple[StepRecord, ...]:
    """Give the steps with which dbt Cloud begins a run, up to the one that failed: clone, profile or deps."""
    named = (
        ("clone", "Clone git repository", None, 3),
        ("profile", "Create profile from connection Analytics warehouse", None, 1),
        ("deps", "Invoke dbt with `dbt deps`", "dbt deps", 4),
    )
    steps: list[StepRecord] = []
    now = started_at
    for key, name, command, seconds in named:
        status = ERROR if key == failed else SUCCESS
        end = now + timedelta(seconds=seconds)
        steps.append(StepRecord(name, status, now, end, command, log=log if key == failed else ""))
        now = end
        if key == failed:
            break
    return tuple(steps)


def build_projects(folder: Path) -> None:
    """Put the demo's projects into a folder, with a clock that can be set and a package of their own."""
    for project in PROJECTS:
        shutil.copytree(DEMO / project, folder / project, ignore=_IGNORED)
        (folder / project / "macros" / "causality_clock.sql").write_text(CLOCK, encoding="utf-8")
        _make_small(folder / project)
    for name, text in PACKAGE.items():
        path = folder / "storefront" / "dbt_packages" / "beans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for project, path, old, new in USES_PACKAGE:
        file = folder / project / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path}: {old!r} is not there once"
        file.write_text(text.replace(old, new), encoding="utf-8")
        (folder / project / "packages.yml").write_text("packages:\n  - local: ../beans\n", encoding="utf-8")


def _make_small(folder: Path) -> None:
    """Have one thread of dbt and of DuckDB, and fewer tests."""
    profiles = folder / "profiles.yml"
    text = profiles.read_text(encoding="utf-8")
    profiles.write_text(text.replace("threads: 4", "threads: 1\n      config_options: {threads: 1}"), encoding="utf-8")
    path = folder / "dbt_project.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    tests: dict[str, Any] = {}
    for place in UNTESTED.get(folder.name, ()):
        inner = tests
        for name in place:
            inner = inner.setdefault(name, {})
        inner["+enabled"] = False
    document["data_tests"] = {folder.name: tests}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def write_warehouses(python: Path, folder: Path) -> None:
    """Generate the raw data."""
    command = [python, DEMO / "generate.py", "--folder", folder, "--as-of", AS_OF.isoformat()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def copy_folder(source: Path, destination: Path) -> None:
    """Make one folder like another."""
    shutil.rmtree(destination, ignore_errors=True)
    shutil.copytree(source, destination, symlinks=True)


def move_studio(folder: Path, made_at: Path) -> None:
    """Let what dbt keeps of its last parse name the present folder; that it was made at has a path as long as it."""
    old, new = str(made_at).encode(), str(folder).encode()
    assert len(old) == len(new), "dbt writes down how long each text is"
    for path in folder.glob("*/target/partial_parse.msgpack"):
        path.write_bytes(path.read_bytes().replace(old, new))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
