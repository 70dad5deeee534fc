"""A node: anything with a `unique_id` in the graph, and the manifest that holds the nodes of one parse.

What a manifest holds by the ten thousand are msgspec's structs: frozen like our dataclasses, made in a sixth of the
time, and never walked by the garbage collector, which is right for what only points down to texts and tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

RESOURCE_TYPES = (
    "model", "seed", "snapshot", "test", "unit_test", "source", "exposure", "metric", "semantic_model",
    "saved_query", "analysis", "operation", "function",
)  # fmt: skip
"""The resource types dbt writes today; another one is kept under its own name."""


class Relation(Struct, frozen=True, gc=False):
    """A database object as dbt names it, without quotes; `database` is None where the adapter has none."""

    database: str | None
    schema: str
    identifier: str


class Constraint(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a column promises, which dbt puts into the table where a contract is enforced."""

    type: str | None = None
    name: str | None = None
    expression: str | None = None
    to: str | None = None
    to_columns: tuple[str, ...] | None = None


class Column(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A declared column of a node."""

    name: str
    data_type: str | None = None
    description: str = ""
    constraints: tuple[Constraint, ...] = ()


class TestTarget(Struct, frozen=True, gc=False, kw_only=True):
    """What a test vouches for: the generic test's name, the node it is attached to, the column."""

    test_name: str | None = None
    attached_node: str | None = None
    column_name: str | None = None


class Owner(Struct, frozen=True, gc=False, kw_only=True):
    """Who answers for an exposure or a group."""

    name: str | None = None
    email: str | None = None


class FreshnessRule(Struct, frozen=True, gc=False, kw_only=True):
    """How old a source may be before it warns or errs, in seconds."""

    warn_after_seconds: float | None = None
    error_after_seconds: float | None = None


class Node(Struct, frozen=True, gc=False, kw_only=True):
    """A node as one manifest declares it.

    `version` identifies everything kept here; `code_version` only its code and configuration: the time of parsing,
    compiled code, build path, extra CTEs and macro dependencies are in neither, because dbt writes other values
    there for the same project with another selection or command.
    """

    unique_id: str
    resource_type: str
    name: str
    package_name: str = ""
    version: bytes = b""
    code_version: bytes = b""
    relation: Relation | None = None
    relation_name: str | None = None
    materialized: str | None = None
    path: str = ""
    fqn: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    group: str | None = None
    access: str | None = None
    language: str | None = None
    raw_code: str | None = None
    config_json: str = "{}"
    meta_json: str = "{}"
    severity: str | None = None
    columns: tuple[Column, ...] = ()
    parents: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    test: TestTarget | None = None
    owner: Owner | None = None
    url: str | None = None
    source_name: str | None = None
    loaded_at_field: str | None = None
    freshness: FreshnessRule | None = None


class NodeRelation(Struct, frozen=True, gc=False, kw_only=True):
    """Where a node is in the warehouse, and what it declares of its columns; the rest of it is left out."""

    unique_id: str
    resource_type: str
    name: str
    relation: Relation | None = None
    relation_name: str | None = None
    materialized: str | None = None
    columns: tuple[Column, ...] = ()


class Macro(Struct, frozen=True, gc=False, kw_only=True):
    """A macro as one manifest declares it; `version` is the hash of its code.

    `meaning` is the hash without comments and formatting; empty where it was stored before there was one, and for
    dbt's own macros.
    """

    unique_id: str
    package_name: str
    version: bytes
    path: str = ""
    macros: tuple[str, ...] = ()
    meaning: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A dbt group and who owns it."""

    name: str
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMetadata:
    """The head that every dbt artifact carries.

    The ids are dbt Cloud's, from the environment dbt ran in; dbt that did not run there leaves none.
    """

    schema_name: str = ""
    schema_version: int | None = None
    dbt_version: str | None = None
    generated_at: datetime | None = None
    invocation_id: str | None = None
    project_name: str | None = None
    adapter_type: str | None = None
    account_id: int | None = None
    project_id: int | None = None
    environment_id: int | None = None
    job_id: int | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The nodes of one parse. `content` identifies it: the same project parsed twice gives the same content.

    `faults` has a sentence for everything that could not be read; it never keeps the rest from being read.
    """

    metadata: ArtifactMetadata
    content: bytes
    nodes: tuple[Node, ...]
    macros: tuple[Macro, ...] = ()
    groups: tuple[Group, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogColumn:
    """A column as the warehouse has it."""

    name: str
    data_type: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTable:
    """A relation as `dbt docs generate` found it in the warehouse; `row_count` is None where the adapter gives none."""

    unique_id: str
    relation: Relation
    kind: str
    owner: str | None = None
    columns: tuple[CatalogColumn, ...] = ()
    row_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The relations of one catalog.json."""

    metadata: ArtifactMetadata
    tables: tuple[CatalogTable, ...]
    faults: tuple[str, ...] = ()


def local_name(unique_id: str) -> str:
    """Give what follows the project in a unique_id: `model.shop.orders.v2` → `orders.v2`."""
    return unique_id.split(".", 2)[-1]


def short_name(unique_id: str) -> str:
    """Give what people call a node: the same, for a generic test without dbt's hash."""
    name = local_name(unique_id)
    return name.partition(".")[0] if unique_id.startswith("test.") else name
