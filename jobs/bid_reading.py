"""Reads of the morning bid: curves and records as they were known, by a moment or by the deliveries named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from market.curves import MISSING
from market.tables import TABLES
from optimization.forecast import FloatArray
from warehouse.curves import curve_days
from warehouse.home import Home
from warehouse.records import read_records

Series = dict[tuple[str, str], dict[date, FloatArray]]


class BidInputsMissingError(LookupError):
    """Something without which no bid can be made is not in the warehouse; the sentence names it."""


@dataclass(frozen=True)
class Known:
    """What a morning may read. as_of: revisions recorded later are not read. delivered: only these deliveries.

    None for all of either.
    """

    as_of: datetime | None = None
    delivered: Collection[str] | None = None


EVERYTHING = Known()


def read_curves(
    home: Home, table: str, first: date, after: date, names: Sequence[str], known: Known = EVERYTHING
) -> Series:
    """(first key, second key) -> date -> (96,) floats in the table's unit, NaN where missing."""
    unit = 10.0 ** -TABLES[table].curve_decimals
    found: Series = {}
    for curve_day in curve_days(home, table, first, after, as_of=known.as_of, delivered=known.delivered):
        keys = zip(*(curve_day.keys[name].to_pylist() for name in names), strict=True)
        values = np.where(curve_day.values == MISSING, np.nan, curve_day.values * unit)
        for key, curve in zip(keys, values, strict=True):
            found.setdefault((key[0], key[1]), {})[curve_day.date] = curve
    return found


def read_system(
    home: Home, first: date, after: date, wanted: Sequence[str], known: Known = EVERYTHING
) -> Series:
    """The wanted series of the system table."""
    everything = read_curves(home, "system", first, after, ("series", "node"), known)
    return {key: curves for key, curves in everything.items() if key[0] in wanted}


def records(
    home: Home, table: str, known: Known, first: date | None = None, after: date | None = None
) -> pd.DataFrame:
    """Rows of a record table, of the dates from ``first`` to before ``after`` where given."""
    return read_records(home, table, as_of=known.as_of, delivered=known.delivered, first=first, after=after)
