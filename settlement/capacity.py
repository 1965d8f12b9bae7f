"""Capacity price of a day with its time factors, and what a unit's capacity counts for (market.md B.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

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


HOURS_PER_DAY = 24


def by_output(rules: ProvincialRules, day: date, unit_class: str | None) -> bool:
    """True for a class of unit whose capacity counts by its mean market output (BOOK17: 新能源; market.md B.4)."""
    return unit_class in on(rules.capacity_by_output, day, "capacity_by_output")


def capacity_keys(
    rules: ProvincialRules,
    days: int,
    last_day: date,
    unit_class: Mapping[str, str | None],
    available_w: Mapping[str, int],
    market_wh: Mapping[str, int | None],
) -> dict[str, int | None]:
    """W by unit of the month: ΣQ_market / hours for the classes of the rule, available capacity for the others (B.4).

    unit_class: on the last day. market_wh: of the month, None missing, which gives None; of a storage what it charged
    and discharged together (有效充放电, decision 0058). Units with neither are left out; a unit that drew more than it
    sold counts 0. Half up to the W.
    """
    keys: dict[str, int | None] = {}
    for unit, of_class in unit_class.items():
        if not by_output(rules, last_day, of_class):
            if available_w.get(unit):
                keys[unit] = available_w[unit]
            continue
        wh = market_wh.get(unit)
        keys[unit] = None if wh is None else half_up(Fraction(max(wh, 0), HOURS_PER_DAY * days))  # BOOK17
    return keys
