"""By how much a contract's curve may be left and at what price, and what may flow into a province in all."""

from __future__ import annotations

from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = {
    "contract_bands": "band_id:text contract_id:text first_period:whole last_period:whole up_mw:whole "
    "up_price_cny_per_mwh:whole? down_mw:whole down_price_cny_per_mwh:whole? valid_from:date valid_to:date? "
    "| band_id valid_from",
    "import_limits": "node:text limit_mw:whole source:text valid_from:date valid_to:date? | node valid_from",
}


def upgrade() -> None:
    """Make the tables; nothing was delivered yet."""
    for name, columns in TABLES.items():
        create_record_table(name, columns)


def downgrade() -> None:
    """Drop them with what was delivered in them."""
    for name in TABLES:
        op.drop_table(f"record_{name}")
