"""The ingest ledger: what a delivery is recorded as, in one transaction with the rows it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.orm import Session

from ingest.quarantine import Quarantined
from ingest.receipt import Receipt
from ingest.record_rows import RecordRows
from market.tables import Table
from warehouse.models import Arrival, CurveFile, Delivery, QuarantineDecision, QuarantinedRow
from warehouse.records import write_records

Clock = Callable[[], datetime]


@dataclass
class Taken:
    """What one file brings, ready to be committed."""

    table: Table | None
    rows: int = 0
    quarantined: int = 0
    repeated: int = 0
    revised: int = 0
    unchanged: int = 0
    silent: int = 0  # quarter-hours that a wide row leaves empty while they are known
    first_date: date | None = None
    last_date: date | None = None
    refusal: str | None = None
    records: RecordRows | None = None
    curve_files: list[CurveFile] = field(default_factory=list)
    codes: str = ""

    @property
    def accepted(self) -> int:
        """Rows of the file that are not in quarantine."""
        return self.rows - self.quarantined

    @property
    def status(self) -> str:
        """``accepted``, ``partly`` or ``rejected``."""
        if self.refusal is not None or (self.quarantined and not self.accepted):
            return "rejected"
        return "partly" if self.quarantined else "accepted"


@dataclass(frozen=True)
class Decision:
    """A decision on one quarantined row, to be recorded with the delivery that carries the row now."""

    delivery_id: str
    line: int
    decision: str
    actor: str
    reason: str
    correction: dict[str, str] | None = None


@dataclass(frozen=True)
class Decided:
    """Decisions, and what else must be written in the same transaction (the log of acts)."""

    rows: Sequence[Decision] = ()
    witness: Callable[[Connection], None] | None = None


NOTHING_DECIDED = Decided()


def commit_delivery(
    connection: Connection,
    delivery_id: str,
    file_name: str,
    sender: str,
    clock: Clock,
    taken: Taken,
    reason: str | None,
    quarantined: Iterable[Sequence[Quarantined]],
    decided: Decided = NOTHING_DECIDED,
) -> None:
    """Make a delivery visible: its entry, its quarantine, its curve files and records, and the answer given."""
    # Bytes that were rejected before may come again, for example after the meters they name; nothing of them
    # was visible, so their entry gives way. The answer given then stays among the arrivals.
    connection.execute(delete(QuarantinedRow).where(QuarantinedRow.delivery_id == delivery_id))
    connection.execute(delete(Delivery).where(Delivery.delivery_id == delivery_id))
    moment = recorded_at(connection, clock)
    entry = {
        "delivery_id": delivery_id,
        "table_name": taken.table.name if taken.table else None,
        "file_name": file_name,
        "sender": sender,
        "status": taken.status,
        "rows": taken.rows,
        "accepted": taken.accepted,
        "quarantined": taken.quarantined,
        "revised": taken.revised,
        "reason": reason,
    }
    dated = {"first_date": taken.first_date, "last_date": taken.last_date, "recorded_at": moment}
    connection.execute(insert(Delivery).values(**entry, **dated))
    for some in quarantined:
        commit_quarantine(connection, delivery_id, some)
    with Session(connection) as session:
        session.add_all(taken.curve_files)
        session.flush()
        if taken.table is not None and taken.records is not None:
            written = write_records(
                connection, taken.table.name, delivery_id, taken.records.columns, taken.records.lines
            )
            taken.revised, taken.unchanged = written.revised, written.unchanged
            session.get_one(Delivery, delivery_id).revised = written.revised
            session.flush()
    answer = entry | {"revised": taken.revised, "unchanged": taken.unchanged, "arrived_at": moment}
    connection.execute(insert(Arrival).values(**answer))
    record_decisions(connection, decided, moment, delivery_id)


def commit_quarantine(connection: Connection, delivery_id: str, entries: Sequence[Quarantined]) -> None:
    """Add rows to a delivery's quarantine."""
    connection.execute(
        insert(QuarantinedRow),
        [
            {
                "delivery_id": delivery_id,
                "line": entry.line,
                "code": entry.fault.code,
                "sentence": entry.fault.sentence,
                "content": entry.content,
            }
            for entry in entries
        ],
    )


def record_duplicate(
    connection: Connection,
    receipt: Receipt,
    sender: str,
    moment: datetime,
    decided: Decided = NOTHING_DECIDED,
) -> None:
    """Keep the answer to bytes that had been taken before."""
    counts = {name: getattr(receipt, name) for name in ("rows", "accepted", "quarantined", "revised")}
    connection.execute(
        insert(Arrival).values(
            delivery_id=receipt.delivery_id,
            table_name=receipt.table,
            file_name=receipt.file_name,
            sender=sender,
            status=receipt.status,
            unchanged=receipt.unchanged,
            arrived_at=moment,
            reason=receipt.reason,
            **counts,
        )
    )
    record_decisions(connection, decided, moment, receipt.delivery_id)


def record_decisions(
    connection: Connection, decided: Decided, moment: datetime, released_as: str | None
) -> None:
    """Keep what became of quarantined rows; a row that has a decision is refused by the database."""
    if decided.rows:
        rows: list[dict[str, Any]] = [
            {**vars(decision), "decided_at": moment, "released_as": released_as} for decision in decided.rows
        ]
        connection.execute(insert(QuarantineDecision), rows)
    if decided.witness is not None:
        decided.witness(connection)


def recorded_at(connection: Connection, clock: Clock) -> datetime:
    """The clock's time, but always later than every delivery before, so that a clock set back changes no order."""
    newest = connection.scalar(select(func.max(Delivery.recorded_at)))
    moment = clock()
    return moment if newest is None else max(moment, newest + timedelta(microseconds=1))
