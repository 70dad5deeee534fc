"""A manifest taken apart into its sections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from headwater.artifacts._declared import Declared, Described
from headwater.artifacts._json import NOTHING, REFUSED, Data, Faults, section
from headwater.artifacts.metadata import check_kind, metadata_from, open_artifact
from headwater.model.node import ArtifactMetadata

CODED: Final = frozenset({"nodes", "functions"})
"""The sections whose nodes have code; the nodes of the others are only described."""

NODE_SECTIONS: Final = (
    "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions",
)  # fmt: skip


class Sections(msgspec.Struct):
    """The sections that are read, each taken apart into the JSON of its entries."""

    metadata: Raw = NOTHING
    nodes: dict[str, Raw] = {}
    sources: dict[str, Raw] = {}
    macros: dict[str, Raw] = {}
    exposures: dict[str, Raw] = {}
    metrics: dict[str, Raw] = {}
    groups: dict[str, Raw] = {}
    saved_queries: dict[str, Raw] = {}
    semantic_models: dict[str, Raw] = {}
    unit_tests: dict[str, Raw] = {}
    functions: dict[str, Raw] = {}


class DecodedSections(Sections):
    """The same with the nodes decoded in the same pass."""

    nodes: dict[str, Declared] = {}  # type: ignore[assignment]
    sources: dict[str, Described] = {}  # type: ignore[assignment]
    exposures: dict[str, Described] = {}  # type: ignore[assignment]
    metrics: dict[str, Described] = {}  # type: ignore[assignment]
    saved_queries: dict[str, Described] = {}  # type: ignore[assignment]
    semantic_models: dict[str, Described] = {}  # type: ignore[assignment]
    unit_tests: dict[str, Described] = {}  # type: ignore[assignment]
    functions: dict[str, Declared] = {}  # type: ignore[assignment]


decode_nodes: Callable[[Data], Sections] = msgspec.json.Decoder(DecodedSections).decode
take_apart: Callable[[Data], Sections] = msgspec.json.Decoder(Sections).decode


def open_manifest(data: Data, faults: Faults, decode: Callable[[Data], Sections]) -> tuple[ArtifactMetadata, Sections]:
    """Decode a manifest in one pass; where something in it is not as dbt writes it, only take it apart (`Sections`)."""
    try:
        sections = decode(data)
    except REFUSED:
        return _open_slowly(data, faults)
    metadata = metadata_from(sections.metadata, faults)
    check_kind(metadata, "manifest", has_main_field=bool(sections.nodes), faults=faults)
    return metadata, sections


def _open_slowly(data: Data, faults: Faults) -> tuple[ArtifactMetadata, Sections]:
    metadata, fields = open_artifact(data, "manifest", faults)
    names = [name for name in Sections.__struct_fields__ if name != "metadata"]
    split: dict[str, Any] = {name: section(fields.get(name, NOTHING), name, faults) for name in names}
    return metadata, Sections(metadata=fields.get("metadata", NOTHING), **split)
