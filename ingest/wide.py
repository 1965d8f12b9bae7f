"""Wide curve files: one row a key and date, 96 columns 00:15 ... 24:00."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest import check, parse
from ingest.cells import Cells, is_blank
from ingest.faults import Faults
from ingest.layout import MIDNIGHT
from market.money import IntArray
from market.periods import LABELS, PERIODS
from market.tables import Table
from warehouse.curve_files import CurveRows, has_quality, key_columns


@dataclass(frozen=True)
class Parsed:
    """The good rows of a curve file. member: (file rows,) the curve row a file row is part of, or -1.

    repeated: file rows left out because they say again what another row says. whole: True for the wide form, whose
    rows have all quarter-hours of their day.
    """

    rows: CurveRows
    member: IntArray
    repeated: int
    whole: bool


def read_wide(table: Table, cells: Cells, known: dict[str, set[str]], faults: Faults) -> Parsed:
    """Typed curve rows; an empty cell is a missing value. What is wrong is noted in ``faults``."""
    columns = {
        column.name: parse.column_values(cells, column, faults)
        for column in table.columns
        if column.name in cells.columns
    }
    check.references(table, columns, known, faults)
    _check_midnight(cells, faults)
    values = np.empty((len(cells), PERIODS), dtype=np.int64)
    for place, label in enumerate(LABELS):
        values[:, place] = (
            parse.code_places(cells, label, table.curve_codes, faults)
            if table.curve_codes
            else parse.whole_numbers(cells, label, table.curve_decimals, faults)
        )
    quality = columns["quality"] if has_quality(table) else None
    same = check.same_values([] if quality is None else [quality])
    repeated = check.repetitions(
        check.key_codes([columns[name] for name in table.key]),
        lambda left, right: same(left, right) & (values[left] == values[right]).all(axis=1),
        cells.lines,
        lambda row: ", ".join(f"{name} {columns[name][row].as_py()}" for name in table.key),
        faults,
    )
    rows = CurveRows(
        {name: columns[name] for name in key_columns(table)},
        _day_numbers(columns["date"]),
        quality,
        values,
        cells.lines,
    )
    kept = np.flatnonzero(~faults.bad & ~repeated)
    member = np.full(len(cells), -1, dtype=np.int64)
    member[kept] = np.arange(len(kept))
    good = rows if len(kept) == len(cells) else rows.take(kept)
    return Parsed(good, member, int(repeated.sum()), whole=True)


def _day_numbers(dates: pa.Array) -> NDArray[np.int32]:
    return np.asarray(dates.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int32)


def _check_midnight(cells: Cells, faults: Faults) -> None:
    if MIDNIGHT not in cells.columns:
        return
    faults.add_all(
        np.flatnonzero(~is_blank(cells.columns[MIDNIGHT])),
        "leading_midnight_value",
        lambda row: (
            f"The cell 00:00 holds {cells.text(MIDNIGHT, row)}; this quarter-hour is 24:00 of the day "
            "before. Leave the cell empty."
        ),
        MIDNIGHT,
    )
