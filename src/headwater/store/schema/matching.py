"""What matching needs besides nodes: an account's other addresses, what a person said, and what warehouses hold."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, UniqueConstraint

from headwater.store.schema.columns import account, key, metadata, needed
from headwater.store.values import Instant, Json, Key, Number, Words

account_aliases = Table(
    "account_aliases",
    metadata,
    account(),
    key("origin", Key),
    needed("account_id", Number()),  # that of the account, so that an address belongs to one account only
    needed("added_at", Instant()),
    UniqueConstraint("origin", "account_id"),
)

match_overrides = Table(
    "match_overrides",
    metadata,
    account(),
    key("project_id"),
    key("environment_id"),
    key("table_name", Key),  # as it was written
    needed("unique_id", Key()),
    needed("set_at", Instant()),
)

warehouses = Table(
    "warehouses",
    metadata,
    account(),
    key("name", Key),
    needed("kind", Words()),
    needed("shown_url", Words()),  # without a password
    needed("url", LargeBinary()),  # sealed
    needed("added_at", Instant()),
    Column("read_at", Instant()),  # when it was last read with success
    needed("last_error", Words(), "''"),
    UniqueConstraint("name"),
)

warehouse_tables = Table(
    "warehouse_tables",
    metadata,
    account(),
    key("warehouse", Key),
    key("table_key"),
    Column("database_name", Words()),
    needed("schema_name", Words()),
    needed("identifier", Words()),
    needed("kind", Words()),
    needed("columns", Json()),
    Column("row_count", Number()),
    Column("altered_at", Instant()),
)
