"""To which accounts users and API tokens are limited; a token could be limited to one by its id alone before."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("accounts", sa.Text(), nullable=True))
    op.add_column("api_tokens", sa.Column("accounts", sa.Text(), nullable=True))
    tokens = sa.table("api_tokens", *(sa.column(name) for name in ("name", "account_id", "accounts")))
    found = sa.select(tokens.c.name, tokens.c.account_id).where(tokens.c.account_id.is_not(None))
    for name, account_id in op.get_bind().execute(found).all():
        accounts = json.dumps([["", account_id]], separators=(",", ":"))
        op.execute(sa.update(tokens).where(tokens.c.name == name).values(accounts=accounts))
    op.drop_column("api_tokens", "account_id")
