"""Capacity price of a day with its time factors (market.md B.4)."""

from __future__ import annotations

from datetime import date

import numpy as np

from market.money import IntArray, half_up, scaled
from market.periods import PERIODS
from market.profiles import ProvincialRules, on


def capacity_curve(rules: ProvincialRules, day: date) -> int | IntArray:
    """The price of the day, 0.001 元/MWh: one number, or (96,) price × factor, half up, where factors are in force."""
    price = on(rules.capacity_price_cny_per_mwh, day, "capacity_price_cny_per_mwh")
    factors = on(rules.capacity_time_factors, day, "capacity_time_factors")
    curve = np.full(PERIODS, scaled(price, 3), np.int64)
    for months, first, last, factor in factors:
        if day.month in months:
            curve[first - 1 : last] = half_up(
                price * 1000 * factor
            )  # B.4: 0-50 % in surplus, 150-200 % in tight hours
    return curve if factors else scaled(price, 3)
