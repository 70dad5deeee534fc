"""Versions: hashes of what is kept of a node, the same whenever and however dbt parsed the same project."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec.structs import force_setattr

from headwater.artifacts._columns import Columns
from headwater.artifacts._config import canonical_json
from headwater.artifacts._declared import Declared
from headwater.model.node import Node

VERSION_BYTES: Final = 16

_encode = msgspec.msgpack.Encoder().encode


def version_of(told: Any) -> bytes:
    """Hash anything that msgpack can tell."""
    return sha256(_encode(told)).digest()[:VERSION_BYTES]


def set_versions(node: Node, said: Declared, columns: Columns, definition: Any) -> None:
    """Give a node that was just made its versions: the hash of its code and configuration, and of all that is kept.

    Neither holds `relation_name` and `macros`: dbt fills them only in what it compiled.
    """
    parents, tags = node.parents, node.tags
    told = sha256(_encode((
        node.resource_type, node.raw_code, node.language, node.config_json,
        sorted(parents) if len(parents) > 1 else parents, node.relation, columns.types,
        columns.constraints or "",
        canonical_json(said.constraints) if said.constraints else None, definition, node.loaded_at_field,
        said.column_name,
    )))  # fmt: skip
    force_setattr(node, "code_version", told.digest()[:VERSION_BYTES])
    told.update(_encode((
        node.unique_id, node.name, node.package_name, node.path, node.fqn, sorted(tags) if len(tags) > 1 else tags,
        node.description, node.group, node.access, node.meta_json, node.columns, node.test, node.owner, node.url,
        node.source_name, node.freshness,
    )))  # fmt: skip
    force_setattr(node, "version", told.digest()[:VERSION_BYTES])
