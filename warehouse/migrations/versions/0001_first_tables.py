"""Deliveries, quarantine, curve files, runs, and the first fifteen record tables.

The columns stand here as they were on the day of this step: the registry may move on, history may not.
Each record column is name:type, with ? where it may be empty; the key follows the bar.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.String(),
    "whole": sa.BigInteger(),
    "flag": sa.Integer(),
    "date": sa.Date(),
}

RECORDS = {
    "participants": "participant_id:text name:text kind:text city:text? node:text? voltage_kv:whole? "
    "capacity_kva:whole? tariff_class:text? retailer_id:text? valid_from:date valid_to:date? "
    "| participant_id valid_from",
    "meters": "meter_id:text participant_id:text multiplier:whole direction:whole valid_from:date valid_to:date? "
    "| meter_id valid_from",
    "contracts": "contract_id:text seller_id:text buyer_id:text price_cny_per_mwh:whole valid_from:date "
    "valid_to:date? | contract_id",
    "sections": "section_id:text name:text tariff_cny_per_mwh:whole loss_rate:whole loss_included:flag "
    "capacity_mw:whole? source:text valid_from:date valid_to:date? owner_id:text? source_effective_from:date? "
    "| section_id valid_from",
    "paths": "path_id:text seq:whole section_id:text seller_node:text buyer_node:text | path_id seq",
    "offers": "node:text date:date stage:text round:whole period:whole segment:whole mw:whole "
    "price_cny_per_mwh:whole | node date stage round period segment",
    "bids": "node:text date:date stage:text round:whole period:whole segment:whole mw:whole "
    "price_cny_per_mwh:whole version:whole submitted_at:text | node date stage round period segment version",
    "trades": "trade_id:text date:date stage:text round:whole period:whole path_id:text seller_node:text "
    "buyer_node:text seller_id:text buyer_id:text sell_mw:whole buy_mw:whole sell_price:whole landed_price:whole "
    "executed_sell_mw:whole executed_buy_mw:whole | trade_id",
    "dr_programs": "program_id:text kind:text product:text direction:text price_cny:whole price_unit:text "
    "notice_minutes:whole minimum_minutes:whole floor:whole cap:whole test:text maximum_minutes:whole? "
    "penalty_share:whole? penalty_factor:whole? valid_from:date valid_to:date? source:text "
    "| program_id valid_from",
    "dr_events": "event_id:text program_id:text date:date first_period:whole last_period:whole announced_at:text "
    "need_mw:whole direction:text | event_id",
    "dr_enrolments": "program_id:text participant_id:text tier:text aggregator_id:text? baseline_method:text "
    "adjustment:text capability_kw:whole fixed_at:text valid_from:date valid_to:date? "
    "| program_id participant_id valid_from",
    "dr_offers": "event_id:text participant_id:text offered_kw:whole price_cny:whole price_unit:text "
    "| event_id participant_id",
    "dr_awards": "event_id:text participant_id:text committed_kw:whole price_cny:whole price_unit:text "
    "| event_id participant_id",
    "capacity_available": "participant_id:text month:text capacity_mw:whole | participant_id month",
    "statements_received": "participant_id:text month:text charge_code:text quantity_mwh:whole amount_cny:whole "
    "| participant_id month charge_code",
}


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("table_name", sa.String(64), nullable=True),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("sender", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("revised", sa.BigInteger(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=True),
        sa.Column("last_date", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_table_name", "delivery", ["table_name", "recorded_at"])
    op.create_table(
        "quarantined_row",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "line", name="pk_quarantined_row"),
        _of_delivery("quarantined_row"),
    )
    op.create_table(
        "curve_file",
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("table_name", sa.String(64), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("city", sa.String(255), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("revised", sa.BigInteger(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_curve_file"),
        _of_delivery("curve_file"),
    )
    op.create_index("ix_curve_file_table_name", "curve_file", ["table_name", "month"])
    op.create_table(
        "settlement_run",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(255), nullable=False),
        sa.Column("previous", sa.String(64), nullable=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_settlement_run"),
        sa.ForeignKeyConstraint(["previous"], ["settlement_run.run_id"], name="fk_settlement_run_previous"),
    )
    op.create_index("ix_settlement_run_month", "settlement_run", ["month", "kind"])
    for table, columns in RECORDS.items():
        _create_record_table(f"record_{table}", columns)


def downgrade() -> None:
    """Drop every table."""
    for table in RECORDS:
        op.drop_table(f"record_{table}")
    for table in ("settlement_run", "curve_file", "quarantined_row", "delivery"):
        op.drop_table(table)


def _of_delivery(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name=f"fk_{table}_delivery_id")


def _create_record_table(name: str, written: str) -> None:
    columns, key = (part.split() for part in written.split("|"))
    op.create_table(
        name,
        *(_column(column) for column in columns),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, "revision", name=f"pk_{name}"),
        _of_delivery(name),
    )


def _column(written: str) -> sa.Column[Any]:
    name, kind = written.split(":")
    return sa.Column(name, TYPES[kind.rstrip("?")], nullable=kind.endswith("?"))
