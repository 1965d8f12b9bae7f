"""Every answer to a delivery is kept, and what became of a quarantined row by whom; both only ever grow.

The answers of deliveries made before this step are those that their entries still hold.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

GROWING = ("arrival", "quarantine_decision")
REFUSAL = "rows of {} are never changed or removed"


def upgrade() -> None:
    """Make both tables, fill the first from the deliveries there are, and let nobody change a row."""
    op.create_table(
        "arrival",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("table_name", sa.String(64), nullable=True),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("sender", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("revised", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_arrival"),
    )
    op.create_index("ix_arrival_delivery_id", "arrival", ["delivery_id"])
    kept = "delivery_id, table_name, file_name, sender, status, rows, accepted, quarantined, revised"
    op.execute(
        f"INSERT INTO arrival ({kept}, unchanged, arrived_at, reason) "  # noqa: S608  names of this file
        f"SELECT {kept}, 0, recorded_at, reason FROM delivery ORDER BY recorded_at, delivery_id"
    )
    op.create_table(
        "quarantine_decision",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("correction", sa.JSON(), nullable=True),
        sa.Column("released_as", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "line", name="pk_quarantine_decision"),
        sa.ForeignKeyConstraint(
            ["delivery_id", "line"],
            ["quarantined_row.delivery_id", "quarantined_row.line"],
            name="fk_quarantine_decision_delivery_id",
        ),
        sa.ForeignKeyConstraint(
            ["released_as"], ["delivery.delivery_id"], name="fk_quarantine_decision_released_as"
        ),
    )
    for table in GROWING:
        _only_growing(table)


def downgrade() -> None:
    """Drop both tables with what they hold."""
    for table in reversed(GROWING):
        op.drop_table(table)  # and its triggers with it
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP FUNCTION {table}_only_grows()")


def _only_growing(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL.format(table)}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL.format(table)}'); END"
        )
