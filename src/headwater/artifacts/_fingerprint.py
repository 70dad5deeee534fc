"""Whether a manifest, or one node of it, is the same as before, found out from its bytes without decoding them.

dbt writes into the metadata when and by which invocation it parsed, and into every node when it parsed that
(`created_at`); its threads decide the order of the nodes. What it compiled, and which macros that took, depends on the
command and even on the invocation, whose id a hook may write. None of this counts.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TypeAlias

from msgspec import Raw

from headwater.artifacts._json import Data, Faults, no_garbage_collection
from headwater.artifacts._sections import NODE_SECTIONS, open_manifest

_READING = b"headwater manifest 3"
"""Counted up whenever the same bytes are read into other nodes than before."""

NodeDigest: TypeAlias = tuple[int, int, int]
"""Where the time of parsing stands in the JSON of a node, and Python's own hashes of what is before and after it."""

_MARK = b'"created_at":'
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_VOLATILE = (
    (b'"build_path":', re.compile(rb'"build_path": ?(?:null|' + _TEXT + rb")", re.DOTALL)),
    (b'"depends_on":', re.compile(rb'"depends_on": ?\{"macros": ?\[[^\]]*+\]', re.DOTALL)),
    (
        b'"compiled_path":',
        re.compile(
            rb'"compiled_path": ?(?:null|' + _TEXT + rb")"
            rb'(?:, ?"compiled": ?(?:true|false), ?"compiled_code": ?(?:null|' + _TEXT + rb")"
            rb', ?"extra_ctes_injected": ?(?:true|false), ?"extra_ctes": ?\[(?:[^"\[\]]++|' + _TEXT + rb")*+\])?",
            re.DOTALL,
        ),
    ),
)
"""What a command leaves in a node, in the order and form in which dbt writes it since 1.4; another form is not cut out."""

_TIME = re.compile(rb'"created_at": ?\d{10}(?:\.\d+)?(?=[,}])')  # seconds since 1970


def fingerprint_manifest(data: Data) -> bytes:
    """Identify what a manifest says by its bytes, without decoding its nodes.

    Equal fingerprints mean equal nodes, macros and groups; compiled code may differ, which results carry themselves
    since dbt 1.7. The converse holds for what dbt has written since 1.4; an older one may have to be decoded to be
    recognised. Raises ArtifactUnreadable as `read_manifest` does.
    """
    with no_garbage_collection():
        metadata, sections = open_manifest(data, Faults(), is_decoding=False)
        told = (metadata.schema_version, metadata.dbt_version, metadata.project_name, metadata.adapter_type)
        digest = sha256(_READING)
        digest.update(repr(told).encode("utf-8", "backslashreplace"))
        for name in (*NODE_SECTIONS, "macros", "groups"):
            entries: dict[str, Raw] = getattr(sections, name)
            ids = sorted(entries)
            digest.update(repr((name, ids)).encode("utf-8", "backslashreplace"))
            for unique_id in ids:
                # JSON says itself where it ends, so that nothing need stand between one entry and the next.
                node = bytes(entries[unique_id])
                kept = 0
                for start, end in _find_volatile(node):
                    digest.update(node[kept:start])
                    kept = end
                digest.update(node[kept:])
        return digest.digest()


def node_digest(raw: Raw, last: NodeDigest | None) -> NodeDigest:
    """Identify the JSON of a node within this process; the time of parsing is looked for where it stood last."""
    found = None if last is None else _TIME.match(raw, last[0])
    start, end = _find_time(bytes(raw)) if found is None else found.span()
    view = memoryview(raw)
    return start, hash(bytes(view[:start])), hash(bytes(view[end:]))


def _find_volatile(node: bytes) -> list[tuple[int, int]]:
    """Find from where to where stands what is not the node's own, in order and without overlap."""
    found = [_find_time(node)]
    for mark, form in _VOLATILE:
        at = node.rfind(mark)
        match = form.match(node, at) if at >= 0 else None
        if match is not None:
            found.append(match.span())
    found.sort()
    return [span for before, span in zip([(0, 0), *found], found, strict=False) if span[0] >= before[1]]


def _find_time(node: bytes) -> tuple[int, int]:
    """Find from where to where the time of parsing stands; 0 and 0 where there is none.

    It is looked for from the end: columns and fields of a `meta` that have the same name stand before it.
    """
    at = node.rfind(_MARK)
    while at >= 0:
        found = _TIME.match(node, at)
        if found is not None:
            return found.span()
        at = node.rfind(_MARK, 0, at)
    return 0, 0
