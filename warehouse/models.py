"""The tables of the database: deliveries, quarantine, runs, acts, and one record table per registry table.

Money and decimals are whole numbers of the column's smallest unit in BigInteger: Numeric on SQLite is a float.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from market import tables
from market.tables import Kind

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}


class Instant(TypeDecorator[datetime]):
    """A moment, always with its zone: stored as UTC, read as UTC; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; give a moment with its offset.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The one metadata object of the warehouse."""

    metadata = MetaData(naming_convention=NAMES)


class Delivery(Base):
    """One file that came in, by the sha256 of its bytes (the ingest ledger)."""

    __tablename__ = "delivery"
    __table_args__ = (Index(None, "table_name", "recorded_at"),)

    delivery_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    table_name: Mapped[str | None] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(String(255))
    sender: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int] = mapped_column(BigInteger)
    accepted: Mapped[int] = mapped_column(BigInteger)
    quarantined: Mapped[int] = mapped_column(BigInteger)
    revised: Mapped[int] = mapped_column(BigInteger)
    first_date: Mapped[date | None] = mapped_column(Date)
    last_date: Mapped[date | None] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String)


class QuarantinedRow(Base):
    """One row of a delivery that was not taken: where it stands, why, and what it said."""

    __tablename__ = "quarantined_row"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.delivery_id"), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(64))
    sentence: Mapped[str] = mapped_column(String)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class Arrival(Base):
    """One attempt to deliver a file and the answer it got, in order; rows are only ever added.

    ``status`` is that of the receipt: accepted and partly are an ack, duplicate is an ack that changed nothing,
    rejected is a nack. ``delivery`` holds what stands now; this table keeps every answer.
    """

    __tablename__ = "arrival"
    __table_args__ = (Index(None, "delivery_id"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    delivery_id: Mapped[str] = mapped_column(String(64))
    table_name: Mapped[str | None] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(String(255))
    sender: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int] = mapped_column(BigInteger)
    accepted: Mapped[int] = mapped_column(BigInteger)
    quarantined: Mapped[int] = mapped_column(BigInteger)
    revised: Mapped[int] = mapped_column(BigInteger)
    unchanged: Mapped[int] = mapped_column(BigInteger)
    arrived_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String)


class QuarantineDecision(Base):
    """What became of a quarantined row, by whom and why; one a row, never changed.

    ``decision``: released, rejected, or arrived (what the row refers to has come, and it was taken by itself).
    ``correction`` holds the cells that were changed; ``released_as`` the delivery that carries the row now.
    """

    __tablename__ = "quarantine_decision"
    __table_args__ = (
        ForeignKeyConstraint(
            ["delivery_id", "line"], ["quarantined_row.delivery_id", "quarantined_row.line"]
        ),
    )

    delivery_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    decision: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String)
    decided_at: Mapped[datetime] = mapped_column(Instant)
    correction: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    released_as: Mapped[str | None] = mapped_column(ForeignKey("delivery.delivery_id"))


class CurveFile(Base):
    """One Parquet file of one delivery. A file without its row here does not exist for any reader.

    ``sha256`` of its bytes, None where an older version wrote it and it was gone when the column came.
    ``revised`` counts its rows whose key and date stood in an earlier delivery: 0 means that no merge is needed.
    """

    __tablename__ = "curve_file"
    __table_args__ = (Index(None, "table_name", "month"),)

    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.delivery_id"))
    table_name: Mapped[str] = mapped_column(String(64))
    month: Mapped[str] = mapped_column(String(7))
    city: Mapped[str] = mapped_column(String(255))
    rows: Mapped[int] = mapped_column(BigInteger)
    revised: Mapped[int] = mapped_column(BigInteger)
    first_date: Mapped[date] = mapped_column(Date)
    last_date: Mapped[date] = mapped_column(Date)
    sha256: Mapped[str | None] = mapped_column(String(64))


class SettlementRun(Base):
    """One run whose folder stands under ``runs/<run_id>``; ``month`` is YYYY-MM, of a day's run YYYY-MM-DD."""

    __tablename__ = "settlement_run"
    __table_args__ = (Index(None, "month", "kind"),)

    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    month: Mapped[str] = mapped_column(String(10))
    version: Mapped[int] = mapped_column(Integer)
    alias: Mapped[str] = mapped_column(String(255))
    previous: Mapped[str | None] = mapped_column(ForeignKey("settlement_run.run_id"))
    status: Mapped[str] = mapped_column(String(32))
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)


class LoggedAct(Base):
    """One act in the append-only log; ``hash`` covers every other column and so the whole log before it."""

    __tablename__ = "act_log"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    person: Mapped[str] = mapped_column(String(255))
    account: Mapped[str] = mapped_column(String(255))
    roles: Mapped[str] = mapped_column(String(255))
    act: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(255), index=True)
    reason: Mapped[str] = mapped_column(String)
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class CurrentRun(Base):
    """Which run is in force for a month or a day: the one published last; ``seq`` is the act that published it."""

    __tablename__ = "current_run"

    month: Mapped[str] = mapped_column(String(10), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("settlement_run.run_id"))
    seq: Mapped[int] = mapped_column(ForeignKey("act_log.seq"))


def sql_type(kind: Kind) -> TypeEngine[Any]:
    """How a column of the registry is stored; instants and months are ISO text."""
    if kind is Kind.DATE:
        return Date()
    if kind in (Kind.DECIMAL, Kind.INTEGER):
        return BigInteger()
    if kind is Kind.FLAG:
        return Integer()
    return String()


def _record_table(table: tables.Table) -> Table:
    name = f"record_{table.name}"
    return Table(
        name,
        Base.metadata,
        *(
            Column(column.name, sql_type(column.kind), nullable=not column.required)
            for column in table.columns
        ),
        Column("revision", Integer, nullable=False),
        Column("delivery_id", String(64), nullable=False),
        Column("line", BigInteger, nullable=False),
        PrimaryKeyConstraint(*table.key, "revision"),
        ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"]),
    )


RECORDS: dict[str, Table] = {
    table.name: _record_table(table) for table in tables.TABLES.values() if not table.is_curve
}
