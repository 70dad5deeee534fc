"""The tables. Every key begins with the account; times are microseconds in UTC; there is one schema for both databases.

The families: what an account holds, runs, nodes and manifests, invocations, the work of syncing, and access.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, UniqueConstraint, text
from sqlalchemy.types import TypeEngine

from headwater.store.values import Instant, Json, Key, Number, Span, Words

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)


def _key(name: str, kind: type[TypeEngine[Any]] = Number) -> Column[Any]:
    return Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def _account() -> Column[Any]:
    return Column("account_key", Integer(), primary_key=True, autoincrement=False, nullable=False)


def _needed(name: str, kind: TypeEngine[Any], default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


# What an account holds

accounts = Table(
    "accounts",
    metadata,
    Column("account_key", Integer(), primary_key=True),
    _needed("name", Key()),
    _needed("origin", Key()),
    _needed("account_id", Number()),
    Column("token", LargeBinary()),
    _needed("token_hint", Words(), "''"),
    Column("token_set_at", Instant()),
    Column("is_paused", Boolean(), nullable=False, server_default=text("false")),
    _needed("added_at", Instant()),
    _needed("status", Words(), "'new'"),
    Column("last_checked_at", Instant()),
    _needed("last_error", Words(), "''"),
    _needed("revision", Number(), "0"),
    UniqueConstraint("name"),
    UniqueConstraint("origin", "account_id"),
)

projects = Table(
    "projects",
    metadata,
    _account(),
    _key("project_id"),
    _needed("name", Words()),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
)

environments = Table(
    "environments",
    metadata,
    _account(),
    _key("environment_id"),
    Column("project_id", Number()),
    _needed("name", Words()),
    Column("deployment_type", Words()),
    Column("kind", Words()),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
)

jobs = Table(
    "jobs",
    metadata,
    _account(),
    _key("job_id"),
    Column("project_id", Number()),
    Column("environment_id", Number()),
    _needed("name", Words()),
    _needed("commands", Json(), "'[]'"),
    Column("cron", Words()),
    Column("job_type", Words()),
    Column("generates_docs", Boolean(), nullable=False, server_default=text("false")),
    Column("generates_sources", Boolean(), nullable=False, server_default=text("false")),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
    Column("updated_at", Instant()),
)

# Runs

runs = Table(
    "runs",
    metadata,
    _account(),
    _key("run_id"),
    _needed("status", Words()),
    Column("status_code", Number()),
    Column("status_message", Words()),
    Column("project_id", Number()),
    Column("environment_id", Number()),
    Column("job_id", Number()),
    Column("dbt_version", Words()),
    Column("git_branch", Words()),
    Column("git_sha", Words()),
    Column("trigger_category", Words()),
    Column("trigger_cause", Words()),
    Column("trigger_git_branch", Words()),
    Column("trigger_git_sha", Words()),
    Column("trigger_pull_request_id", Number()),
    Column("trigger_schema_override", Words()),
    Column("created_at", Instant()),
    Column("updated_at", Instant()),
    Column("dequeued_at", Instant()),
    Column("started_at", Instant()),
    Column("finished_at", Instant()),
    Column("retrying_run_id", Number()),
    Column("artifacts_saved", Boolean(), nullable=False, server_default=text("false")),
    Column("href", Words()),
    _needed("first_seen_at", Instant()),
    _needed("stored_at", Instant()),
    _needed("placed_at", Instant()),  # where the run stands in time: created, else started, else first seen
    _needed("hour", Instant()),  # of placed_at: the run is counted there in run_hours
    _needed("revision", Number()),
    Index("ix_runs_placed", "placed_at", "account_key", "run_id"),
    Index("ix_runs_account_placed", "account_key", "placed_at"),
    Index("ix_runs_job_hour", "account_key", "job_id", "hour"),
    Index("ix_runs_job_placed", "account_key", "job_id", "placed_at"),
    Index("ix_runs_status", "account_key", "status"),
    Index("ix_runs_revision", "account_key", "revision"),
)

run_steps = Table(
    "run_steps",
    metadata,
    _account(),
    _key("run_id"),
    _key("step_index"),
    _needed("name", Words()),
    _needed("status", Words()),
    Column("command", Words()),
    Column("started_at", Instant()),
    Column("finished_at", Instant()),
    Column("log", Words()),
)

observations = Table(
    "observations",
    metadata,
    _account(),
    _key("run_id"),
    _key("way", Words),
    _key("context_hash", LargeBinary),  # empty without a context: several Airflow tasks may see one run
    _needed("first_seen_at", Instant()),
    Column("context", Json()),
)

run_amendments = Table(
    "run_amendments",
    metadata,
    _account(),
    _key("run_id"),
    _key("amendment"),
    _needed("from_status", Words()),
    _needed("to_status", Words()),
    _needed("way", Words()),
    _needed("noticed_at", Instant()),
)

run_hours = Table(
    "run_hours",
    metadata,
    _account(),
    _key("hour", Instant),
    _key("job_id"),
    _key("project_id"),
    _key("environment_id"),
    _key("status", Words),
    _needed("runs", Number()),
    _needed("elapsed", Span()),
    _needed("queued", Span()),
    Index("ix_run_hours_hour", "hour"),
    sqlite_with_rowid=False,
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    _account(),
    _key("run_id"),
    _key("step_index"),
    _key("path", Key),
    _needed("state", Words()),
    _needed("reason", Words(), "''"),
    _needed("attempts", Number(), "0"),
    Column("size_bytes", Number()),
    Column("next_attempt_at", Instant()),
    Index("ix_run_artifacts_due", "account_key", "state", "next_attempt_at"),
)

# Nodes and manifests

nodes = Table(
    "nodes",
    metadata,
    _account(),
    _key("node_key"),
    _needed("project_id", Number()),
    _needed("environment_id", Number()),
    _needed("unique_id", Key()),
    _needed("resource_type", Words()),
    UniqueConstraint("account_key", "project_id", "environment_id", "unique_id"),
    Index("ix_nodes_unique_id", "unique_id"),
)

node_versions = Table(
    "node_versions",
    metadata,
    _account(),
    _key("node_key"),
    _key("version", LargeBinary),
    _needed("code_version", LargeBinary()),
    _needed("name", Words()),
    Column("database_name", Words()),
    Column("schema_name", Words()),
    Column("identifier", Words()),
    Column("materialized", Words()),
    Column("owner", Words()),
    Column("group_name", Words()),
    _needed("tags", Json()),
    _needed("parents", Json()),
    _needed("body", LargeBinary()),
)

manifests = Table(
    "manifests",
    metadata,
    _account(),
    _key("manifest_key"),
    _needed("project_id", Number()),
    _needed("environment_id", Number()),
    _needed("content", LargeBinary()),
    Column("dbt_version", Words()),
    Column("adapter_type", Words()),
    Column("project_name", Words()),
    _needed("node_counts", Json()),  # by resource type
    _needed("groups", Json()),
    Column("base_key", Number()),
    _needed("depth", Number()),
    _needed("first_seen_at", Instant()),
    _needed("current_at", Instant()),  # the last time dbt is known to have parsed exactly this
    UniqueConstraint("account_key", "project_id", "environment_id", "content"),
    Index("ix_manifests_current", "account_key", "project_id", "environment_id", "current_at"),
    Index("ix_manifests_base", "account_key", "base_key"),
)

manifest_nodes = Table(
    "manifest_nodes",
    metadata,
    _account(),
    _key("manifest_key"),
    _key("node_key"),
    Column("version", LargeBinary()),  # NULL: in the base, but no more here
    Index("ix_manifest_nodes_version", "account_key", "node_key", "version"),
    sqlite_with_rowid=False,
)

manifest_fingerprints = Table(
    "manifest_fingerprints",
    metadata,
    _account(),
    _key("project_id"),
    _key("environment_id"),
    _key("fingerprint", LargeBinary),
    _needed("manifest_key", Number()),
    Index("ix_manifest_fingerprints_manifest", "account_key", "manifest_key"),
)

# Invocations

invocations = Table(
    "invocations",
    metadata,
    _account(),
    _key("invocation_key"),
    _needed("invocation_id", Key()),
    _needed("project_id", Number()),
    _needed("environment_id", Number()),
    Column("run_id", Number()),
    Column("step_index", Number()),
    _needed("command", Words()),
    Column("dbt_version", Words()),
    Column("adapter_type", Words()),
    Column("generated_at", Instant()),
    Column("elapsed", Span()),
    Column("manifest_key", Number()),
    _needed("stored_at", Instant()),
    _needed("status_counts", Json()),  # of its executions
    _needed("executions_fullness", Number()),  # how much its executions say; -1 before there were any
    _needed("freshness_fullness", Number()),
    UniqueConstraint("account_key", "invocation_id"),
    Index("ix_invocations_run", "account_key", "run_id"),
    Index("ix_invocations_manifest", "account_key", "manifest_key"),
)

executions = Table(
    "executions",
    metadata,
    _account(),
    _key("invocation_key"),
    _key("node_key"),
    _needed("status", Words()),
    _needed("happened_at", Instant()),  # started, else when the invocation's results were written
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
    _account(),
    _key("node_key"),
    _key("code_hash", LargeBinary),
    _needed("code", Words()),
)

freshness_results = Table(
    "freshness_results",
    metadata,
    _account(),
    _key("invocation_key"),
    _key("node_key"),
    _needed("status", Words()),
    _needed("happened_at", Instant()),
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

catalog_tables = Table(
    "catalog_tables",
    metadata,
    _account(),
    _key("node_key"),
    _key("content", LargeBinary),  # of everything but the row count
    Column("database_name", Words()),
    _needed("schema_name", Words()),
    _needed("identifier", Words()),
    _needed("kind", Words()),
    Column("owner", Words()),
    _needed("columns", Json()),
    Column("row_count", Number()),
    Column("invocation_id", Key()),
    _needed("first_seen_at", Instant()),
    _needed("last_seen_at", Instant()),
)

# The work of syncing

sync_states = Table(
    "sync_states",
    metadata,
    _account(),
    Column("newest_run_id", Number()),
    Column("backfill_from", Instant()),
    Column("backfilled_to", Instant()),
    Column("last_success_at", Instant()),
    Column("last_attempt_at", Instant()),
    Column("last_error", Words()),
    Column("last_reconcile_at", Instant()),
    Column("structure_read_at", Instant()),
    _needed("failures", Number(), "0"),
    _needed("requests_total", Number(), "0"),
    _needed("rate_limited_total", Number(), "0"),
)

request_budgets = Table(
    "request_budgets",
    metadata,
    _account(),
    _needed("millionths", Number()),  # of a request
    _needed("refilled_at", Instant()),
    Column("blocked_until", Instant()),
)

leases = Table(
    "leases",
    metadata,
    _key("name", Key),
    _needed("holder", Words()),
    _needed("until", Instant()),
)

# Access

api_tokens = Table(
    "api_tokens",
    metadata,
    _key("name", Key),
    _needed("role", Words()),
    _needed("token_hash", LargeBinary()),
    _needed("prefix", Words()),
    _needed("created_at", Instant()),
    Column("last_used_at", Instant()),
    Column("expires_at", Instant()),
    Column("revoked_at", Instant()),
    UniqueConstraint("token_hash"),
)

login_links = Table(
    "login_links",
    metadata,
    _key("link_hash", LargeBinary),
    _needed("role", Words()),
    _needed("created_at", Instant()),
    _needed("expires_at", Instant()),
    Column("used_at", Instant()),
)

sessions = Table(
    "sessions",
    metadata,
    _key("session_hash", LargeBinary),
    _needed("role", Words()),
    _needed("name", Words()),
    _needed("created_at", Instant()),
    _needed("last_seen_at", Instant()),
    _needed("expires_at", Instant()),
)
