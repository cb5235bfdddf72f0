"""Seals on sessions, security keys and delegations. What was there before has none: people sign in and register anew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("sessions", "credentials", "delegations"):
        op.add_column(table, sa.Column("seal", sa.String(length=64), server_default=sa.text("''"), nullable=False))
