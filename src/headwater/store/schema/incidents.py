"""Incidents, their timelines, and up to where each account was evaluated."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, text

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Words

incidents = Table(
    "incidents",
    metadata,
    account(),
    key("number"),
    needed("project_id", Number()),
    needed("environment_id", Number()),
    needed("cause_key", Key()),
    needed("state", Words()),
    needed("cause", Json()),
    needed("roots", Json()),
    needed("affected", Json()),
    needed("began_at", Instant()),
    needed("opened_at", Instant()),
    needed("seen_at", Instant()),
    Column("gone_at", Instant()),
    Column("resolved_at", Instant()),
    needed("resolved_by", Words(), "''"),
    needed("acknowledged_by", Words(), "''"),
    Index("ix_incidents_resolved", "account_key", "resolved_at"),
    Index(  # one open incident for one cause, whoever evaluates
        "uq_incidents_open",
        "account_key",
        "project_id",
        "environment_id",
        "cause_key",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

incident_transitions = Table(
    "incident_transitions",
    metadata,
    account(),
    key("number"),
    key("place"),
    needed("kind", Words()),
    needed("happened_at", Instant()),
    needed("author", Words(), "''"),
    needed("note", Words(), "''"),
    needed("affected", Number()),
)

incident_marks = Table(
    "incident_marks",
    metadata,
    account(),
    needed("revision", Number()),  # of the account, up to which it was evaluated
    needed("evaluated_at", Instant()),
    Column("due_at", Instant()),  # when time alone may change something
)
