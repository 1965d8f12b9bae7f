"""A run may be of one day: its ``month`` is then a date and needs ten characters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the column."""
    _alter(sa.String(7), sa.String(10))


def downgrade() -> None:
    """Narrow the column again; runs of a day do not fit and must be removed before."""
    _alter(sa.String(10), sa.String(7))


def _alter(old: sa.String, new: sa.String) -> None:
    """SQLite copies the table, which what refers to it survives only when the check waits for the end."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
    with op.batch_alter_table("settlement_run") as table:
        table.alter_column("month", existing_type=old, existing_nullable=False, type_=new)
