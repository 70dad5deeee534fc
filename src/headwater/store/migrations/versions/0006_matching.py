"""What matching needs besides nodes: an account's other addresses, what a person said, and what warehouses hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_aliases",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "origin", name=op.f("pk_account_aliases")),
        sa.UniqueConstraint("origin", "account_id", name=op.f("uq_account_aliases_origin")),
    )
    op.create_table(
        "match_overrides",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("environment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("table_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("unique_id", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_key", "project_id", "environment_id", "table_name", name=op.f("pk_match_overrides")
        ),
    )
    op.create_table(
        "warehouses",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shown_url", sa.Text(), nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", "name", name=op.f("pk_warehouses")),
        sa.UniqueConstraint("name", name=op.f("uq_warehouses_name")),
    )
    op.create_table(
        "warehouse_tables",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("warehouse", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("table_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("database_name", sa.Text(), nullable=True),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("altered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_key", "warehouse", "table_key", name=op.f("pk_warehouse_tables")),
    )
