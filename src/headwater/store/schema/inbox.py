"""What was accepted from the SDK and is not stored yet."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, Table

from headwater.store.schema.columns import key, metadata, needed
from headwater.store.values import Instant, Number, Words

inbox = Table(
    "inbox",
    metadata,
    key("body_hash", LargeBinary),  # the same body waits once
    needed("body", LargeBinary()),
    needed("what", Words()),
    needed("accepted_at", Instant()),
    needed("attempts", Number(), "0"),
    needed("due_at", Instant()),  # from when on any process may claim it
    needed("last_error", Words(), "''"),
    Index("ix_inbox_due_at", "due_at"),
)
