"""The sha256 of every curve file; of files that are there already it is taken now, and counts from now on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from warehouse.file_hash import file_sha256

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a file that is not there keeps none."""
    with op.batch_alter_table("curve_file") as table:
        table.add_column(sa.Column("sha256", sa.String(64), nullable=True))
    folder = context.config.attributes.get("curves")
    if folder is None:
        return
    files = sa.table("curve_file", sa.column("path", sa.String), sa.column("sha256", sa.String))
    connection = op.get_bind()
    for path in connection.scalars(sa.select(files.c.path)).all():
        if (folder / path).is_file():
            digest = file_sha256(folder / path)
            connection.execute(files.update().where(files.c.path == path).values(sha256=digest))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("curve_file") as table:
        table.drop_column("sha256")
