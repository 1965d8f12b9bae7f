"""Amounts of market operation fees, published standards, and the shares of energy outside the market."""

from __future__ import annotations

from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RECORDS = {
    "fee_pools": "charge_code:text date:date amount_cny:whole cause:text participant_id:text "
    "| charge_code date cause",
    "standards": "charge_code:text price_cny_per_mwh:whole valid_from:date valid_to:date? published_on:date "
    "source:text | charge_code valid_from",
    "energy_shares": "participant_id:text what:text share:whole valid_from:date valid_to:date? "
    "| participant_id what valid_from",
}


def upgrade() -> None:
    """Make the three tables."""
    for table, columns in RECORDS.items():
        create_record_table(table, columns)


def downgrade() -> None:
    """Drop them with what was delivered in them."""
    for table in RECORDS:
        op.drop_table(f"record_{table}")
