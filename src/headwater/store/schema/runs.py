"""Runs, their steps, who saw them, what is counted of them, and what is still to be collected."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, Table, text

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Span, Words

runs = Table(
    "runs",
    metadata,
    account(),
    key("run_id"),
    needed("status", Words()),
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
    needed("first_seen_at", Instant()),
    needed("stored_at", Instant()),
    needed("placed_at", Instant()),  # where the run stands in time: created, else started, else first seen
    needed("hour", Instant()),  # of placed_at: the run is counted there in run_hours
    needed("revision", Number()),
    Column("sources", Json()),  # who supplied which field
    needed("is_retry", Boolean(), "false"),  # whether the run says of itself that it tries another one again
    Index("ix_runs_retrying", "account_key", "retrying_run_id"),
    Index("ix_runs_retry", "is_retry", "hour"),
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
    account(),
    key("run_id"),
    key("step_index"),
    needed("name", Words()),
    needed("status", Words()),
    Column("command", Words()),
    Column("started_at", Instant()),
    Column("finished_at", Instant()),
    Column("log", Words()),
)

observations = Table(
    "observations",
    metadata,
    account(),
    key("run_id"),
    key("way", Words),
    key("context_hash", LargeBinary),  # empty without a context: several Airflow tasks may see one run
    needed("first_seen_at", Instant()),
    Column("context", Json()),
    Column("airflow_task", Key()),  # what the tries of one Airflow task have in common
    Index("ix_observations_airflow", "account_key", "airflow_task"),
)

run_amendments = Table(
    "run_amendments",
    metadata,
    account(),
    key("run_id"),
    key("amendment"),
    needed("from_status", Words()),
    needed("to_status", Words()),
    needed("way", Words()),
    needed("noticed_at", Instant()),
)

run_hours = Table(
    "run_hours",
    metadata,
    account(),
    key("hour", Instant),
    key("job_id"),
    key("project_id"),
    key("environment_id"),
    key("status", Words),
    needed("runs", Number()),
    needed("elapsed", Span()),
    needed("queued", Span()),
    Index("ix_run_hours_hour", "hour"),
    sqlite_with_rowid=False,
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    account(),
    key("run_id"),
    key("step_index"),
    key("path", Key),
    needed("state", Words()),
    needed("reason", Words(), "''"),
    needed("attempts", Number(), "0"),
    Column("size_bytes", Number()),
    Column("next_attempt_at", Instant()),
    Index("ix_run_artifacts_due", "account_key", "state", "next_attempt_at"),
)
