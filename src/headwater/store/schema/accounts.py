"""Accounts, and what each of them holds."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table, UniqueConstraint, text

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Words

accounts = Table(
    "accounts",
    metadata,
    Column("account_key", Integer(), primary_key=True),
    needed("name", Key()),
    needed("origin", Key()),
    needed("account_id", Number()),
    Column("token", LargeBinary()),
    needed("token_hint", Words(), "''"),
    Column("token_set_at", Instant()),
    Column("is_paused", Boolean(), nullable=False, server_default=text("false")),
    needed("added_at", Instant()),
    needed("status", Words(), "'new'"),
    Column("last_checked_at", Instant()),
    needed("last_error", Words(), "''"),
    needed("revision", Number(), "0"),
    UniqueConstraint("name"),
    UniqueConstraint("origin", "account_id"),
)

account_filters = Table(
    "account_filters",
    metadata,
    account(),
    needed("project_ids", Json(), "'[]'"),
    Column("excludes_projects", Boolean(), nullable=False, server_default=text("false")),
    needed("environment_ids", Json(), "'[]'"),
    Column("excludes_environments", Boolean(), nullable=False, server_default=text("false")),
    needed("job_ids", Json(), "'[]'"),
    Column("excludes_jobs", Boolean(), nullable=False, server_default=text("false")),
    Column("with_ci", Boolean(), nullable=False, server_default=text("true")),
)

projects = Table(
    "projects",
    metadata,
    account(),
    key("project_id"),
    needed("name", Words()),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
)

environments = Table(
    "environments",
    metadata,
    account(),
    key("environment_id"),
    Column("project_id", Number()),
    needed("name", Words()),
    Column("deployment_type", Words()),
    Column("kind", Words()),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
)

jobs = Table(
    "jobs",
    metadata,
    account(),
    key("job_id"),
    Column("project_id", Number()),
    Column("environment_id", Number()),
    needed("name", Words()),
    needed("commands", Json(), "'[]'"),
    Column("cron", Words()),
    Column("job_type", Words()),
    Column("generates_docs", Boolean(), nullable=False, server_default=text("false")),
    Column("generates_sources", Boolean(), nullable=False, server_default=text("false")),
    Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
    Column("updated_at", Instant()),
)
