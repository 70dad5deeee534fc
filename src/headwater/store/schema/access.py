"""Who may come in, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Words

api_tokens = Table(
    "api_tokens",
    metadata,
    key("name", Key),
    needed("role", Words()),
    needed("token_hash", LargeBinary()),
    needed("prefix", Words()),
    needed("created_at", Instant()),
    Column("last_used_at", Instant()),
    Column("expires_at", Instant()),
    Column("revoked_at", Instant()),
    needed("created_by", Words(), "''"),
    Column("accounts", Json()),  # the addresses of those it has to do with; none is every one
    UniqueConstraint("token_hash"),
)

users = Table(
    "users",
    metadata,
    key("name", Key),
    needed("role", Words()),
    Column("password_hash", Words()),
    Column("issuer", Key()),
    Column("subject", Key()),
    needed("created_at", Instant()),
    Column("password_set_at", Instant()),
    Column("last_login_at", Instant()),
    Column("disabled_at", Instant()),
    Column("accounts", Json()),  # as of a token
    UniqueConstraint("issuer", "subject"),
)

login_links = Table(
    "login_links",
    metadata,
    key("link_hash", LargeBinary),
    needed("user_name", Key()),
    needed("created_at", Instant()),
    needed("expires_at", Instant()),
    Column("used_at", Instant()),
)

sessions = Table(
    "sessions",
    metadata,
    key("session_hash", LargeBinary),
    needed("user_name", Key()),
    needed("address", Words(), "''"),
    needed("created_at", Instant()),
    needed("last_seen_at", Instant()),
    needed("expires_at", Instant()),
    Column("proved_at", Instant()),
)

login_tries = Table(
    "login_tries",
    metadata,
    key("tries_of", LargeBinary),
    needed("began_at", Instant()),
    needed("tries", Integer()),
)

audit_events = Table(
    "audit_events",
    metadata,
    key("event_id"),
    needed("happened_at", Instant()),
    needed("actor", Words()),
    needed("address", Words()),
    needed("action", Words()),
    needed("subject", Words()),
    needed("detail", Words()),
    needed("link", LargeBinary()),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    key("head_id"),
    needed("event_id", Number()),
    needed("link", LargeBinary()),
)
