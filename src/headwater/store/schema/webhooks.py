"""Webhooks of dbt Cloud: where each account is called, and what it was told."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Key, Number, Words

webhooks = Table(
    "webhooks",
    metadata,
    account(),
    needed("hook_id", Key()),  # the last part of the address that dbt Cloud calls
    needed("public_url", Words()),
    needed("subscription_id", Words(), "''"),  # empty until dbt Cloud confirmed the subscription
    Column("secret", LargeBinary()),
    needed("added_at", Instant()),
    Column("heard_at", Instant()),
    UniqueConstraint("hook_id"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    account(),
    key("event_id", Key),
    needed("run_id", Number()),
    needed("heard_at", Instant()),
    Column("answered_at", Instant()),  # empty while the run is still to be read
    Index("ix_webhook_events_waiting", "answered_at", "account_key"),
)
