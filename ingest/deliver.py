"""Deliveries: one file from its bytes to committed rows, whole or not at all.

Order: copy into the inbox, parse and check, write the Parquet files and the quarantine file under names that
nobody reads yet, then one database transaction that makes everything visible. A process killed before the
commit leaves nothing visible, and the same file can be delivered again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest import ledger
from ingest.arrived import take_arrived
from ingest.faults import BadFileError
from ingest.files import READERS
from ingest.ledger import NOTHING_DECIDED, Clock, Decided, Taken
from ingest.ledger import commit_delivery as _commit
from ingest.quarantine import Quarantine
from ingest.receipt import Receipt
from ingest.take import take
from market.tables import TABLES, Table, table_of_file
from warehouse.deliveries import TAKEN, inbox_path
from warehouse.home import Home, engine, transaction
from warehouse.lock import exclusive
from warehouse.models import Delivery, QuarantineDecision

Progress = Callable[[int, int, Receipt], None]
LOCK_TIMEOUT = 600.0
BLOCK = 1 << 20


class LeadsOutError(ValueError):
    """A link in a delivered folder leads to a file outside of it."""


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
        return deliver_locked(home, path, sender, clock)


def deliver_locked(
    home: Home, path: Path, sender: str, clock: Clock, decided: Decided = NOTHING_DECIDED
) -> Receipt:
    """``deliver`` for a caller that holds the ingest lock; ``decided`` is recorded in the same transaction.

    Rows of other files that waited for what this one brings are taken after it.
    """
    receipt = _deliver(home, path, sender, clock, decided)
    if receipt.table is not None and receipt.status != "rejected":
        take_arrived(home, TABLES[receipt.table], clock, _deliver)
    return receipt


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
    """What a folder holds; a name with a leading dot or another suffix is not finished yet, or no data."""
    root = folder.resolve()
    found = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix.lower() not in READERS or file.name.startswith((".", "~$")):
            continue
        if not file.resolve().is_relative_to(root):
            raise LeadsOutError(f"{file} is a link that leads out of {folder}; put the file itself there.")
        found.append(file)
    return found


def _rank_of_file(file: Path) -> tuple[int, int]:
    table = table_of_file(file.stem)
    if table is None:
        return len(TABLES), 0
    return _depth(table), list(TABLES).index(table.name)


def _depth(table: Table) -> int:
    return 1 + max((_depth(TABLES[name]) for name in table.depends_on), default=-1)


def _deliver(
    home: Home, path: Path, sender: str, clock: Clock, decided: Decided = NOTHING_DECIDED
) -> Receipt:
    delivery_id, arrived, steady = _arrive(home, path)
    with Session(engine(home)) as session:
        earlier = session.get(Delivery, delivery_id)
        locked = earlier is not None and _is_decided(session, delivery_id)
    if earlier is not None and (earlier.status in TAKEN or locked):
        arrived.unlink()
        known = _duplicate(earlier, path.name)
        with transaction(home) as connection:
            ledger.record_duplicate(connection, known, sender, clock(), decided)
        return known
    file = home.inbox / inbox_path(delivery_id, path.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(file)
    table = table_of_file(path.stem)
    with Quarantine(table, home.root / _quarantine_name(delivery_id)) as quarantine:
        try:
            if not steady:
                raise BadFileError(
                    f"{path.name} was being written while it was read; deliver it again when it is complete."
                )
            if table is None:
                raise BadFileError(
                    f"{path.name} belongs to no table; a file's name begins with one of {', '.join(TABLES)}."
                )
            taken = take(home, table, delivery_id, file, quarantine)
        except BadFileError as refused:
            taken = Taken(table, refusal=str(refused))
        reason = _reason(delivery_id, taken)
        rows = quarantine.entries() if taken.quarantined else ()
        with transaction(home) as connection:
            _commit(connection, delivery_id, path.name, sender, clock, taken, reason, rows, decided)
    if not taken.quarantined:  # an earlier, rejected delivery of the same bytes may have left one
        (home.root / _quarantine_name(delivery_id)).unlink(missing_ok=True)
    return Receipt(
        taken.status,
        table.name if table else None,
        path.name,
        delivery_id,
        taken.rows,
        taken.accepted,
        taken.quarantined,
        taken.revised,
        reason,
        taken.first_date,
        taken.last_date,
        taken.unchanged,
        taken.repeated,
    )


def _is_decided(session: Session, delivery_id: str) -> bool:
    """True when somebody has released or rejected one of its rows: the file may not come again as a whole."""
    query = select(QuarantineDecision.line).where(QuarantineDecision.delivery_id == delivery_id)
    return session.scalars(query.limit(1)).first() is not None


def _arrive(home: Home, path: Path) -> tuple[str, Path, bool]:
    """Copy a file into the inbox under a passing name; the sha256 of the bytes copied, and whether it stood still."""
    arrived = home.inbox / ".arriving"
    digest = hashlib.sha256()
    with path.open("rb") as source, arrived.open("wb") as target:
        before = os.fstat(source.fileno())
        while block := source.read(BLOCK):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
        after = os.fstat(source.fileno())
        copied = target.tell()
    steady = (before.st_size, before.st_mtime_ns) == (
        after.st_size,
        after.st_mtime_ns,
    ) and copied == after.st_size
    return digest.hexdigest(), arrived, steady


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


def _reason(delivery_id: str, taken: Taken) -> str | None:
    if taken.refusal is not None:
        return taken.refusal
    parts = []
    if taken.quarantined:
        parts.append(
            f"{taken.quarantined} of {taken.rows} rows are in quarantine ({taken.codes}); "
            f"see {_quarantine_name(delivery_id)}."
        )
    if taken.repeated:
        parts.append(f"{taken.repeated} rows say again what another row says and were taken once.")
    if taken.silent:
        parts.append(
            f"{taken.silent} empty quarter-hours are known from other deliveries and stay; a reading is withdrawn with "
            "the quality missing."
        )
    return " ".join(parts) or None


def _quarantine_name(delivery_id: str) -> str:
    return f"quarantine/{delivery_id[:16]}.csv"
