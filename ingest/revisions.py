"""New curve rows against those the warehouse holds: which are new, which say something else, which the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.curves import MISSING
from market.money import IntArray
from market.tables import Table
from warehouse.curve_files import CurveRows, day_of, key_columns, runs
from warehouse.curve_parts import SEPARATOR, quality_places, speaks
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """By row of the delivery. revised: known before, and it changes or adds something. unchanged: it says nothing new.

    silent: quarter-hours that the row leaves empty and another delivery has a reading for; that reading stays.
    """

    revised: BoolArray
    unchanged: BoolArray
    silent: IntArray


def compare(home: Home, table: Table, rows: CurveRows) -> Compared:
    """Compare rows (each key and date once) with the newest ones in the warehouse."""
    nothing = np.zeros(len(rows), dtype=np.bool_)
    result = Compared(nothing, nothing.copy(), np.zeros(len(rows), dtype=np.int64))
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
    if rows.quality is None or day.quality is None:
        same = (before == now).all(axis=1)
    else:
        known_as, said_as = day.quality.take(pa.array(found)), rows.quality.take(pa.array(mine))
        said = speaks(now, said_as)
        same = ((before == now) | ~said).all(axis=1)
        differ = np.asarray(pc.not_equal(known_as, said_as).to_numpy(zero_copy_only=False))
        for row in np.flatnonzero(same & differ).tolist():
            was, is_now = quality_places(known_as[row].as_py()), quality_places(said_as[row].as_py())
            same[row] = (was == is_now)[said[row]].all()
        result.silent[mine] = (~said & (before != MISSING)).sum(axis=1)
    result.unchanged[mine[same]] = True
    result.revised[mine[~same]] = True
