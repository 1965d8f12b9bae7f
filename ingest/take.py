"""Parse and check one file, and write what stands outside the database; nothing is visible yet.

Curves are read in batches and written by stretches of days, so memory grows with the rows of a day and not with
the file. Records are read whole: the database compares them key by key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from ingest import parse
from ingest.cells import Cells, concatenated
from ingest.cities import city_finder
from ingest.faults import BadFileError, BadRow, Faults
from ingest.files import batches
from ingest.layout import Layout, laid_out
from ingest.ledger import Taken
from ingest.long import read_long
from ingest.quarantine import Quarantine
from ingest.record_rows import read_record_rows
from ingest.revisions import BoolArray, compare
from ingest.spill import NO_DAY, Spill
from ingest.wide import Parsed, read_wide
from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.tables import Table
from warehouse.curve_files import CurveRows, CurveWriter, day_of
from warehouse.home import Home, engine
from warehouse.records import first_keys

MOST_RECORDS = 2_000_000
MISFITS_HELD = 5_000
MINUTES_A_DAY = PERIODS * 15


def take(home: Home, table: Table, delivery_id: str, file: Path, quarantine: Quarantine) -> Taken:
    """What a file brings. Raises BadFileError for a file that is refused whole; nothing of it is left then."""
    taken = Taken(table)
    known = known_references(home, table)
    laid = ((laid_out(table, cells, file.name)) for cells in batches(file))
    layout, first = next(laid)
    cells = chain([first], (more for _, more in laid))
    if layout is Layout.RECORDS:
        _take_records(table, cells, known, quarantine, taken, file.name)
    else:
        _take_curves(home, table, layout, delivery_id, cells, known, quarantine, taken)
    taken.quarantined, taken.codes = len(quarantine), quarantine.counted()
    return taken


def known_references(home: Home, table: Table) -> dict[str, set[str]]:
    """By table that this one refers to, every id the warehouse knows."""
    names = {column.references for column in table.columns if column.references is not None}
    with engine(home).connect() as connection:
        return {name: first_keys(connection, name) for name in sorted(names)}


def _take_records(
    table: Table,
    parts: Iterator[Cells],
    known: dict[str, set[str]],
    quarantine: Quarantine,
    taken: Taken,
    file: str,
) -> None:
    held: list[Cells] = []
    for part in parts:
        held.append(part)
        taken.rows += len(part) + len(part.bad)
        if taken.rows > MOST_RECORDS:
            raise BadFileError(
                f"{file} has more than {MOST_RECORDS} rows of {table.name}; deliver it in parts, each complete in "
                "itself."
            )
    cells = concatenated(held)
    faults = Faults(len(cells))
    taken.records = read_record_rows(table, cells, known, faults)
    taken.repeated = taken.records.repeated
    taken.first_date, taken.last_date = taken.records.first_date, taken.records.last_date
    quarantine.add(cells, faults)


def _take_curves(
    home: Home,
    table: Table,
    layout: Layout,
    delivery_id: str,
    parts: Iterator[Cells],
    known: dict[str, set[str]],
    quarantine: Quarantine,
    taken: Taken,
) -> None:
    read = read_wide if layout is Layout.WIDE else read_long
    city_of = city_finder(home, table)
    with Spill(home.inbox) as spill, CurveWriter(home, table.name, delivery_id) as writer:
        misfits: list[BadRow] = []
        for part in parts:
            taken.rows += len(part) + len(part.bad)
            misfits += part.bad
            spill.add(_days(layout, part), replace(part, bad=[]))
            if len(misfits) > MISFITS_HELD:
                quarantine.add(replace(part.none(), bad=misfits), Faults(0))
                misfits = []
        for cells in spill.stretches():
            faults = Faults(len(cells))
            parsed = read(table, cells, known, faults)
            rows, revised = _fresh(home, table, parsed, taken)
            if len(rows):
                writer.write(rows, city_of(rows), revised)
            quarantine.add(replace(cells, bad=misfits), faults)
            misfits = []
        taken.curve_files = writer.close()


def _days(layout: Layout, cells: Cells) -> IntArray:
    """The day each row speaks of, NO_DAY where it does not say one; what is wrong is noted when it is parsed."""
    unnoted = Faults(len(cells))
    if layout is Layout.WIDE:
        days = parse.days(cells, "date", unnoted)
        return np.asarray(days.cast("int32").fill_null(NO_DAY).to_numpy(zero_copy_only=False), dtype=np.int64)
    minutes = parse.local_minutes(cells, "interval_start", unnoted)
    return np.where(minutes == MISSING, NO_DAY, minutes // MINUTES_A_DAY)


def _fresh(home: Home, table: Table, parsed: Parsed, taken: Taken) -> tuple[CurveRows, BoolArray]:
    """The rows that say something new, and which of them revise known ones."""
    rows = parsed.rows
    compared = compare(home, table, rows)
    kept = np.flatnonzero(~compared.unchanged)
    taken.repeated += parsed.repeated
    taken.revised += int(compared.revised.sum())
    taken.unchanged += int(compared.unchanged.sum())
    if parsed.whole:
        taken.silent += int(compared.silent.sum())
    if len(rows):
        first, last = day_of(rows.days.min()), day_of(rows.days.max())
        taken.first_date = min(taken.first_date or first, first)
        taken.last_date = max(taken.last_date or last, last)
    fresh = rows if len(kept) == len(rows) else rows.take(kept)
    return fresh, compared.revised[kept]
