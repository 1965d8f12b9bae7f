"""The history of the database schema, kept by Alembic."""
