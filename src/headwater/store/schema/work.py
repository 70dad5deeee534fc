"""Where each sync stands, what it may still ask, and who does what now."""

from __future__ import annotations

from sqlalchemy import Column, Table

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Key, Number, Span, Words

sync_states = Table(
    "sync_states",
    metadata,
    account(),
    Column("newest_run_id", Number()),
    Column("overlap_run_id", Number()),
    Column("backfill_from", Instant()),
    Column("backfilled_to", Instant()),
    Column("last_success_at", Instant()),
    Column("last_attempt_at", Instant()),
    Column("last_error", Words()),
    Column("last_reconcile_at", Instant()),
    Column("structure_read_at", Instant()),
    needed("failures", Number(), "0"),
    needed("requests_total", Number(), "0"),
    needed("rate_limited_total", Number(), "0"),
)

sync_progress = Table(
    "sync_progress",
    metadata,
    account(),
    needed("began_at", Instant()),
    needed("noted_at", Instant()),
    needed("listed_from", Instant()),
    needed("worked", Span()),
    needed("fetched", Number()),
    needed("found", Number()),
    needed("share_millionths", Number()),
    needed("requests_before", Number()),
)

sync_passes = Table(
    "sync_passes",
    metadata,
    account(),
    key("began_at", Instant),
    needed("ended_at", Instant()),
    needed("passes", Number()),
    needed("requests", Number()),
    needed("rate_limited", Number()),
    needed("runs_new", Number()),
    needed("runs_updated", Number()),
    needed("artifacts_stored", Number()),
    needed("error", Words(), "''"),
)

request_budgets = Table(
    "request_budgets",
    metadata,
    account(),
    needed("millionths", Number()),  # of a request
    needed("refilled_at", Instant()),
    Column("blocked_until", Instant()),
)

leases = Table(
    "leases",
    metadata,
    key("name", Key),
    needed("holder", Words()),
    needed("until", Instant()),
)
