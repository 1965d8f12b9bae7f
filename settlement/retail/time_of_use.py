"""Time of use (分时电价): which quarter-hours are sharp, peak, flat, valley or deep valley, and what they cost more
or less than flat (market.md B.8).
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.consumer import CapacityFactors, TimeOfUse
from market.money import IntArray, half_up
from market.periods import PERIODS, PERIODS_PER_HOUR

PERIOD_NAMES = ("sharp", "peak", "flat", "valley", "deep_valley")
FLAT = PERIOD_NAMES.index("flat")
E8_OF_SIX_DECIMALS = 100  # published prices have six decimals of 元/kWh (market.md C.4)


def periods_of_day(rule: TimeOfUse, day: date) -> NDArray[np.intp]:
    """(96,) index into PERIOD_NAMES of every quarter-hour of a day."""
    season = rule.season(day.month)
    periods = np.full(PERIODS, FLAT, np.intp)
    for name in ("peak", "valley", "sharp", "deep_valley"):  # sharp lies in peak, deep valley in valley
        for first, after in getattr(season, name):
            periods[first * PERIODS_PER_HOUR : after * PERIODS_PER_HOUR] = PERIOD_NAMES.index(name)
    return periods


def surcharge_e8(rule: TimeOfUse | CapacityFactors, base_e8: int) -> IntArray:
    """(5,) what a kWh of each period costs above flat: P_b − P = round6(P·ratio_b) − P  (SD-TOU25, B.8).

    Of capacity factors the same (B.4). base_e8: the price P at flat, 1e-8 元/kWh; negative results are reductions.
    """
    prices = [
        half_up(getattr(rule, name) * base_e8 / E8_OF_SIX_DECIMALS) * E8_OF_SIX_DECIMALS
        for name in PERIOD_NAMES
    ]
    return np.array([price - base_e8 for price in prices], np.int64)


def by_period(energy: IntArray, periods: NDArray[np.intp]) -> IntArray:
    """(rows, 96) -> (rows, 5): energy of each period of one day."""
    starts = np.flatnonzero(np.r_[True, periods[1:] != periods[:-1]])
    runs = np.add.reduceat(energy, starts, axis=1)
    parts = np.zeros((len(energy), len(PERIOD_NAMES)), np.int64)
    for run, start in enumerate(starts):
        parts[:, periods[start]] += runs[:, run]
    return parts
