"""Who may come in."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import key, metadata, needed
from headwater.store.values import Instant, Key, Words

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
    UniqueConstraint("token_hash"),
)

login_links = Table(
    "login_links",
    metadata,
    key("link_hash", LargeBinary),
    needed("role", Words()),
    needed("created_at", Instant()),
    needed("expires_at", Instant()),
    Column("used_at", Instant()),
)

sessions = Table(
    "sessions",
    metadata,
    key("session_hash", LargeBinary),
    needed("role", Words()),
    needed("name", Words()),
    needed("created_at", Instant()),
    needed("last_seen_at", Instant()),
    needed("expires_at", Instant()),
)
