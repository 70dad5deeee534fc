"""A reader of recordings, with the standard library only."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Recordings:
    """The archive's index and files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path, "r:xz") as archive:
            self.entries = list(archive)
            self.files = {entry.name: archive.extractfile(entry).read() for entry in self.entries}  # type: ignore[union-attr]
        self.index: dict[str, Any] = json.loads(self.files["index.json"])
        self.by_id: dict[str, dict[str, Any]] = {recording["id"]: recording for recording in self.index["recordings"]}

    def __getitem__(self, recording_id: str) -> dict[str, Any]:
        """The recording with this id."""
        return self.by_id[recording_id]

    def each_step(self) -> Iterator[dict[str, Any]]:
        """Every step of every recording."""
        for recording in self.by_id.values():
            yield from recording["steps"]

    def read_artifact(self, step: dict[str, Any], name: str) -> dict[str, Any]:
        """One artifact of a step."""
        return json.loads(self.files[step["artifacts"][name]])

    def read_log(self, step: dict[str, Any]) -> str:
        """What dbt printed in a step."""
        return self.files[step["log"]].decode()

    def count_statuses(self, step: dict[str, Any], name: str = "run_results.json") -> Counter[str]:
        """How often each status stands in a step's results."""
        return Counter(result["status"] for result in self.read_artifact(step, name)["results"])
