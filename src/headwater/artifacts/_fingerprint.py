"""Whether a manifest, or one node of it, is the same as before, found out from its bytes without decoding them.

dbt writes into the metadata when and by which invocation it parsed, and into every node when it parsed that
(`created_at`); its threads decide the order of the nodes. None of this counts.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Raw

from headwater.artifacts._json import Data, Faults, no_garbage_collection
from headwater.artifacts._sections import NODE_SECTIONS, open_manifest

_READING = b"headwater manifest 1"
"""Counted up whenever the same bytes are read into other nodes than before."""

_MARK = b'"created_at":'
_LONGEST_TIME = 32


def fingerprint_manifest(data: Data) -> bytes:
    """Identify what a manifest says by its bytes, without decoding its nodes.

    Equal fingerprints mean equal nodes, macros, groups and compiled code. The converse need not hold: dbt compiles
    more or less of the same project, depending on the command. Raises ArtifactUnreadable as `read_manifest` does.
    """
    with no_garbage_collection():
        metadata, sections = open_manifest(data, Faults(), is_decoding=False)
        digest = sha256(_READING, usedforsecurity=False)
        told = (metadata.schema_version, metadata.dbt_version, metadata.project_name, metadata.adapter_type)
        digest.update(repr(told).encode("utf-8", "backslashreplace"))
        for name in (*NODE_SECTIONS, "macros", "groups"):
            entries: dict[str, Raw] = getattr(sections, name)
            digest.update(f"\0{name}".encode())
            for unique_id in sorted(entries):
                before, after = _around_time(bytes(entries[unique_id]))
                digest.update(f"\0{unique_id}\0{len(before)}\0".encode())
                digest.update(before)
                digest.update(after)
        return digest.digest()


def node_digest(raw: Raw) -> tuple[int, int]:
    """Identify the JSON of a node within this process, by Python's own hash of it."""
    before, after = _around_time(bytes(raw))
    return hash(before), hash(after)


def _around_time(node: bytes) -> tuple[bytes | memoryview, bytes | memoryview]:
    """Give the JSON of a node before and after the time it was parsed at; all of it and nothing where it has none."""
    at = node.find(_MARK)
    while at >= 0:
        start = at + len(_MARK)
        value = node[start : start + _LONGEST_TIME].split(b",", 1)[0].rstrip(b"}")
        if value[:1].isdigit() or value[1:2].isdigit():
            view = memoryview(node)
            return view[:start], view[start + len(value) :]
        at = node.find(_MARK, start)
    return node, b""
