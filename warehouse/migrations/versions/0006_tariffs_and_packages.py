"""Tariffs, retail packages and who chose them; a user's basic fee and power-factor standard.

A participant delivered before has neither a basic fee nor a standard of its own: the columns are empty.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.String(),
    "whole": sa.BigInteger(),
    "date": sa.Date(),
}

RECORDS = {
    "tariffs": "component:text tariff_class:text voltage_band:text price_cny:whole price_unit:text region:text "
    "source:text source_effective_from:date? valid_from:date valid_to:date? "
    "| component tariff_class voltage_band valid_from",
    "packages": "package_id:text retailer_id:text kind:text fixed_share:whole? sharp_cny_per_mwh:whole? "
    "peak_cny_per_mwh:whole? flat_cny_per_mwh:whole? valley_cny_per_mwh:whole? deep_valley_cny_per_mwh:whole? "
    "linked_to:text? spread_cny_per_mwh:whole? cap_cny_per_mwh:whole? x1_share:whole? x2_share:whole? "
    "y1_cny_per_mwh:whole? y2_cny_per_mwh:whole? c1_cny_per_mwh:whole? c2_cny:whole? green_share:whole? "
    "green_cny_per_certificate:whole? valid_from:date valid_to:date? | package_id valid_from",
    "package_choices": "participant_id:text package_id:text signed_on:date agreed_mwh:whole? term_ends:date? "
    "ended_early_on:date? valid_from:date valid_to:date? | participant_id valid_from",
}


def upgrade() -> None:
    """Make the tables and add the columns."""
    for table, written in RECORDS.items():
        columns, key = (part.split() for part in written.split("|"))
        name = f"record_{table}"
        op.create_table(
            name,
            *(_column(column) for column in columns),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("delivery_id", sa.String(64), nullable=False),
            sa.Column("line", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint(*key, "revision", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name=f"fk_{name}_delivery_id"),
        )
    op.add_column("record_participants", sa.Column("basic_fee", sa.String(), nullable=True))
    op.add_column("record_participants", sa.Column("power_factor_standard", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the tables and columns with what was delivered in them."""
    op.drop_column("record_participants", "power_factor_standard")
    op.drop_column("record_participants", "basic_fee")
    for table in reversed(RECORDS):
        op.drop_table(f"record_{table}")


def _column(written: str) -> sa.Column[Any]:
    name, kind = written.split(":")
    return sa.Column(name, TYPES[kind.rstrip("?")], nullable=kind.endswith("?"))
