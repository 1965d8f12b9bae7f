"""The log of acts: who did what to which run, when and why; rows can be added and nothing else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFUSAL = "the log of acts is append-only"


def upgrade() -> None:
    """An empty log, with triggers that refuse to change or remove a row."""
    op.create_table(
        "act_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("roles", sa.String(255), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence_sha256", sa.String(64), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_act_log")),
    )
    op.create_index(op.f("ix_act_log_act"), "act_log", ["act"])
    op.create_index(op.f("ix_act_log_subject"), "act_log", ["subject"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION act_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER act_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON act_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION act_log_is_append_only()"
        )
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER act_log_no_{verb.lower()} BEFORE {verb} ON act_log "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def downgrade() -> None:
    """Drop the log with everything in it."""
    op.drop_table("act_log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION act_log_is_append_only()")
