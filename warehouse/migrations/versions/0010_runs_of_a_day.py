"""A run may be of one day: its ``month`` is then a date and needs ten characters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the column; SQLite keeps text of any length as it is."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("settlement_run", "month", existing_type=sa.String(7), type_=sa.String(10))


def downgrade() -> None:
    """Narrow the column again; runs of a day do not fit and must be removed before."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("settlement_run", "month", existing_type=sa.String(10), type_=sa.String(7))
