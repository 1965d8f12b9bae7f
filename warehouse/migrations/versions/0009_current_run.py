"""Which published run is in force for a month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No month has a published run yet."""
    op.create_table(
        "current_run",
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_current_run"),
        sa.ForeignKeyConstraint(["run_id"], ["settlement_run.run_id"], name="fk_current_run_run_id"),
        sa.ForeignKeyConstraint(["seq"], ["act_log.seq"], name="fk_current_run_seq"),
    )


def downgrade() -> None:
    """Drop the pointers; the log still says what was published."""
    op.drop_table("current_run")
