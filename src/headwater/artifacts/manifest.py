"""manifest.json: the nodes, macros and groups of one parse."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from headwater.artifacts._declared import Declared, DependsOn
from headwater.artifacts._fingerprint import NodeDigest, node_digest
from headwater.artifacts._json import NOTHING, Data, Faults, Shape, no_garbage_collection
from headwater.artifacts._nodes import NodeReader
from headwater.artifacts._particulars import owner_from
from headwater.artifacts._sections import CODED, NODE_SECTIONS, open_manifest
from headwater.artifacts._values import read_any
from headwater.artifacts._versions import version_of
from headwater.model.code import meaning_of
from headwater.model.node import Group, Macro, Manifest, Node, Owner


class KnownNode(NamedTuple):
    """A node that was read before, and the digest of the JSON it was read from."""

    digest: NodeDigest
    node: Node


KnownNodes: TypeAlias = dict[str, KnownNode]
"""The nodes of the last manifest of a project and environment by unique_id; `read_manifest` keeps it up to date.

The digests are Python's own hashes, which another process computes differently: it is for memory, not for storage.
"""


class _Macro(msgspec.Struct):
    package_name: str | None = None
    path: str | None = None
    original_file_path: str | None = None
    macro_sql: str | None = None
    depends_on: DependsOn | None = None


class _Group(msgspec.Struct):
    name: str | None = None
    owner: Raw = NOTHING


_UNKNOWN = (None, None)
_macro_shape = Shape(_Macro)
_group_shape = Shape(_Group)


def read_manifest(data: Data, known: KnownNodes | None = None) -> Manifest:
    """Read a manifest.json of any dbt version; what cannot be read of it is in `faults`.

    With `known`, a node whose JSON is the same as when it was last read is not decoded again. Compiled code is left
    out: `read_compiled_code`. Raises ArtifactUnreadable where the file is no JSON object or another artifact.
    """
    faults = Faults()
    with no_garbage_collection():
        reader = _Reader(faults, known)
        metadata, sections = open_manifest(data, faults, is_decoding=known is None)
        for name in NODE_SECTIONS:
            reader.read_section(name, getattr(sections, name))
        nodes = reader.nodes
        macros = _macros(sections.macros, faults)
        groups = _groups(sections.groups, faults)
        return Manifest(
            metadata=metadata,
            content=_content(nodes, macros, groups),
            nodes=tuple(nodes),
            macros=macros,
            groups=groups,
            faults=faults.listed(),
        )


class _Reader:
    """Reads the nodes of one manifest: decoded with the file, or from the JSON of each that is not known."""

    def __init__(self, faults: Faults, known: KnownNodes | None) -> None:
        self._known = known
        self._read = NodeReader(faults)
        self.nodes: list[Node] = []

    def read_section(self, name: str, entries: dict[str, Any]) -> None:
        """Read the nodes of one section (Declared or Raw), letting go of each as soon as it is read."""
        is_coded = name in CODED
        for unique_id in list(entries):
            entry = entries.pop(unique_id)
            if isinstance(entry, Declared):
                node = self._read.node(unique_id, entry)
            elif self._known is None:
                node = self._read_raw(unique_id, entry, is_coded=is_coded)
            else:
                node = self._read_unless_known(self._known, unique_id, entry, is_coded=is_coded)
            if node is not None:
                self.nodes.append(node)

    def _read_unless_known(self, known: KnownNodes, unique_id: str, raw: Raw, *, is_coded: bool) -> Node | None:
        last, node = known.get(unique_id, _UNKNOWN)
        digest = node_digest(raw, last)
        if digest == last:
            return node
        node = self._read_raw(unique_id, raw, is_coded=is_coded)
        if node is not None:
            known[unique_id] = KnownNode(digest, node)
        return node

    def _read_raw(self, unique_id: str, raw: Raw, *, is_coded: bool) -> Node | None:
        said = self._read.decode(unique_id, raw, is_coded=is_coded)
        return None if said is None else self._read.node(unique_id, said)


def _macros(found: dict[str, Raw], faults: Faults) -> tuple[Macro, ...]:
    macros = []
    for unique_id, raw in found.items():
        said = _macro_shape.read(raw, unique_id, faults)
        if said is None:
            continue
        macros.append(
            Macro(
                unique_id=unique_id,
                package_name=said.package_name or "",
                version=version_of(said.macro_sql or ""),
                path=said.original_file_path or said.path or "",
                macros=said.depends_on.macros or () if said.depends_on else (),
                meaning=b"" if said.package_name == "dbt" else version_of(meaning_of(said.macro_sql)),
            )
        )
    return tuple(macros)


def _groups(found: dict[str, Raw], faults: Faults) -> tuple[Group, ...]:
    groups = []
    for unique_id, raw in found.items():
        said = _group_shape.read(raw, unique_id, faults)
        if said is not None:
            name = said.name or unique_id.rsplit(".", 1)[-1]
            groups.append(Group(name=name, owner=owner_from(read_any(said.owner)) or Owner()))
    return tuple(groups)


def _content(nodes: list[Node], macros: tuple[Macro, ...], groups: tuple[Group, ...]) -> bytes:
    """Identify what was read, in whatever order it stood."""
    return version_of((
        sorted([node.version for node in nodes]),
        sorted([(macro.unique_id, macro.version) for macro in macros]),
        sorted([(group.name, group.owner.name or "", group.owner.email or "") for group in groups]),
    ))  # fmt: skip
