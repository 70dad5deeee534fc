"""Which runs of an account are followed, and from which run the next listing begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_filters",
        sa.Column("account_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_ids", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("excludes_projects", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("environment_ids", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("excludes_environments", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("job_ids", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("excludes_jobs", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("with_ci", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("account_key", name=op.f("pk_account_filters")),
    )
    op.add_column("sync_states", sa.Column("overlap_run_id", sa.BigInteger(), nullable=True))
