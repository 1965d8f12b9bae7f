"""How a step makes a record table: its columns as they were on the day of the step, never those of the registry.

Each column is name:type, with ? where it may be empty; the key follows the bar. Frozen: a change here would change
history, so another form gets another function.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.String(),
    "whole": sa.BigInteger(),
    "flag": sa.Integer(),
    "date": sa.Date(),
}


def create_record_table(table: str, written: str) -> None:
    """Make ``record_<table>`` with the columns as written and what every record carries."""
    name = f"record_{table}"
    columns, key = (part.split() for part in written.split("|"))
    op.create_table(
        name,
        *(record_column(column) for column in columns),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, "revision", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"], name=f"fk_{name}_delivery_id"),
    )


def record_column(written: str) -> sa.Column[Any]:
    """One column from name:type or name:type?."""
    name, kind = written.split(":")
    return sa.Column(name, TYPES[kind.removesuffix("?")], nullable=kind.endswith("?"))
