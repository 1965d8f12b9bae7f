"""Rows that waited for something else to be delivered go in by themselves when it comes.

Files may come in any order: readings before their meters, meters before their participants. The tables are the
same in the end because such rows are taken in the order in which they first came, as soon as everything they refer
to is known. A file of which nothing was taken goes in whole; of a file that was taken in part the rows that waited
become a delivery of their own. A row whose key a later delivery holds by then is superseded.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest import ledger
from ingest.ledger import NOTHING_DECIDED, Clock, Decided, Decision
from ingest.receipt import Receipt
from ingest.release import drafted, examined, first_arrivals
from ingest.take import known_references
from ingest.waiting_rows import Entry, entries
from market.tables import TABLES, Table
from warehouse.deliveries import TAKEN, inbox_path
from warehouse.home import Home, engine, transaction
from warehouse.models import Delivery, QuarantineDecision

DeliverOne = Callable[[Home, Path, str, Clock, Decided], Receipt]
BY_ITSELF = "gridsettle"
UNKNOWN = "unknown_"


def take_arrived(home: Home, table: Table, clock: Clock, deliver_one: DeliverOne) -> None:
    """After a delivery of ``table``: take the rows that waited for it, and those that wait for these, and so on."""
    referred = {column.references for of in TABLES.values() for column in of.columns}
    arrived = {table.name} & referred
    while arrived:
        arrived = _taken_now(home, arrived, clock, deliver_one) & referred


def _taken_now(home: Home, tables: set[str], clock: Clock, deliver_one: DeliverOne) -> set[str]:
    """Which tables got rows of those that waited for one of ``tables``."""
    waiting = [
        entry
        for entry in entries(home, codes=tuple(UNKNOWN + _thing(TABLES[name]) for name in sorted(tables)))
        if entry.table in TABLES
    ]
    known = {
        name: known_references(home, TABLES[name]) for name in sorted({entry.table for entry in waiting})
    }
    ready: dict[str, list[Entry]] = defaultdict(list)
    for entry in waiting:
        if _refers_to_known(entry, known[entry.table]):
            ready[entry.delivery_id].append(entry)
    with Session(engine(home)) as session:
        came = first_arrivals(session)
    taken = set()
    for delivery_id in sorted(ready, key=came.__getitem__):
        if _take(home, delivery_id, ready[delivery_id], clock, deliver_one):
            taken.add(ready[delivery_id][0].table)
    return taken


def _thing(table: Table) -> str:
    return table.key[0].removesuffix("_id")


def _refers_to_known(entry: Entry, known: dict[str, set[str]]) -> bool:
    return all(
        not entry.content.get(column.name) or entry.content[column.name] in known[column.references]
        for column in TABLES[entry.table].columns
        if column.references is not None
    )


def _take(home: Home, delivery_id: str, ready: list[Entry], clock: Clock, deliver_one: DeliverOne) -> bool:
    with Session(engine(home), expire_on_commit=False) as session:
        origin = session.get_one(Delivery, delivery_id)
        whole = (
            origin.status not in TAKEN
            and not _decided(session, delivery_id)
            and not _overtaken(session, origin)
        )
    if whole:
        file = home.inbox / inbox_path(delivery_id, origin.file_name)
        return deliver_one(home, file, origin.sender, clock, NOTHING_DECIDED).status in TAKEN
    lines = {entry.line for entry in ready}
    looked = examined(home, origin, drafted(home, origin, lines, {}))
    covered = lines & looked.covered.keys()
    if covered:
        decisions = [
            Decision(delivery_id, line, "superseded", BY_ITSELF, looked.covered[line])
            for line in sorted(covered)
        ]
        with transaction(home) as connection:
            ledger.record_decisions(connection, Decided(decisions), clock(), None)
    fit = lines - looked.wrong.keys() - covered
    if not fit:
        return False
    draft = drafted(home, origin, fit, {})
    reason = "What the row refers to was delivered after it."
    decisions = [Decision(delivery_id, line, "arrived", BY_ITSELF, reason) for line in sorted(fit)]
    with tempfile.TemporaryDirectory(prefix=".arrived-", dir=home.quarantine) as folder:
        file = Path(folder) / draft.name
        file.write_bytes(draft.content)
        return deliver_one(home, file, origin.sender, clock, Decided(decisions)).status in TAKEN


def _decided(session: Session, delivery_id: str) -> bool:
    query = select(QuarantineDecision.line).where(QuarantineDecision.delivery_id == delivery_id)
    return session.scalars(query.limit(1)).first() is not None


def _overtaken(session: Session, origin: Delivery) -> bool:
    """True when a delivery of the same table that came later was taken before: rows are looked at one by one then."""
    came = first_arrivals(session)
    taken = select(Delivery.delivery_id).where(
        Delivery.table_name == origin.table_name, Delivery.status.in_(TAKEN)
    )
    return any(came[other] > came[origin.delivery_id] for other in session.scalars(taken))
