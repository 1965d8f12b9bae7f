"""The energy of meters in earlier months, from the quarter-hours that are in the warehouse (R01-R04).

Only a whole month is compared: a meter that was not there on every day, or lacks a reading, has no value. What the
registers of a month say stands before this (``jobs.register_checks``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from jobs.roster import valid_in, valid_on
from market.curves import MISSING, total
from market.money import IntArray, scaled
from market.periods import Month
from settlement.metering import wh_of_reading
from warehouse.curves import curve_days
from warehouse.home import Home

MONTHS_BEFORE = 3


def month_before(month: Month, back: int) -> Month:
    """The month so many months before."""
    number = month.year * 12 + month.number - 1 - back
    return Month(number // 12, number % 12 + 1)


def compared_months(month: Month, zero_months: int) -> tuple[Month, ...]:
    """The months that R01-R04 look at: those before, newest first, then the same month a year before."""
    before = [month_before(month, back) for back in range(1, max(MONTHS_BEFORE, zero_months - 1) + 1)]
    return (*before, Month(month.year - 1, month.number))


def earlier_spans(month: Month, zero_months: int) -> list[tuple[date, date]]:
    """Their days, as stretches from the first to before the second."""
    *before, year_before = compared_months(month, zero_months)
    return [(before[-1].first, month.first), (year_before.first, year_before.after)]


def earlier_energy(
    home: Home, months: Sequence[Month], meter_ids: pd.Index, meters: pd.DataFrame, as_of: datetime | None
) -> dict[Month, IntArray]:
    """By month, (meters,) Wh, MISSING where a reading of the month is missing. meters: the record table."""
    return {month: _energy(home, month, meter_ids, meters, as_of) for month in dict.fromkeys(months)}


def _energy(
    home: Home, month: Month, meter_ids: pd.Index, meters: pd.DataFrame, as_of: datetime | None
) -> IntArray:
    meters = valid_in(meters[meters["meter_id"].isin(meter_ids)], month)
    changes = {edge for name in ("valid_from", "valid_to") for edge in meters[name] if not pd.isna(edge)}
    energy = np.zeros(len(meter_ids), np.int64)
    days = np.zeros(len(meter_ids), np.int64)
    seen = month.first
    today: tuple[pd.Index, IntArray] | None = None
    for curve in curve_days(home, "meter_readings", month.first, month.after, as_of=as_of):
        if today is None or any(seen < edge <= curve.date for edge in changes):
            valid = valid_on(meters, curve.date)
            multiplier = np.array([scaled(value, 3) for value in valid["multiplier"]], np.int64)
            today = pd.Index(valid["meter_id"], dtype=object), multiplier
        seen = curve.date
        rows = pd.Index(curve.keys["meter_id"].to_numpy(zero_copy_only=False)).get_indexer(today[0])
        there = np.flatnonzero(rows >= 0)
        place = meter_ids.get_indexer(today[0][there])
        wh = total(wh_of_reading(curve.values[rows[there]], today[1][there]))
        whole = wh != MISSING
        energy[place[whole]] += wh[whole]
        days[place[whole]] += 1
    return np.where(days == len(list(month.days())), energy, MISSING)
