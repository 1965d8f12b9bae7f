"""The readings a run settles: as delivered, with the quality of every quarter-hour, and what the run estimated.

Raw readings stay in the warehouse as they came; what a run accepted in their place stands in its own
``estimates.parquet`` (decision 0015). Both meet here, one day at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from market.curves import MISSING, is_missing
from market.money import IntArray, scaled
from market.periods import PERIODS, Month
from market.quality import PLACE, by_period, written
from market.tables import Quality
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home

ESTIMATES = "estimates.parquet"
MEASURED = PLACE[Quality.MEASURED]
NO_ROW = PLACE[Quality.MISSING]


@dataclass(frozen=True)
class DayPatch:
    """What a run accepted on one day in the place of raw readings, a row a meter.

    changed: (rows, 96). readings: (rows, 96) in 1e-6 kWh, MISSING where a value was rejected and nothing stands in.
    quality: (rows, 96) places in QUALITIES. Both count only where changed.
    """

    meter_ids: tuple[str, ...]
    changed: NDArray[np.bool_]
    readings: IntArray
    quality: NDArray[np.int64]

    def of(self, rows: NDArray[np.bool_]) -> DayPatch | None:
        """The meters where rows is True; None for none."""
        if not rows.any():
            return None
        meters = tuple(meter for meter, mine in zip(self.meter_ids, rows.tolist(), strict=True) if mine)
        return DayPatch(meters, self.changed[rows], self.readings[rows], self.quality[rows])


Accepted = Mapping[date, DayPatch]


def accepted_day(
    day: date, curve: CurveDay | None, codes: CurveDay | None, patch: DayPatch | None
) -> CurveDay | None:
    """The readings of a day as settled.

    curve, codes: ``meter_readings`` and ``meter_quality`` of the day. A code of a quarter-hour stands before the
    quality of its row; an estimate stands before both. The curve itself is returned where nothing is to be said.
    """
    if patch is None and (codes is None or curve is None):
        return curve
    ids = [] if curve is None else curve.keys["meter_id"].to_pylist()
    place = {meter: row for row, meter in enumerate(ids)}
    added = [] if patch is None else [meter for meter in patch.meter_ids if meter not in place]
    place |= {meter: len(ids) + n for n, meter in enumerate(added)}
    values = np.full((len(place), PERIODS), MISSING, np.int64)
    quality: list[str] = [Quality.MISSING] * len(place)
    if curve is not None:
        values[: len(ids)] = curve.values
        quality[: len(ids)] = (
            [Quality.MEASURED] * len(ids) if curve.quality is None else curve.quality.to_pylist()
        )
    for meter, said in _said(codes):
        if meter in place:
            row = place[meter]
            quality[row] = written(np.where(is_missing(said), by_period(quality[row]), said))
    if patch is not None:
        for n, meter in enumerate(patch.meter_ids):
            row, changed = place[meter], patch.changed[n]
            values[row, changed] = patch.readings[n, changed]
            quality[row] = written(np.where(changed, patch.quality[n], by_period(quality[row])))
    keys = {"meter_id": pa.array(list(place), pa.string())}
    if curve is not None and not added:
        keys = curve.keys  # the same objects: work on keys is kept by identity
    missing, qualities = bool(is_missing(values).any()), pa.array(quality, pa.string())
    if curve is None:
        return CurveDay(day, keys, values, missing, qualities, ())
    return replace(curve, keys=keys, values=values, has_missing=missing, quality=qualities)


def accepted_blocks(
    day: date, blocks: Iterable[CurveDay], codes: CurveDay | None, patch: DayPatch | None
) -> Iterator[CurveDay]:
    """``accepted_day`` of a day that comes in blocks; meters of the patch that no block has stand in one more."""
    for block in blocks:
        here, keys = None, block.keys["meter_id"]
        if patch is not None:
            mine = _among(pa.array(patch.meter_ids, pa.string()), keys)
            here, patch = patch.of(mine), patch.of(~mine)
        settled = accepted_day(day, block, _codes_of(codes, keys), here)
        if settled is not None:
            yield settled
    if patch is not None:
        of_patch = _codes_of(codes, pa.array(patch.meter_ids, pa.string()))
        rest = accepted_day(day, None, of_patch, patch)
        if rest is not None:
            yield rest


def _codes_of(codes: CurveDay | None, meters: pa.StringArray) -> CurveDay | None:
    """The codes of these meters; None for none."""
    if codes is None:
        return None
    keys = codes.keys["meter_id"]
    mine = _among(keys, meters)
    if not mine.any():
        return None
    return replace(codes, keys={"meter_id": keys.filter(pa.array(mine))}, values=codes.values[mine])


def _among(texts: pa.StringArray, wanted: pa.StringArray) -> NDArray[np.bool_]:
    return np.asarray(pc.is_in(texts, wanted).to_numpy(zero_copy_only=False), dtype=np.bool_)


def accepted_days(home: Home, month: Month, as_of: datetime | None, accepted: Accepted) -> Iterator[CurveDay]:
    """The days of the month that have readings, as settled, in order."""
    readings, codes = (
        _by_day(curve_days(home, table, month.first, month.after, as_of=as_of), month)
        for table in ("meter_readings", "meter_quality")
    )
    for day, curve, said in zip(month.days(), readings, codes, strict=True):
        settled = accepted_day(day, curve, said, accepted.get(day))
        if settled is not None:
            yield settled


def _by_day(curves: Iterator[CurveDay], month: Month) -> Iterator[CurveDay | None]:
    following = next(curves, None)
    for day in month.days():
        if following is not None and following.date == day:
            yield following
            following = next(curves, None)
        else:
            yield None


def _said(codes: CurveDay | None) -> Iterable[tuple[str, IntArray]]:
    return () if codes is None else zip(codes.keys["meter_id"].to_pylist(), codes.values, strict=True)


def measured_wh(wh: IntArray, quality: pa.StringArray | None, totals: IntArray | None = None) -> IntArray:
    """(rows,) Wh of each row that were measured. wh: (rows, 96) without MISSING; no quality: nothing was.

    totals: (rows,) sums of wh where they are known.
    """
    if quality is None:
        return np.zeros(len(wh), np.int64)
    whole = np.asarray(pc.equal(quality, Quality.MEASURED.value).to_numpy(zero_copy_only=False))
    energy = np.where(whole, wh.sum(axis=1) if totals is None else totals, 0)
    for row in np.flatnonzero(np.asarray(pc.equal(pc.utf8_length(quality), PERIODS))).tolist():
        energy[row] = wh[row, by_period(quality[row].as_py()) == MEASURED].sum()
    return energy


def accepted_of_run(folder: Path) -> Accepted:
    """What a run accepted, from its folder; nothing for a run that is older than estimates."""
    file = folder / ESTIMATES
    if not file.is_file():
        return {}
    return {day: _patch(rows) for day, rows in pq.read_table(file).to_pandas().groupby("date")}


def _patch(rows: pd.DataFrame) -> DayPatch:
    meters = tuple(dict.fromkeys(rows["meter_id"]))
    place = {meter: row for row, meter in enumerate(meters)}
    changed = np.zeros((len(meters), PERIODS), np.bool_)
    readings = np.full((len(meters), PERIODS), MISSING, np.int64)
    quality = np.zeros((len(meters), PERIODS), np.int64)
    columns = (rows[name] for name in ("meter_id", "period", "accepted_kwh", "quality"))
    for meter, period, kwh, code in zip(*columns, strict=True):
        where = place[meter], int(period) - 1
        changed[where] = True
        readings[where] = MISSING if pd.isna(kwh) else scaled(kwh, 6)
        quality[where] = PLACE[Quality(code)]
    return DayPatch(meters, changed, readings, quality)
