"""Who supplied which field of a run, and what joins the runs of an attempt chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("sources", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("is_retry", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("observations", sa.Column("airflow_task", sa.Text(), nullable=True))
    op.create_index("ix_runs_retrying", "runs", ["account_key", "retrying_run_id"], unique=False)
    op.create_index("ix_runs_retry", "runs", ["is_retry", "hour"], unique=False)
    op.create_index("ix_observations_airflow", "observations", ["account_key", "airflow_task"], unique=False)
    op.execute("UPDATE runs SET is_retry = true WHERE retrying_run_id IS NOT NULL OR trigger_category = 'rerun'")
