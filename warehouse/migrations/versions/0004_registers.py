"""Register reads, maximum demand, and which meter stands behind which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RECORDS = {
    "registers": "meter_id:text flow:text rate:text valid_from:date valid_to:date start_kwh:whole end_kwh:whole "
    "digits:whole multiplier:whole? | meter_id flow rate valid_from",
    "maximum_demand": "meter_id:text month:text demand_kw:whole reached_at:text? | meter_id month",
}


def upgrade() -> None:
    """Make the tables; no meter there is stands behind another."""
    for table, columns in RECORDS.items():
        create_record_table(table, columns)
    op.add_column("record_meters", sa.Column("main_meter_id", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop them with what was delivered in them."""
    op.drop_column("record_meters", "main_meter_id")
    for table in RECORDS:
        op.drop_table(f"record_{table}")
