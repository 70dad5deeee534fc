"""Cleans recorded artifacts of what belongs to the recording machine and packs them small and reproducibly."""

from __future__ import annotations

import io
import json
import lzma
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOME = "/usr/src/app"
PYTHON_HOME = "/usr/local"
PYTHON_PREFIX = re.compile(r"/[^\s\"']*?(?=/(?:lib|bin)/python3\.)")
MACHINE_PATH = re.compile(r"/(?:work|tmp|root|home|Users|private|var/folders|opt)/[^\s\"']*")
PARSED_AT = 1767225600.0
LOG_HEAD, LOG_TAIL = 120, 80
KINDS = ("manifest.json", "run_results.json", "sources.json", "catalog.json", "log.txt")
XZ_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 128 << 20}]


def clean_text(text: str, folder: Path) -> str:
    """Puts dbt Cloud's folder and Python's usual one for ours; any other path of the machine is an error."""
    cleaned = PYTHON_PREFIX.sub(PYTHON_HOME, text.replace(str(folder), HOME))
    if leak := MACHINE_PATH.search(cleaned):
        raise ValueError(f"a path of this machine is left: {leak.group()}")
    return cleaned


def clean_log(text: str, folder: Path) -> str:
    """A log of at most some two hundred lines: its head, a line that says how many were left out, its tail."""
    lines = clean_text(text, folder).splitlines()
    if len(lines) > LOG_HEAD + LOG_TAIL:
        left_out = len(lines) - LOG_HEAD - LOG_TAIL
        lines = [*lines[:LOG_HEAD], f"[{left_out} lines left out]", *lines[-LOG_TAIL:]]
    return "\n".join(lines) + "\n"


def sort_by_key(value: Any) -> Any:
    """A mapping in the order of its keys; anything else as it is."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def clean_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest in the order of its ids, with one moment of parsing: it differs only where the code does."""
    cleaned = {name: value if name == "metadata" else sort_by_key(value) for name, value in manifest.items()}
    for group in (
        "nodes",
        "sources",
        "macros",
        "exposures",
        "metrics",
        "semantic_models",
        "saved_queries",
        "unit_tests",
        "functions",
    ):
        for node in cleaned[group].values():
            if "created_at" in node:
                node["created_at"] = PARSED_AT
    for edges in ("parent_map", "child_map"):
        cleaned[edges] = {key: sorted(value) for key, value in cleaned[edges].items()}
    return cleaned


def member_order(name: str) -> tuple[int, str]:
    """Files of the same kind side by side, and within a kind those of the same project and job."""
    return KINDS.index(name.rsplit("/", 1)[1]), name


def add_member(archive: tarfile.TarFile, name: str, text: str) -> None:
    """Adds one file without anything that depends on machine, user or time."""
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.uid, entry.gid, entry.mode = len(data), 0, 0, 0, 0o644
    archive.addfile(entry, io.BytesIO(data))


def write_archive(path: Path, index: Mapping[str, Any], members: Mapping[str, str]) -> int:
    """Writes index and members as one solid xz and returns its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with (
        lzma.open(unfinished, "wb", format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=XZ_FILTERS) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        add_member(archive, "index.json", json.dumps(index, indent=1))
        for name in sorted(members, key=member_order):
            add_member(archive, name, members[name])
    unfinished.replace(path)
    return path.stat().st_size
