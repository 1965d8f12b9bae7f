"""Files of record tables: typed rows, each key once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest import check, parse
from ingest.cells import Cells
from ingest.faults import Faults
from market.periods import Month
from market.tables import Table


@dataclass(frozen=True)
class RecordRows:
    """The good rows. columns: every registry column as stored, one Python value a row. lines: one a row.

    first_date, last_date: the days of the columns ``date`` or ``month``; None for tables without them.
    """

    columns: dict[str, list[Any]]
    lines: list[int]
    repeated: int
    first_date: date | None
    last_date: date | None


def read_record_rows(table: Table, cells: Cells, known: dict[str, set[str]], faults: Faults) -> RecordRows:
    """Typed rows of a record table. What is wrong is noted in ``faults``."""
    columns = {column.name: parse.column_values(cells, column, faults) for column in table.columns}
    check.references(table, columns, known, faults)
    check.validity(columns, faults)
    check.period_order(columns, faults)
    repeated = check.repetitions(
        check.key_codes([columns[name] for name in table.key]),
        check.same_values(list(columns.values())),
        cells.lines,
        lambda row: ", ".join(f"{name} {columns[name][row].as_py()}" for name in table.key),
        faults,
    )
    kept = np.flatnonzero(~faults.bad & ~repeated)
    places = pa.array(kept)
    good = {name: array.take(places) for name, array in columns.items()}
    return RecordRows(
        {name: array.to_pylist() for name, array in good.items()},
        cells.lines[kept].tolist(),
        int(repeated.sum()),
        *_dates(good, len(kept)),
    )


def _dates(columns: dict[str, pa.Array], rows: int) -> tuple[date | None, date | None]:
    if rows and "date" in columns:
        extent = pc.min_max(columns["date"])
        return extent["min"].as_py(), extent["max"].as_py()
    if rows and "month" in columns:
        extent = pc.min_max(columns["month"])
        last = Month.parse(extent["max"].as_py())
        return Month.parse(extent["min"].as_py()).first, last.after - timedelta(days=1)
    return None, None
