"""What people decide about an event, and what pays it besides the market.

Cancellations and appeals; days a baseline must leave out for a participant; the rota of orderly use; the months of a
fund; capacity prices of programmes and the fund they are paid from.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RECORDS = {
    "dr_cancellations": "event_id:text cancelled_at:text reason:text | event_id",
    "dr_appeals": "event_id:text participant_id:text appealed_at:text reason:text outcome:text? decided_at:text? "
    "decision:text? | event_id participant_id appealed_at",
    "dr_exclusions": "participant_id:text date:date cause:text source:text | participant_id date",
    "rota": "participant_id:text share:whole valid_from:date valid_to:date? source:text "
    "| participant_id valid_from",
    "dr_funds": "fund_id:text month:text income_cny:whole source:text | fund_id month",
}


def upgrade() -> None:
    """Make the tables; programmes there are have no capacity price and no fund."""
    for table, columns in RECORDS.items():
        create_record_table(table, columns)
    op.add_column(
        "record_dr_programs", sa.Column("capacity_price_cny_per_kw_month", sa.BigInteger(), nullable=True)
    )
    op.add_column("record_dr_programs", sa.Column("fund_id", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop them with what was delivered in them."""
    op.drop_column("record_dr_programs", "fund_id")
    op.drop_column("record_dr_programs", "capacity_price_cny_per_kw_month")
    for table in RECORDS:
        op.drop_table(f"record_{table}")
