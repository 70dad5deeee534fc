"""The initial schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_key", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("token_hint", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("token_set_at", sa.BigInteger(), nullable=True),
        sa.Column("is_paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'new'"), nullable=False),
        sa.Column("last_checked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        sa.UniqueConstraint("origin", "account_id", name=op.f("uq_accounts_origin")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_table(
        "catalog_tables",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("database_name", sa.Text(), nullable=True),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("invocation_id", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "node_key", "content", name=op.f("pk_catalog_tables")),
    )
    op.create_table(
        "compiled_codes",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "node_key", "code_hash", name=op.f("pk_compiled_codes")),
    )
    op.create_table(
        "environments",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("environment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deployment_type", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "environment_id", name=op.f("pk_environments")),
    )
    op.create_table(
        "executions",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invocation_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("executing_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("elapsed", sa.BigInteger(), nullable=True),
        sa.Column("thread", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=True),
        sa.Column("rows_affected", sa.BigInteger(), nullable=True),
        sa.Column("bytes_processed", sa.BigInteger(), nullable=True),
        sa.Column("query_id", sa.Text(), nullable=True),
        sa.Column("compiled_hash", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "invocation_key", "node_key", name=op.f("pk_executions")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_executions_node", "executions", ["account_key", "node_key", "happened_at"], unique=False)
    op.create_table(
        "freshness_results",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invocation_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.Column("max_loaded_at", sa.BigInteger(), nullable=True),
        sa.Column("snapshotted_at", sa.BigInteger(), nullable=True),
        sa.Column("age", sa.BigInteger(), nullable=True),
        sa.Column("warn_after", sa.BigInteger(), nullable=True),
        sa.Column("error_after", sa.BigInteger(), nullable=True),
        sa.Column("elapsed", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "invocation_key", "node_key", name=op.f("pk_freshness_results")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_freshness_results_node", "freshness_results", ["account_key", "node_key", "happened_at"], unique=False
    )
    op.create_table(
        "invocations",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invocation_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invocation_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("step_index", sa.BigInteger(), nullable=True),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("dbt_version", sa.Text(), nullable=True),
        sa.Column("adapter_type", sa.Text(), nullable=True),
        sa.Column("generated_at", sa.BigInteger(), nullable=True),
        sa.Column("elapsed", sa.BigInteger(), nullable=True),
        sa.Column("manifest_key", sa.BigInteger(), nullable=True),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("status_counts", sa.Text(), nullable=False),
        sa.Column("executions_fullness", sa.BigInteger(), nullable=False),
        sa.Column("freshness_fullness", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "invocation_key", name=op.f("pk_invocations")),
        sa.UniqueConstraint("account_key", "invocation_id", name=op.f("uq_invocations_account_key")),
    )
    op.create_index("ix_invocations_manifest", "invocations", ["account_key", "manifest_key"], unique=False)
    op.create_index("ix_invocations_run", "invocations", ["account_key", "run_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("environment_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commands", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("generates_docs", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("generates_sources", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "job_id", name=op.f("pk_jobs")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "login_links",
        sa.Column("link_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_login_links")),
    )
    op.create_table(
        "manifest_fingerprints",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("environment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("manifest_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_key", "project_id", "environment_id", "fingerprint", name=op.f("pk_manifest_fingerprints")
        ),
    )
    op.create_index(
        "ix_manifest_fingerprints_manifest", "manifest_fingerprints", ["account_key", "manifest_key"], unique=False
    )
    op.create_table(
        "manifest_nodes",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("manifest_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "manifest_key", "node_key", name=op.f("pk_manifest_nodes")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_manifest_nodes_version", "manifest_nodes", ["account_key", "node_key", "version"], unique=False)
    op.create_table(
        "manifests",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("manifest_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("dbt_version", sa.Text(), nullable=True),
        sa.Column("adapter_type", sa.Text(), nullable=True),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("node_counts", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("base_key", sa.BigInteger(), nullable=True),
        sa.Column("depth", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("current_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "manifest_key", name=op.f("pk_manifests")),
        sa.UniqueConstraint(
            "account_key", "project_id", "environment_id", "content", name=op.f("uq_manifests_account_key")
        ),
    )
    op.create_index("ix_manifests_base", "manifests", ["account_key", "base_key"], unique=False)
    op.create_index(
        "ix_manifests_current", "manifests", ["account_key", "project_id", "environment_id", "current_at"], unique=False
    )
    op.create_table(
        "node_versions",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("code_version", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("database_name", sa.Text(), nullable=True),
        sa.Column("schema_name", sa.Text(), nullable=True),
        sa.Column("identifier", sa.Text(), nullable=True),
        sa.Column("materialized", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("parents", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "node_key", "version", name=op.f("pk_node_versions")),
    )
    op.create_table(
        "nodes",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("unique_id", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "node_key", name=op.f("pk_nodes")),
        sa.UniqueConstraint(
            "account_key", "project_id", "environment_id", "unique_id", name=op.f("uq_nodes_account_key")
        ),
    )
    op.create_index("ix_nodes_unique_id", "nodes", ["unique_id"], unique=False)
    op.create_table(
        "observations",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("way", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("context_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("context", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "run_id", "way", "context_hash", name=op.f("pk_observations")),
    )
    op.create_table(
        "projects",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "project_id", name=op.f("pk_projects")),
    )
    op.create_table(
        "request_budgets",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=False),
        sa.Column("refilled_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_request_budgets")),
    )
    op.create_table(
        "run_amendments",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amendment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("noticed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "run_id", "amendment", name=op.f("pk_run_amendments")),
    )
    op.create_table(
        "run_artifacts",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "run_id", "step_index", "path", name=op.f("pk_run_artifacts")),
    )
    op.create_index("ix_run_artifacts_due", "run_artifacts", ["account_key", "state", "next_attempt_at"], unique=False)
    op.create_table(
        "run_hours",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("environment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("elapsed", sa.BigInteger(), nullable=False),
        sa.Column("queued", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_key", "hour", "job_id", "project_id", "environment_id", "status", name=op.f("pk_run_hours")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_hours_hour", "run_hours", ["hour"], unique=False)
    op.create_table(
        "run_steps",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("log", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "run_id", "step_index", name=op.f("pk_run_steps")),
    )
    op.create_table(
        "runs",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_code", sa.BigInteger(), nullable=True),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("environment_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("dbt_version", sa.Text(), nullable=True),
        sa.Column("git_branch", sa.Text(), nullable=True),
        sa.Column("git_sha", sa.Text(), nullable=True),
        sa.Column("trigger_category", sa.Text(), nullable=True),
        sa.Column("trigger_cause", sa.Text(), nullable=True),
        sa.Column("trigger_git_branch", sa.Text(), nullable=True),
        sa.Column("trigger_git_sha", sa.Text(), nullable=True),
        sa.Column("trigger_pull_request_id", sa.BigInteger(), nullable=True),
        sa.Column("trigger_schema_override", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("dequeued_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("retrying_run_id", sa.BigInteger(), nullable=True),
        sa.Column("artifacts_saved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("href", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "run_id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_account_placed", "runs", ["account_key", "placed_at"], unique=False)
    op.create_index("ix_runs_job_hour", "runs", ["account_key", "job_id", "hour"], unique=False)
    op.create_index("ix_runs_job_placed", "runs", ["account_key", "job_id", "placed_at"], unique=False)
    op.create_index("ix_runs_placed", "runs", ["placed_at", "account_key", "run_id"], unique=False)
    op.create_index("ix_runs_revision", "runs", ["account_key", "revision"], unique=False)
    op.create_index("ix_runs_status", "runs", ["account_key", "status"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "sync_states",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("newest_run_id", sa.BigInteger(), nullable=True),
        sa.Column("backfill_from", sa.BigInteger(), nullable=True),
        sa.Column("backfilled_to", sa.BigInteger(), nullable=True),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_reconcile_at", sa.BigInteger(), nullable=True),
        sa.Column("structure_read_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("requests_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rate_limited_total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_sync_states")),
    )
