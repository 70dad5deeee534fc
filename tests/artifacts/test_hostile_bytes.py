"""Whatever the bytes are, reading answers or raises ArtifactUnreadable; and no damage spreads."""

from __future__ import annotations

import contextlib
import gc
import json
from typing import Any

from artifact_files import ours
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.artifacts import (
    fingerprint_manifest,
    read_catalog,
    read_kind,
    read_manifest,
    read_run_results,
    read_sources,
)
from headwater.errors import ArtifactUnreadable

READERS = (fingerprint_manifest, read_catalog, read_kind, read_manifest, read_run_results, read_sources)
WHOLE = {
    name: ours(name)
    for name in ("core_manifest", "fusion_manifest", "core_run_results", "core_catalog", "core_sources")
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def read_all(data: bytes) -> None:
    for read in READERS:
        with contextlib.suppress(ArtifactUnreadable):
            read(data)
    assert gc.isenabled()


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Any bytes."""
    read_all(data)


@given(JSON)
def test_any_json(value: Any) -> None:
    """Any json."""
    read_all(json.dumps(value).encode())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damaged_bytes_of_real_files(name: str, data: st.DataObject) -> None:
    """Damaged bytes of real files."""
    whole = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    read_all(bytes(whole))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["core_manifest", "fusion_manifest"]), st.data())
def test_a_damaged_node_leaves_the_others_as_they_were(name: str, data: st.DataObject) -> None:
    """A damaged node leaves the others as they were."""
    raw = json.loads(WHOLE[name])
    whole = {node.unique_id: node for node in read_manifest(WHOLE[name]).nodes}
    victim = data.draw(st.sampled_from(sorted(raw["nodes"])))
    field = data.draw(st.sampled_from(sorted(raw["nodes"][victim])))
    value = data.draw(JSON.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)))
    raw["nodes"][victim][field] = value
    read = {node.unique_id: node for node in read_manifest(json.dumps(raw).encode()).nodes}
    assert {unique_id: node for unique_id, node in read.items() if unique_id != victim} == {
        unique_id: node for unique_id, node in whole.items() if unique_id != victim
    }
    if field != "config":
        assert victim in read
