"""Deliveries: one file from its bytes to committed rows, whole or not at all.

Order: copy into the inbox, parse and check, write the Parquet files and the quarantine file under names that
nobody reads yet, then one database transaction that makes everything visible. A process killed before the
commit leaves nothing visible, and the same file can be delivered again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ingest import quarantine
from ingest.cities import cities
from ingest.faults import BadFileError, Faults
from ingest.files import READERS, read_file
from ingest.layout import Layout, laid_out
from ingest.long import read_long
from ingest.quarantine import Quarantined
from ingest.receipt import Receipt
from ingest.record_rows import RecordRows, read_record_rows
from ingest.revisions import compare
from ingest.wide import Parsed, read_wide
from market.tables import TABLES, Table, table_of_file
from warehouse.curve_files import CurveRows, day_of, write_curves
from warehouse.deliveries import TAKEN, inbox_path
from warehouse.home import Home, engine, transaction
from warehouse.lock import exclusive
from warehouse.models import CurveFile, Delivery, QuarantinedRow
from warehouse.records import first_keys, write_records

Clock = Callable[[], datetime]
Progress = Callable[[int, int, Receipt], None]
LOCK_TIMEOUT = 600.0
BLOCK = 1 << 20


def now() -> datetime:
    """The moment, with its zone; the only clock below the jobs."""
    return datetime.now(UTC)


def deliver(home: Home, path: Path, *, sender: str = "local", clock: Clock = now) -> Receipt:
    """Take one file into the warehouse and record what became of it.

    A file that cannot be taken is a receipt with status ``rejected`` and a sentence, not an exception. Raises
    FileNotFoundError for a path that is no file, HomeNotReadyError for a home without a database, HomeBusyError
    when another delivery does not end.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; check the path.")
    engine(home)
    with exclusive(home, "ingest", LOCK_TIMEOUT):
        return _deliver(home, path, sender, clock)


def deliver_many(
    home: Home,
    paths: Iterable[Path],
    *,
    sender: str = "local",
    clock: Clock = now,
    on_progress: Progress | None = None,
) -> list[Receipt]:
    """Deliver files and every CSV, XLSX and Parquet file in folders, tables before those that refer to them.

    ``on_progress(done, total, receipt)`` is called after each file. Raises as ``deliver``; a missing path is
    found before anything is delivered.
    """
    files = in_order(paths)
    receipts = []
    for done, file in enumerate(files, start=1):
        receipts.append(deliver(home, file, sender=sender, clock=clock))
        if on_progress is not None:
            on_progress(done, len(files), receipts[-1])
    return receipts


