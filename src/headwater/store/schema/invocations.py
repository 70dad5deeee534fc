"""Invocations and the results of each node in them."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Span, Words

invocations = Table(
    "invocations",
    metadata,
    account(),
    key("invocation_key"),
    needed("invocation_id", Key()),
    needed("project_id", Number()),
    needed("environment_id", Number()),
    Column("run_id", Number()),
    Column("step_index", Number()),
    needed("command", Words()),
    Column("dbt_version", Words()),
    Column("adapter_type", Words()),
    Column("generated_at", Instant()),
    Column("elapsed", Span()),
    Column("manifest_key", Number()),
    Column("airflow", Json()),  # the task it ran in
    Column("variables", Json()),  # what --vars gave, as text by name
    needed("stored_at", Instant()),
    needed("status_counts", Json()),  # of its executions
    needed("executions_fullness", Number()),  # how much its executions say; -1 before there were any
    needed("freshness_fullness", Number()),
    UniqueConstraint("account_key", "invocation_id"),
    Index("ix_invocations_run", "account_key", "run_id"),
    Index("ix_invocations_manifest", "account_key", "manifest_key"),
)

executions = Table(
    "executions",
    metadata,
    account(),
    key("invocation_key"),
    key("node_key"),
    needed("status", Words()),
    needed("happened_at", Instant()),  # started, else when the invocation's results were written
    Column("started_at", Instant()),
    Column("executing_at", Instant()),
    Column("finished_at", Instant()),
    Column("elapsed", Span()),
    Column("thread", Words()),
    Column("message", Words()),
    Column("failures", Number()),
    Column("rows_affected", Number()),
    Column("bytes_processed", Number()),
    Column("query_id", Words()),
    Column("compiled_hash", LargeBinary()),
    Index("ix_executions_node", "account_key", "node_key", "happened_at"),
    sqlite_with_rowid=False,
)

compiled_codes = Table(
    "compiled_codes",
    metadata,
    account(),
    key("node_key"),
    key("code_hash", LargeBinary),
    needed("code", Words()),
)

freshness_results = Table(
    "freshness_results",
    metadata,
    account(),
    key("invocation_key"),
    key("node_key"),
    needed("status", Words()),
    needed("happened_at", Instant()),
    Column("max_loaded_at", Instant()),
    Column("snapshotted_at", Instant()),
    Column("age", Span()),
    Column("warn_after", Span()),
    Column("error_after", Span()),
    Column("elapsed", Span()),
    Column("message", Words()),
    Index("ix_freshness_results_node", "account_key", "node_key", "happened_at"),
    sqlite_with_rowid=False,
)
