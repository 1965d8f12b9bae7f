"""Amounts entered by hand: who pays whom, why, on what evidence, approved by whom, until when.

A run of one day may be in force as well: the pointer's ``month`` is then a date.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = (
    "adjustment_id:text payer_id:text payee_id:text charge_code:text amount_cny:whole reason:text evidence:text "
    "entered_by:text approver:text valid_from:date valid_to:date | adjustment_id valid_from"
)


def upgrade() -> None:
    """Make the table; nothing was adjusted yet."""
    create_record_table("manual_adjustments", COLUMNS)
    with op.batch_alter_table("current_run") as table:
        table.alter_column("month", existing_type=sa.String(7), type_=sa.String(10), existing_nullable=False)


def downgrade() -> None:
    """Drop it with what was delivered in it."""
    with op.batch_alter_table("current_run") as table:
        table.alter_column("month", existing_type=sa.String(10), type_=sa.String(7), existing_nullable=False)
    op.drop_table("record_manual_adjustments")
