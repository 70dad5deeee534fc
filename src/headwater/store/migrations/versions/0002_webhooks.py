"""Webhooks of dbt Cloud: where each account is called, and what it was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hook_id", sa.Text(), nullable=False),
        sa.Column("public_url", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("hook_id", name=op.f("uq_webhooks_hook_id")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "event_id", name=op.f("pk_webhook_events")),
    )
    op.create_index("ix_webhook_events_waiting", "webhook_events", ["answered_at", "account_key"], unique=False)
