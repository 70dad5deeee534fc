"""The fields that are read of a node's JSON, whatever section and dbt version it comes from."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from headwater.artifacts._json import NOTHING
from headwater.model.node import Column


class TestMetadata(msgspec.Struct, gc=False):
    """How a generic test is put."""

    name: str | None = None
    namespace: str | None = None
    kwargs: Raw = NOTHING


class DependsOn(msgspec.Struct, gc=False):
    """What a node is made from."""

    nodes: tuple[str, ...] | None = None
    macros: tuple[str, ...] | None = None


class Declared(msgspec.Struct, gc=False):
    """An entry of `nodes` or `functions`; fields in the order dbt 1.11 writes them, which msgspec reads fastest."""

    database: str | None = None
    schema: str | None = None
    name: str | None = None
    resource_type: str | None = None
    package_name: str | None = None
    path: str | None = None
    original_file_path: str | None = None
    fqn: tuple[str, ...] | None = None
    alias: str | None = None
    checksum: Raw = NOTHING
    config: Raw = NOTHING
    tags: list[str] | str | None = None
    description: str | None = None
    columns: dict[str, Column] | None = None
    meta: dict[str, Any] | None = None
    group: str | None = None
    relation_name: str | None = None
    raw_code: str | None = None
    raw_sql: str | None = None
    language: str | None = None
    depends_on: DependsOn | None = None
    access: str | None = None
    constraints: list[Any] | None = None
    column_name: str | None = None
    attached_node: str | None = None
    test_metadata: TestMetadata | None = None
    arguments: Raw = NOTHING
    returns: Raw = NOTHING


class Described(Declared, gc=False):
    """An entry of any other section."""

    source_name: str | None = None
    identifier: str | None = None
    loaded_at_field: str | None = None
    freshness: Any = None
    owner: Any = None
    url: str | None = None
    model: str | None = None
    tested_node_unique_id: str | None = None
    type: Any = None
    type_params: Any = None
    filter: Any = None
    entities: Any = None
    measures: Any = None
    dimensions: Any = None
    defaults: Any = None
    query_params: Any = None
    exports: Any = None
    given: Any = None
    expect: Any = None
    overrides: Any = None
    external: Any = None
    quoting: Any = None
    loaded_at_query: Any = None


class DeclaredMacro(msgspec.Struct, gc=False):
    """An entry of `macros`."""

    package_name: str | None = None
    path: str | None = None
    original_file_path: str | None = None
    macro_sql: str | None = None
    depends_on: DependsOn | None = None


class DeclaredGroup(msgspec.Struct, gc=False):
    """An entry of `groups`."""

    name: str | None = None
    owner: Raw = NOTHING
