"""New curve rows against those the warehouse holds: which are new, which say something else, which the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.curves import MISSING
from market.tables import Table
from warehouse.curve_files import CurveRows, day_of, key_columns, runs
from warehouse.curves import SEPARATOR, CurveDay, curve_days
from warehouse.home import Home

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """By row of the delivery. revised: known before with other values. unchanged: known with the same.

    erasing: known values of the day stand where the new row has none.
    """

    revised: BoolArray
    unchanged: BoolArray
    erasing: BoolArray


def compare(home: Home, table: Table, rows: CurveRows) -> Compared:
    """Compare rows (each key and date once) with the newest ones in the warehouse."""
    result = Compared(*(np.zeros(len(rows), dtype=np.bool_) for _ in range(3)))
    if len(rows) == 0:
        return result
    order = np.argsort(rows.days, kind="stable")
    places = {rows.days[order[start]]: order[start:end] for start, end in runs(rows.days[order])}
    first, after = day_of(min(places)), day_of(max(places) + 1)
    names = key_columns(table)
    for day in curve_days(home, table.name, first, after):
        mine = places.get((day.date - day_of(0)).days)
        if mine is not None:
            _compare_day(day, rows, mine, names, result)
    return result


def _compare_day(
    day: CurveDay, rows: CurveRows, mine: NDArray[np.int64], names: tuple[str, ...], result: Compared
) -> None:
    picked = pa.array(mine)
    known = pc.binary_join_element_wise(*(day.keys[name] for name in names), SEPARATOR)
    asked = pc.binary_join_element_wise(*(rows.keys[name].take(picked) for name in names), SEPARATOR)
    found = pc.index_in(asked, known).fill_null(-1).to_numpy(zero_copy_only=False)
    there = found >= 0
    mine, found = mine[there], found[there]
    if not len(mine):
        return
    before, now = day.values[found], rows.values[mine]
    same = (before == now).all(axis=1)
    if rows.quality is not None and day.quality is not None:
        equal = pc.equal(day.quality.take(pa.array(found)), rows.quality.take(pa.array(mine)))
        same &= equal.to_numpy(zero_copy_only=False)
    result.unchanged[mine[same]] = True
    result.revised[mine[~same]] = True
    result.erasing[mine] = ((now == MISSING) & (before != MISSING)).any(axis=1)