def in_order(paths: Iterable[Path]) -> list[Path]:
    """The files to deliver: folders walked, by dependency of their tables, then name; unknown tables last."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"There is nothing at {path}; check the path.")
        files += _data_files(path) if path.is_dir() else [path]
    return sorted(dict.fromkeys(files), key=lambda file: (*_rank_of_file(file), file.name, str(file)))


def _data_files(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix.lower() in READERS and not file.name.startswith((".", "~$"))
    ]


def _rank_of_file(file: Path) -> tuple[int, int]:
    table = table_of_file(file.stem)
    if table is None:
        return len(TABLES), 0
    return _depth(table), list(TABLES).index(table.name)


def _depth(table: Table) -> int:
    return 1 + max((_depth(TABLES[name]) for name in table.depends_on), default=-1)


@dataclass
class _Taken:
    """What one file brings, ready to be committed."""

    table: Table | None
    rows: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    repeated: int = 0
    revised: int = 0
    unchanged: int = 0
    first_date: date | None = None
    last_date: date | None = None
    refusal: str | None = None
    records: RecordRows | None = None
    curve_files: list[CurveFile] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.rows - len(self.quarantined)

    @property
    def status(self) -> str:
        if self.refusal is not None or (self.quarantined and not self.accepted):
            return "rejected"
        return "partly" if self.quarantined else "accepted"


def _deliver(home: Home, path: Path, sender: str, clock: Clock) -> Receipt:
    delivery_id, arrived = _arrive(home, path)
    with Session(engine(home)) as session:
        earlier = session.get(Delivery, delivery_id)
    if earlier is not None and earlier.status in TAKEN:
        arrived.unlink()
        return _duplicate(earlier, path.name)
    file = home.inbox / inbox_path(delivery_id, path.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(file)
    table = table_of_file(path.stem)
    taken = _Taken(table)
    try:
        if table is None:
            raise BadFileError(
                f"{path.name} belongs to no table; a file's name begins with one of {', '.join(TABLES)}."
            )
        _take(home, table, delivery_id, file, taken)
    except BadFileError as refused:
        taken = _Taken(table, refusal=str(refused))
    reason = _reason(delivery_id, taken)
    with transaction(home) as connection:
        _commit(connection, delivery_id, path.name, sender, clock, taken, reason)
    if not taken.quarantined:  # an earlier, rejected delivery of the same bytes may have left one
        (home.root / _quarantine_name(delivery_id)).unlink(missing_ok=True)
    return Receipt(
        taken.status,
        table.name if table else None,
        path.name,
        delivery_id,
        taken.rows,
        taken.accepted,
        len(taken.quarantined),
        taken.revised,
        reason,
        taken.first_date,
        taken.last_date,
        taken.unchanged,
        taken.repeated,
    )


def _arrive(home: Home, path: Path) -> tuple[str, Path]:
    """Copy a file into the inbox under a passing name; the sha256 of the bytes copied."""
    arrived = home.inbox / ".arriving"
    digest = hashlib.sha256()
    with path.open("rb") as source, arrived.open("wb") as target:
        while block := source.read(BLOCK):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest(), arrived


def _duplicate(earlier: Delivery, file_name: str) -> Receipt:
    reason = f"The same bytes came as {earlier.file_name} on {earlier.recorded_at:%Y-%m-%d %H:%M} UTC."
    if earlier.quarantined:
        reason += (
            f" {earlier.quarantined} of its rows are in quarantine: mend them in "
            f"{_quarantine_name(earlier.delivery_id)} and deliver them as a file of their own."
        )
    return Receipt(
        "duplicate",
        earlier.table_name,
        file_name,
        earlier.delivery_id,
        earlier.rows,
        earlier.accepted,
        earlier.quarantined,
        earlier.revised,
        reason,
        earlier.first_date,
        earlier.last_date,
    )


def _take(home: Home, table: Table, delivery_id: str, file: Path, taken: _Taken) -> None:
    """Parse and check a file, and write what stands outside the database."""
    layout, cells = laid_out(table, read_file(file), file.name)
    faults = Faults(len(cells))
    known = _known_references(home, table)
    if layout is Layout.RECORDS:
        taken.records = read_record_rows(table, cells, known, faults)
        taken.repeated = taken.records.repeated
        taken.first_date, taken.last_date = taken.records.first_date, taken.records.last_date
    else:
        read = read_wide if layout is Layout.WIDE else read_long
        _take_curves(home, table, delivery_id, read(table, cells, known, faults), faults, taken)
    taken.rows = len(cells) + len(cells.bad)
    taken.quarantined = quarantine.quarantined(table, cells, faults)
    if taken.quarantined:
        quarantine.write_quarantine(
            home.root / _quarantine_name(delivery_id), cells, faults, taken.quarantined
        )


def _known_references(home: Home, table: Table) -> dict[str, set[str]]:
    names = {column.references for column in table.columns if column.references is not None}
    with engine(home).connect() as connection:
        return {name: first_keys(connection, name) for name in sorted(names)}


def _take_curves(
    home: Home, table: Table, delivery_id: str, parsed: Parsed, faults: Faults, taken: _Taken
) -> None:
    rows = parsed.rows
    compared = compare(home, table, rows)
    partial = compared.erasing & ~parsed.whole
    _refuse_partial_days(rows, parsed, partial, faults)
    kept = np.flatnonzero(~compared.unchanged & ~partial)
    taken.repeated = parsed.repeated
    taken.revised = int((compared.revised & ~partial).sum())
    taken.unchanged = int(compared.unchanged.sum())
    if len(rows):
        taken.first_date, taken.last_date = day_of(rows.days.min()), day_of(rows.days.max())
    if len(kept):
        fresh = rows if len(kept) == len(rows) else rows.take(kept)
        taken.curve_files = write_curves(
            home, table.name, delivery_id, fresh, cities(home, table, fresh), compared.revised[kept]
        )


def _refuse_partial_days(
    rows: CurveRows, parsed: Parsed, partial: np.ndarray[Any, np.dtype[np.bool_]], faults: Faults
) -> None:
    in_day = parsed.member >= 0
    in_partial = np.zeros(len(in_day), dtype=np.bool_)
    in_partial[in_day] = partial[parsed.member[in_day]]
    faults.add_all(
        np.flatnonzero(in_partial),
        "partial_day",
        lambda row: (
            f"The file has only part of {day_of(rows.days[parsed.member[row]])} for this meter, and the "
            "other part is known from another delivery; deliver the whole day."
        ),
    )


def _reason(delivery_id: str, taken: _Taken) -> str | None:
    if taken.refusal is not None:
        return taken.refusal
    parts = []
    if taken.quarantined:
        parts.append(
            f"{len(taken.quarantined)} of {taken.rows} rows are in quarantine "
            f"({quarantine.counted(taken.quarantined)}); see {_quarantine_name(delivery_id)}."
        )
    if taken.repeated:
        parts.append(f"{taken.repeated} rows say again what another row says and were taken once.")
    return " ".join(parts) or None


def _quarantine_name(delivery_id: str) -> str:
    return f"quarantine/{delivery_id[:16]}.csv"


def _commit(
    connection: Connection,
    delivery_id: str,
    file_name: str,
    sender: str,
    clock: Clock,
    taken: _Taken,
    reason: str | None,
) -> None:
    # Bytes that were rejected before may come again, for example after the meters they name; nothing of them
    # was visible, so their entry gives way.
    connection.execute(delete(QuarantinedRow).where(QuarantinedRow.delivery_id == delivery_id))
    connection.execute(delete(Delivery).where(Delivery.delivery_id == delivery_id))
    connection.execute(
        insert(Delivery).values(
            delivery_id=delivery_id,
            table_name=taken.table.name if taken.table else None,
            file_name=file_name,
            sender=sender,
            status=taken.status,
            rows=taken.rows,
            accepted=taken.accepted,
            quarantined=len(taken.quarantined),
            revised=taken.revised,
            first_date=taken.first_date,
            last_date=taken.last_date,
            recorded_at=_recorded_at(connection, clock),
            reason=reason,
        )
    )
    _commit_quarantine(connection, delivery_id, taken.quarantined)
    with Session(connection) as session:
        session.add_all(taken.curve_files)
        session.flush()
    if taken.table is not None and taken.records is not None:
        written = write_records(
            connection, taken.table.name, delivery_id, taken.records.columns, taken.records.lines
        )
        taken.revised, taken.unchanged = written.revised, written.unchanged
        connection.execute(
            update(Delivery).where(Delivery.delivery_id == delivery_id).values(revised=written.revised)
        )


def _commit_quarantine(connection: Connection, delivery_id: str, entries: Sequence[Quarantined]) -> None:
    if entries:
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


def _recorded_at(connection: Connection, clock: Clock) -> datetime:
    """The clock's time, but always later than every delivery before, so that a clock set back changes no order."""
    newest = connection.scalar(select(func.max(Delivery.recorded_at)))
    moment = clock()
    return moment if newest is None else max(moment, newest + timedelta(microseconds=1))
