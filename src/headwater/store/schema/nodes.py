"""Nodes, their versions, and the manifests and catalogs that name them."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Words

nodes = Table(
    "nodes",
    metadata,
    account(),
    key("node_key"),
    needed("project_id", Number()),
    needed("environment_id", Number()),
    needed("unique_id", Key()),
    needed("resource_type", Words()),
    UniqueConstraint("account_key", "project_id", "environment_id", "unique_id"),
    Index("ix_nodes_unique_id", "unique_id"),
)

node_versions = Table(
    "node_versions",
    metadata,
    account(),
    key("node_key"),
    key("version", LargeBinary),
    needed("code_version", LargeBinary()),
    needed("name", Words()),
    Column("database_name", Words()),
    Column("schema_name", Words()),
    Column("identifier", Words()),
    Column("materialized", Words()),
    Column("owner", Words()),
    Column("group_name", Words()),
    needed("tags", Json()),
    needed("parents", Json()),
    needed("body", LargeBinary()),
)

manifests = Table(
    "manifests",
    metadata,
    account(),
    key("manifest_key"),
    needed("project_id", Number()),
    needed("environment_id", Number()),
    needed("content", LargeBinary()),
    Column("dbt_version", Words()),
    Column("adapter_type", Words()),
    Column("project_name", Words()),
    needed("node_counts", Json()),  # by resource type
    needed("groups", Json()),
    Column("base_key", Number()),
    needed("depth", Number()),
    needed("first_seen_at", Instant()),
    needed("current_at", Instant()),  # the last time dbt is known to have parsed exactly this
    UniqueConstraint("account_key", "project_id", "environment_id", "content"),
    Index("ix_manifests_current", "account_key", "project_id", "environment_id", "current_at"),
    Index("ix_manifests_base", "account_key", "base_key"),
)

manifest_nodes = Table(
    "manifest_nodes",
    metadata,
    account(),
    key("manifest_key"),
    key("node_key"),
    Column("version", LargeBinary()),  # NULL: in the base, but no more here
    Index("ix_manifest_nodes_version", "account_key", "node_key", "version"),
    sqlite_with_rowid=False,
)

manifest_fingerprints = Table(
    "manifest_fingerprints",
    metadata,
    account(),
    key("project_id"),
    key("environment_id"),
    key("fingerprint", LargeBinary),
    needed("manifest_key", Number()),
    Index("ix_manifest_fingerprints_manifest", "account_key", "manifest_key"),
)

catalog_tables = Table(
    "catalog_tables",
    metadata,
    account(),
    key("node_key"),
    key("content", LargeBinary),  # of everything but the row count
    Column("database_name", Words()),
    needed("schema_name", Words()),
    needed("identifier", Words()),
    needed("kind", Words()),
    Column("owner", Words()),
    needed("columns", Json()),
    Column("row_count", Number()),
    Column("invocation_id", Key()),
    needed("first_seen_at", Instant()),
    needed("last_seen_at", Instant()),
)
