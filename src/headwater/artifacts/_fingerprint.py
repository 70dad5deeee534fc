"""Whether a manifest is the same as before, found out from the JSON of the fields that are read, without decoding it.

dbt writes into the metadata when and by which invocation it parsed, and into every node when it parsed that; its
threads decide the order of the nodes. What it compiled, and which macros that took, depends on the command and even on
the invocation, whose id a hook may write. None of this counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from types import GenericAlias
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from headwater.artifacts._declared import Declared, DeclaredGroup, DeclaredMacro, Described
from headwater.artifacts._json import NOTHING, REFUSED, Data, Faults, no_garbage_collection
from headwater.artifacts._sections import CODED, NODE_SECTIONS, Sections, open_manifest

_READING = b"headwater manifest 4"
"""Counted up whenever the same bytes are read into other nodes than before."""

_HASHED_AT_ONCE = 256
"""Entries hashed in one call: at each, other threads may run, and this one waits until it is its turn again."""


class _Parents(msgspec.Struct, gc=False):
    """What a node depends on; macros only as far as they must be texts for the nodes to be read."""

    nodes: Raw = NOTHING
    macros: tuple[str, ...] | None = None


def _json_of(struct: type[msgspec.Struct], **other: Any) -> Any:
    """Make the struct that has the JSON of each field of another one, but for fields of another type."""
    fields = [(name, other.get(name, Raw), None if name in other else NOTHING) for name in struct.__struct_fields__]
    return msgspec.defstruct(f"{struct.__name__}Json", fields, gc=False)


_DECLARED_JSON = _json_of(Declared, depends_on=_Parents | None)
_DESCRIBED_JSON = _json_of(Described, depends_on=_Parents | None)
_ENTRIES: Final = {name: _DECLARED_JSON if name in CODED else _DESCRIBED_JSON for name in NODE_SECTIONS} | {
    "macros": _json_of(DeclaredMacro),
    "groups": _json_of(DeclaredGroup),
}
_SECTIONS: Any = msgspec.defstruct(
    "SectionsJson", [(name, GenericAlias(dict, (str, kind)), {}) for name, kind in _ENTRIES.items()], bases=(Sections,)
)
_decode: Callable[[Data], Sections] = msgspec.json.Decoder(_SECTIONS).decode
_decode_entry = {name: msgspec.json.Decoder(kind).decode for name, kind in _ENTRIES.items()}


def fingerprint_manifest(data: Data) -> bytes:
    """Identify what a manifest says by its bytes, without decoding its nodes.

    Equal fingerprints mean equal nodes, macros and groups; the macros that a node takes and compiled code may differ,
    which results carry themselves since dbt 1.7. The converse does not hold: the same may be written in other bytes.
    Raises ArtifactUnreadable as `read_manifest` does.
    """
    with no_garbage_collection():
        metadata, sections = open_manifest(data, Faults(), _decode)
        told = (metadata.schema_version, metadata.dbt_version, metadata.project_name, metadata.adapter_type)
        digest = sha256(_READING)
        digest.update(repr(told).encode("utf-8", "backslashreplace"))
        for name in _ENTRIES:
            entries = getattr(sections, name)
            ids = sorted(entries)
            digest.update(repr((name, ids)).encode("utf-8", "backslashreplace"))
            for start in range(0, len(ids), _HASHED_AT_ONCE):
                digest.update(_join(name, entries, ids[start : start + _HASHED_AT_ONCE]))
                digest.update(b",")
        return digest.digest()


def _join(section: str, entries: Mapping[str, Any], ids: Iterable[str]) -> bytes:
    """Join the JSON of the fields of some entries; nothing stands between two commas for a field that is not there."""
    parts: list[Any] = []
    for unique_id in ids:
        parts += _fields(section, entries[unique_id])
    return b",".join(parts)


def _fields(section: str, entry: Any) -> tuple[Any, ...]:
    if isinstance(entry, Raw):  # of a file that was read slowly
        try:
            entry = _decode_entry[section](entry)
        except REFUSED:
            return (b"!", entry)  # with what begins no JSON, so that it is not taken for the field of another entry
    if section in NODE_SECTIONS:
        entry.depends_on = NOTHING if entry.depends_on is None else entry.depends_on.nodes
    return astuple(entry)
