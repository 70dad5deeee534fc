"""manifest.json: the nodes, macros and groups of one parse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from headwater.artifacts._declared import Declared, DeclaredGroup, DeclaredMacro
from headwater.artifacts._json import Data, Faults, Shape, no_garbage_collection
from headwater.artifacts._nodes import NodeReader
from headwater.artifacts._particulars import owner_from
from headwater.artifacts._sections import CODED, NODE_SECTIONS, decode_nodes, open_manifest
from headwater.artifacts._values import read_any
from headwater.artifacts._versions import version_of
from headwater.model.code import meaning_of
from headwater.model.node import Group, Macro, Manifest, Node, Owner

_macro_shape = Shape(DeclaredMacro)
_group_shape = Shape(DeclaredGroup)


def read_manifest(data: Data) -> Manifest:
    """Read a manifest.json of any dbt version; what cannot be read of it is in `faults`.

    Compiled code is left out: `read_compiled_code`. Raises ArtifactUnreadable where the file is no JSON object or
    another artifact.
    """
    faults = Faults()
    with no_garbage_collection():
        metadata, sections = open_manifest(data, faults, decode_nodes)
        reader = NodeReader(faults)
        nodes = [node for name in NODE_SECTIONS for node in _nodes(name, getattr(sections, name), reader)]
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


def _nodes(section: str, entries: dict[str, Any], reader: NodeReader) -> Iterator[Node]:
    """Give the nodes of one section (Declared, or Raw of a file that was read slowly), letting go of each entry."""
    for unique_id in list(entries):
        entry = entries.pop(unique_id)
        said = entry if isinstance(entry, Declared) else reader.decode(unique_id, entry, is_coded=section in CODED)
        node = None if said is None else reader.node(unique_id, said)
        if node is not None:
            yield node


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
