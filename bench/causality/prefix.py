"""The healthy days before every history: each job recorded once with real dbt, its runs told as those of all days."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from jobs import BEGAN, JOBS, PREFIX_END, Job, each_slot, run_id_at
from records import ERROR, MANIFEST, RunRecord
from studio import DEMO, HERE, PROJECTS, Dbt, Studio, build_projects, copy_folder, move_studio, write_warehouses
from telling import tell, tell_of_poll

from headwater.config import read_settings
from headwater.observatory.holder import Observatory, open_observatory

HEALTHY = "healthy"
_NAME = 16
KEPT_HOURS = (0, 6, 12, 18, 24, 30)
"""After how many hours of the day behind the healthy ones a store is kept, so that no history tells them again."""


@dataclass
class VirtualClock:
    """The time of a history."""

    now: datetime

    def __call__(self) -> datetime:
        """Give the time."""
        return self.now


@dataclass(frozen=True)
class Prefix:
    """What every history begins with: a folder after a healthy day, a run of each job, manifests as dbt wrote them."""

    folder: Path
    store: Path
    """The folder with the stores of a Headwater that was told of the healthy days."""
    runs: dict[str, RunRecord]
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def studio(self) -> Path:
        """Give the folder with projects and warehouses."""
        return self.folder / "studio"

    def tables(self, project: str) -> list[str]:
        """List the raw tables of a project that loaders stamp, as `schema.table`."""
        sources = self.manifests[project]["sources"].values()
        return sorted({
            f"{source['schema']}.{source['identifier']}" for source in sources if source["loaded_at_field"]
        })  # fmt: skip

    def replay(self, job: Job, at: datetime, revision: str, chance: Random) -> RunRecord:
        """Give a healthy run of a job at a time."""
        return self.runs[job.key].moved(at, run_id_at(at, job), revision, chance)


def open_prefix(cache: Path, python: Path) -> Prefix:
    """Open the prefix of the demo projects as they stand; it is recorded where there is none yet."""
    folder = cache / "causality" / _digest()
    if not (folder / "runs.pickle").exists():
        _record(folder, python)
    store = folder / f"store-{_digest_headwater()}"
    prefix = load_prefix(folder, store)
    if not store.exists():
        for told_to_another in folder.glob("store-*"):
            shutil.rmtree(told_to_another, ignore_errors=True)
        _tell_days(store, prefix.runs)
    return prefix


def load_prefix(folder: Path, store: Path) -> Prefix:
    """Load a prefix that was recorded."""
    with (folder / "runs.pickle").open("rb") as file:
        runs: dict[str, RunRecord] = pickle.load(file)  # our own file
    manifests = {project: msgspec.json.decode(_manifest_of(runs[f"{project}/nightly"])) for project in PROJECTS}
    return Prefix(folder, store, runs, manifests)


def open_store(folder: Path, clock: VirtualClock) -> AbstractContextManager[Observatory]:
    """Open a Headwater on the store in a folder."""
    return open_observatory(
        read_settings(data_folder=folder, database_url=f"sqlite:///{folder / 'headwater.db'}"), clock=clock
    )


def _manifest_of(run: RunRecord) -> bytes:
    return next(step.artifacts[MANIFEST] for step in reversed(run.steps) if MANIFEST in step.artifacts)


def _digest() -> str:
    digest = hashlib.sha256()
    files = [path for path in DEMO.rglob("*") if path.is_file() and not _is_made(path)]
    for path in sorted([*files, HERE / "prefix.py", HERE / "studio.py", HERE / "jobs.py", HERE / "records.py"]):
        digest.update(str(path.relative_to(DEMO.parent)).encode() + path.read_bytes())
    return digest.hexdigest()[:_NAME]


def _digest_headwater() -> str:
    """Tell the Headwater that was told from another version of it."""
    digest = hashlib.sha256((HERE / "telling.py").read_bytes())
    for path in sorted((DEMO.parent / "src" / "headwater").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _is_made(path: Path) -> bool:
    return bool({"target", "logs", "dbt_packages", "__pycache__"} & set(path.parts)) or path.suffix == ".duckdb"


def _record(folder: Path, python: Path) -> None:
    """Record in a folder of its own, which takes its place once it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = name_folder(folder.parent, "recording")
    draft.mkdir()
    studio_folder = draft / "studio"
    studio_folder.mkdir()
    build_projects(studio_folder)
    write_warehouses(python, studio_folder)
    dbt = Dbt(python, draft / "terminal")
    studio = Studio(studio_folder, dbt)
    runs: dict[str, RunRecord] = {}
    for job in sorted(JOBS, key=lambda job: not job.builds_all):
        if job.builds_all:
            _prepare(studio, job.project)
        slot_at = BEGAN + timedelta(days=1, hours=job.hours[0], minutes=job.minute)
        tables = _tables(studio, job.project)
        runs[job.key] = _healthy(studio, job, slot_at, tables)
        print(f"recorded {job.key}", flush=True)
    for project in ("storefront", "roastery"):
        studio.load(project, _tables(studio, project), PREFIX_END)
    dbt.close()
    with (draft / "runs.pickle").open("wb") as file:
        pickle.dump(runs, file)
    shutil.rmtree(draft / "terminal", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    move_studio(folder / "studio", studio_folder)


def name_folder(parent: Path, word: str) -> Path:
    """Name a folder of this process; all names are equally long, so that dbt's parse can be moved."""
    digest = hashlib.sha256(str(os.getpid()).encode()).hexdigest()
    return parent / f"{word}-{digest}"[:_NAME]


def _prepare(studio: Studio, project: str) -> None:
    """Build once, so that what a job's run reads is there, and incremental models have something to add to."""
    for command in ("dbt parse", "dbt build --exclude resource_type:test resource_type:unit_test"):
        succeeded, output = studio.run_dbt(project, command, BEGAN)
        assert succeeded, output


def _tables(studio: Studio, project: str) -> list[str]:
    manifest = msgspec.json.decode((studio.folder / project / "target" / MANIFEST).read_bytes())
    return Prefix(studio.folder, studio.folder, {}, {project: manifest}).tables(project)


def _healthy(studio: Studio, job: Job, at: datetime, tables: list[str]) -> RunRecord:
    run = studio.run_job(job, run_id_at(at, job), at, HEALTHY, tables=tables)
    wrong = [step for step in run.steps if step.status == ERROR]
    assert not wrong, wrong[0].log
    return run


def _tell_days(folder: Path, runs: dict[str, RunRecord]) -> None:
    """Tell a Headwater of all healthy days, and keep its store as it was every few hours of the last one."""
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix="telling-"))
    told, chance = draft / "told", Random(0)
    told.mkdir()
    after = BEGAN
    for hours in KEPT_HOURS:
        until = PREFIX_END + timedelta(hours=hours)
        clock = VirtualClock(after)
        with open_store(told, clock) as observatory:
            for slot in each_slot(after, until):
                record = runs[slot.job.key].moved(slot.at, run_id_at(slot.at, slot.job), HEALTHY, chance)
                clock.now = record.ends_at
                tell(observatory, record)
            tell_of_poll(observatory)
            observatory.store.update_statistics()
        copy_folder(told, draft / f"{hours}")
        after = until
    shutil.rmtree(told)
    draft.rename(folder)


def copy_prefix(prefix: Prefix, work: Path, until: datetime) -> datetime:
    """Put projects, warehouses and a store into a folder; gives up to when the store was told, at most `until`."""
    hours = max((hours for hours in KEPT_HOURS if PREFIX_END + timedelta(hours=hours) <= until), default=0)
    copy_folder(prefix.studio, work / "studio")
    move_studio(work / "studio", prefix.studio)
    copy_folder(prefix.store / f"{hours}", work / "store")
    return PREFIX_END + timedelta(hours=hours)
