"""What seller and buyer each registered of a contract for a month: its energy and its price."""

from __future__ import annotations

from alembic import op

from warehouse.migrations.record_tables import create_record_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing was registered yet."""
    create_record_table(
        "contract_records",
        "contract_id:text side:text month:text energy_mwh:whole price_cny_per_mwh:whole | contract_id side month",
    )


def downgrade() -> None:
    """Drop it with what was delivered in it."""
    op.drop_table("record_contract_records")
