"""What real dbt wrote for one project by several commands is the same content."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from headwater import simulator
from headwater.artifacts import fingerprint_manifest, read_manifest, read_run_results
from headwater.model.node import Manifest

RECORDINGS = Path(simulator.__file__).parent / "recordings.tar.xz"


@pytest.fixture(scope="module")
def recorded() -> dict[str, bytes]:
    """Every file of the recordings, by its name in the archive."""
    if not RECORDINGS.exists():
        pytest.skip("The demo projects were not recorded yet.")
    with tarfile.open(RECORDINGS) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
        return {name: re.sub(rb"__[A-Z]+_ID__", b"70001", file.read()) for name, file in files if file}


def steps_of(recorded: dict[str, bytes], name: str) -> list[tuple[dict[str, Any], list[tuple[str, bytes]]]]:
    """Give each recording that has such files with those of its steps."""
    found = [
        (
            recording,
            [
                (step["command"], recorded[step["artifacts"][name]])
                for step in recording["steps"]
                if name in step["artifacts"]
            ],
        )
        for recording in json.loads(recorded["index.json"])["recordings"]
    ]
    return [(recording, steps) for recording, steps in found if steps]


def versions(manifest: Manifest) -> dict[str, tuple[bytes, bytes]]:
    """Give both versions of each node."""
    return {node.unique_id: (node.version, node.code_version) for node in manifest.nodes}


def test_commands_of_one_run_give_one_content(recorded: dict[str, bytes]) -> None:
    """Freshness, seed, build and docs generate of one revision differ in their bytes and not in what they say."""
    compared = 0
    for recording, steps in steps_of(recorded, "manifest.json"):
        first, *others = [(command, read_manifest(data)) for command, data in steps]
        assert not first[1].faults
        for command, other in others:
            assert versions(other) == versions(first[1]), (recording["id"], command)
            assert other.content == first[1].content, (recording["id"], command)
            compared += 1
    assert compared


def test_a_fingerprint_tells_contents_apart_without_decoding(recorded: dict[str, bytes]) -> None:
    """One fingerprint never stands for two contents, and whatever the command it rarely takes two for one content."""
    contents: dict[bytes, bytes] = {}
    manifests = 0
    for _, steps in steps_of(recorded, "manifest.json"):
        for _, data in steps:
            manifests += 1
            content = read_manifest(data).content
            assert contents.setdefault(fingerprint_manifest(data), content) == content

    assert len(set(contents.values())) > 5
    assert len(contents) < 2 * len(set(contents.values())) < manifests / 2


def test_recorded_results_name_nodes_of_their_manifest(recorded: dict[str, bytes]) -> None:
    """Every execution is of a node that the manifest of its run has."""
    manifests = {recording["id"]: steps[-1][1] for recording, steps in steps_of(recorded, "manifest.json")}
    for recording, steps in steps_of(recorded, "run_results.json"):
        nodes = {node.unique_id for node in read_manifest(manifests[recording["id"]]).nodes}
        for _, data in steps:
            read = read_run_results(data)
            assert not read.faults
            assert {execution.unique_id for execution in read.executions} <= nodes
