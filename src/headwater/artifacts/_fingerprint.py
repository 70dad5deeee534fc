"""Whether a manifest is the same as before, found out from its bytes without decoding them.

dbt writes into the metadata when and by which invocation it parsed, and into every node when it parsed that
(`created_at`); its threads decide the order of the nodes. What it compiled, and which macros that took, depends on the
command and even on the invocation, whose id a hook may write. None of this counts.
"""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec import Raw

from headwater.artifacts._json import Data, Faults, no_garbage_collection
from headwater.artifacts._sections import NODE_SECTIONS, open_manifest

_READING = b"headwater manifest 4"
"""Counted up whenever the same bytes are read into other nodes than before."""

_HASHED_AT_ONCE = 256
"""Entries hashed in one call: at each, other threads may run, and this one waits until it is its turn again."""

_MARK = b'"created_at":'
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_COMPILED_SECTIONS = frozenset({"nodes", "functions"})
_COMPILED = b'"compiled_path":'
_COMPILED_FORM = re.compile(
    rb'"compiled_path": ?(?:null|' + _TEXT + rb')(?:, ?"compiled": ?(?:true|false), ?"compiled_code":( ?)(null)?)?'
)
_CTES_FORM = re.compile(
    rb'"extra_ctes_injected": ?(?:true|false), ?"extra_ctes": ?\[(?:[^"\[\]]++|' + _TEXT + rb")*+\]", re.DOTALL
)
_VOLATILE = (
    (b'"depends_on":', re.compile(rb'"depends_on": ?\{"macros": ?\[[^\]]*+\]').match),
    (b'"created_at":', re.compile(rb'"created_at": ?\d{10}(?:\.\d+)?(?=[,}])').match),
    (b'"build_path":', re.compile(rb'"build_path": ?(?:null|' + _TEXT + rb")", re.DOTALL).match),
)
"""What a command leaves in a node, from its end to its beginning, in the form in which dbt writes it since 1.4."""

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
            cut = _cut_node if name in _COMPILED_SECTIONS else _cut_time
            # JSON says itself where it ends, so that nothing need stand between one entry and the next.
            for start in range(0, len(ids), _HASHED_AT_ONCE):
                several = (cut(bytes(entries[unique_id])) for unique_id in ids[start : start + _HASHED_AT_ONCE])
                digest.update(b"".join(part for parts in several for part in parts))
        return digest.digest()


def _cut_node(node: bytes) -> list[memoryview]:
    """Give what is the node's own, in parts from its end to its beginning; what has another form stays in."""
    view = memoryview(node)
    start, end = _find_compiled(node)
    parts = [view[end:]]
    end = start
    for mark, match in _VOLATILE:
        at = node.rfind(mark, 0, end)
        found = match(node, at) if at >= 0 else None
        if found is not None:
            parts.append(view[found.end() : end])
            end = at
    parts.append(view[:end])
    return parts


def _find_compiled(node: bytes) -> tuple[int, int]:
    """Find from where to where stands what dbt compiled; the end of the node twice where it has another form.

    The code is passed over by looking for its closing quote with the next field behind it: within a text of JSON the
    second quote of those could not stand unescaped.
    """
    at = node.rfind(_COMPILED)
    head = _COMPILED_FORM.match(node, at) if at >= 0 else None
    if head is None:
        return len(node), len(node)
    space, is_null = head.groups()
    if space is None:
        return head.span()
    after = head.end() if is_null else node.find(b'",' + space + b'"', head.end()) + 1
    tail = _CTES_FORM.match(node, after + len(b",") + len(space))
    return (at, tail.end()) if after and tail is not None else (len(node), len(node))


def _cut_time(node: bytes) -> list[memoryview]:
    start, end = _find_time(node)
    view = memoryview(node)
    return [view[:start], view[end:]]


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
