"""Where tables live: SQLAlchemy for records, Parquet for curves, immutable folders for runs."""
