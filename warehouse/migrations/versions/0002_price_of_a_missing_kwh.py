"""Programs may name what a kWh that was awarded and not delivered costs.

Awards priced per kW and event say nothing about a kWh; without this price such a program can have no penalty.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty for every program there is."""
    op.add_column(
        "record_dr_programs", sa.Column("penalty_price_cny_per_kwh", sa.BigInteger(), nullable=True)
    )


def downgrade() -> None:
    """Drop the column with what was delivered in it."""
    op.drop_column("record_dr_programs", "penalty_price_cny_per_kwh")
