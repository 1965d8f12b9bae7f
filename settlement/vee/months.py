"""Rules on whole months of one meter: arrays (meters,), Wh, MISSING where a month is not known."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from market.curves import filled, is_missing
from market.money import IntArray
from settlement.vee.ratios import BoolArray, exceeds


def zero(months: IntArray) -> BoolArray:
    """R01 零电量: no energy in any of the months. months: (meters, n), this one and those before."""
    return np.asarray((months == 0).all(axis=1))


def rise(now: IntArray, before: IntArray, share: Decimal, floor_wh: int) -> BoolArray:
    """R02 突增: more than (1 + share) x the mean of the months before, and at least ``floor_wh`` more.

    before: (meters, n). A meter with an unknown month is not judged.
    """
    judged, today, mean = _against_mean(now, before)
    n = before.shape[1]
    return np.asarray(judged & exceeds(today - mean, share, mean) & (today - mean >= floor_wh * n))


def fall(now: IntArray, before: IntArray, share: Decimal) -> BoolArray:
    """R03 突减: less than (1 - share) x the mean of the months before. before: (meters, n)."""
    judged, today, mean = _against_mean(now, before)
    return np.asarray(judged & exceeds(mean - today, share, mean))


def year_on_year(now: IntArray, year_before: IntArray, share: Decimal) -> BoolArray:
    """R04 同比异常: |Q / Q a year before - 1| > share; a year before without energy is not judged."""
    known = ~is_missing(now) & ~is_missing(year_before) & (year_before != 0)
    return np.asarray(known & exceeds(np.abs(filled(now) - filled(year_before)), share, filled(year_before)))


def _against_mean(now: IntArray, before: IntArray) -> tuple[BoolArray, IntArray, IntArray]:
    """Which meters are judged, and this month and the mean before, both times the number of months."""
    known = ~is_missing(now) & ~is_missing(before).any(axis=1)
    return known, filled(now) * before.shape[1], filled(before).sum(axis=1)
