"""Where a dbt project keeps its artifacts, and what is in there: only read, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from headwater.artifacts.metadata import read_metadata
from headwater.artifacts.target import TARGET_FILES
from headwater.collect import MANIFEST, CollectedTarget, TargetFile
from headwater.errors import ArtifactUnreadable, NotKnown

PROJECT_FILE = "dbt_project.yml"
_SIZE_LIMIT = 2**31
_HEAD_BYTES = 64 * 1024
_TARGET_PATH = re.compile(r"^target-path:\s*(['\"]?)([^'\"#{\n]+?)\1\s*(?:#.*)?$", re.MULTILINE)


def find_target(arguments: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Path:
    """Find the folder a dbt command line writes to, as dbt does: its options, then its environment, then the project.

    The project is `--project-dir`, DBT_PROJECT_DIR, or the nearest folder upwards with a dbt_project.yml; the target
    folder is `--target-path`, DBT_TARGET_PATH, or the project's `target-path`, within the project if relative.
    """
    given = _option(arguments, "--project-dir") or _variable(environ, "PROJECT_DIR")
    project = cwd / given if given else find_project(cwd)
    return target_folder(project, environ, _option(arguments, "--target-path"))


def find_project(cwd: Path) -> Path:
    """Find the nearest folder upwards that is a dbt project, else the folder itself."""
    return next((folder for folder in (cwd, *cwd.parents) if (folder / PROJECT_FILE).is_file()), cwd)


def target_folder(project: Path, environ: Mapping[str, str], target_path: str | None = None) -> Path:
    """Give a project's target folder."""
    return project / (target_path or _variable(environ, "TARGET_PATH") or _configured(project) or "target")


def mark_target(folder: Path) -> dict[str, str]:
    """Note which invocation wrote each artifact of a folder; one that does not say is noted by its size and time."""
    marks: dict[str, str] = {}
    for name in TARGET_FILES:
        try:
            mark = _mark(folder / name)
        except OSError:
            continue
        marks[name] = mark
    return marks


def read_folder(
    folder: Path, before: Mapping[str, str] | None = None, *, command: str | None = None
) -> CollectedTarget | None:
    """Read a target folder; with `before`, only what was written since, and the manifest for its lineage.

    None where nothing was written since.

    Raises:
        NotKnown: the folder is not there or holds no dbt artifact.
        ArtifactUnreadable: none of its artifacts can be read.
    """
    if not folder.is_dir():
        if before is not None:
            return None
        raise NotKnown(f"{folder} is not a folder.", hint="Give dbt's target folder, after dbt has run.")
    warnings: list[str] = []
    old = () if before is None else tuple(_each_old(folder, before))
    files = tuple(_each_file(folder, old, warnings))
    if before is not None and all(file.is_context for file in files) and not warnings:
        return None
    if not files and not warnings:
        raise NotKnown(
            f"{folder} holds no manifest.json, run_results.json, sources.json or catalog.json.",
            hint="Give dbt's target folder, after dbt has run.",
        )
    if not files:
        raise ArtifactUnreadable(f"Nothing in {folder} can be read. {' '.join(warnings)}")
    return CollectedTarget(files=files, collected_at=datetime.now(UTC), warnings=tuple(warnings), command=command)


def _each_old(folder: Path, before: Mapping[str, str]) -> Iterator[str]:
    """Name the artifacts that were there before, or that an invocation wrote which was."""
    ids = set(before.values())
    for name, mark in mark_target(folder).items():
        if mark in ids:
            yield name


def _each_file(folder: Path, old: Sequence[str], warnings: list[str]) -> Iterator[TargetFile]:
    for name in TARGET_FILES:
        if name in old and name != MANIFEST:
            continue
        body = _read(folder / name, warnings)
        if body is not None:
            yield TargetFile(name=name, body=body, is_context=name in old)


def _read(path: Path, warnings: list[str]) -> bytes | None:
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            warnings.append(f"{path.name} is larger than 2 GiB and was left out.")
            return None
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        warnings.append(f"{path.name} cannot be read: {error.strerror}.")
        return None


def _mark(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        facts = path.stat()
        unnamed = f"{path.name} {facts.st_size} {facts.st_mtime_ns}"
        try:
            return read_metadata(head).invocation_id or unnamed
        except ArtifactUnreadable:
            pass
        try:
            return read_metadata(head + file.read(_SIZE_LIMIT)).invocation_id or unnamed
        except ArtifactUnreadable:
            return unnamed


def _option(arguments: Sequence[str], name: str) -> str | None:
    """Give the last value of an option, as `--name value` or `--name=value`."""
    found = None
    for word, following in zip_longest(arguments, arguments[1:]):
        if word == name:
            found = following
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    """Give a variable of dbt's; since 1.11 the names with ENGINE win."""
    return environ.get(f"DBT_ENGINE_{name}") or environ.get(f"DBT_{name}") or None


def _configured(project: Path) -> str | None:
    try:
        found = _TARGET_PATH.search((project / PROJECT_FILE).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[2].strip() if found else None
